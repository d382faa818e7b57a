"""The client machine: any number of OpenVPN clients at once, each in a namespace of its own.

A client has its own MAC and addresses on the wire (a macvlan on the machine's NIC) and asks the
lab's DNS, where there is one. What happens inside the machine is one shell script,
`vpn-clients.sh`: an operation on many clients is one command, since a command costs more than a
client.
"""

from __future__ import annotations

import io
import re
import shlex
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_interface
from pathlib import Path

from lab.answers import understood
from lab.errors import ScenarioError
from lab.wait import until
from provision.files import WriteFile
from provision.step import Step
from provision.target import Result, Target

SCRIPT = "/usr/local/sbin/vpn-clients"

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_REMOTE = re.compile(r"\[AF_INET6?\](?P<address>\S+):(?P<port>\d{1,5})")


def place_for_clients(machine: str, section: str) -> Step:
    """Return the step that makes `machine` a place for VPN clients."""
    script = Path(__file__).with_name("vpn-clients.sh").read_text()
    return Step(
        name="place for VPN clients",
        section=section,
        machine=machine,
        changes=f"{SCRIPT} starts and ends OpenVPN clients",
        actions=(WriteFile(SCRIPT, script, mode=0o755),),
        module=__name__,
    )


@dataclass(frozen=True)
class Client:
    """A client to be: its name, what it was given, and who it is on the wire."""

    name: str
    """Lower-case letters, digits and hyphens, at most 32."""
    config: str
    """The profile as downloaded."""
    ipv4: str
    ipv6: str = ""
    """Empty where the network has no IPv6."""
    login: tuple[str, str] | None = None
    """User name and password, where the profile asks for them."""

    @property
    def mac(self) -> str:
        """A locally administered address made of the IPv4 address: no two clients share one."""
        return "02:76:" + IPv4Address(self.ipv4).packed.hex(":")


@dataclass(frozen=True)
class Tunnel:
    """A client's tunnel at one moment."""

    name: str
    up: bool
    remote: str | None
    """Address of the node it last completed a TLS handshake with, without the port."""
    port: int | None
    addresses: tuple[str, ...]
    """Inside the tunnel, with prefix lengths."""
    log: str
    """The end of the client's log."""


class VpnClients:
    """The clients of one machine; `nameserver` is the DNS server they ask, "" for none."""

    def __init__(self, machine: Target, *, nameserver: str = "") -> None:
        self._machine = machine
        self._nameserver = nameserver

    def connect(self, name: str, config: str, ipv4: str, ipv6: str = "") -> None:
        """Start one client; `wait_up` tells when its tunnel is there."""
        self.connect_all([Client(name, config, ipv4, ipv6)])

    def connect_all(self, clients: Sequence[Client]) -> None:
        """Start clients, all by one command. ScenarioError for an unusable or doubled name."""
        names = [client.name for client in clients]
        _check_names(names)
        if not names:
            return
        archive = _archive(clients, self._nameserver)
        self._call("connect", *names, stdin=archive, timeout=60 + 5 * len(names))

    def up(self) -> dict[str, bool]:
        """Return for each client that was started whether its tunnel is up now."""
        lines = self._lines("state")
        with understood(self._machine.name, "the state of its VPN clients"):
            return {line[0]: line[1] == "up" for line in lines}

    def wait_up(self, names: Iterable[str], seconds: float = 60) -> None:
        """Wait until all tunnels are up; DeadlinePassed shows the log of those that are not."""
        wanted = tuple(names)

        def missing() -> list[str]:
            states = self.up()
            return [name for name in wanted if not states.get(name, False)]

        until(
            lambda: not missing(),
            seconds,
            f"{len(wanted)} tunnels on {self._machine.name} to come up",
            every=0.3,
            detail=lambda: "\n".join(
                f"{tunnel.name}:\n{tunnel.log}" for tunnel in self.statuses(missing()[:3])
            ),
        )

    def status(self, name: str) -> Tunnel:
        """Return one client's tunnel."""
        return self.statuses([name])[0]

    def statuses(self, names: Sequence[str]) -> tuple[Tunnel, ...]:
        """Return the tunnels of several clients, by one command, in the same order."""
        _check_names(names)
        if not names:
            return ()
        said = self._call("status", *names).stdout
        with understood(self._machine.name, "the status of its VPN clients"):
            return parse_status(said)

    def ping(self, name: str, address: str) -> bool:
        """Say whether `address` answers one echo request of a client within 3 s."""
        return self.ping_all({name: address})[name]

    def ping_all(self, addresses: Mapping[str, str]) -> dict[str, bool]:
        """Let clients ping side by side: which name's address answered within 3 s."""
        _check_names(addresses)
        pairs = [word for pair in addresses.items() for word in pair]
        if not pairs:
            return {}
        lines = self._lines("ping", *pairs)
        with understood(self._machine.name, "what its VPN clients' pings say"):
            return {line[0]: line[1] == "yes" for line in lines}

    def run(self, name: str, command: str, *, timeout: float = 60, check: bool = True) -> Result:
        """Run a command as a client sees the network; `timeout` in seconds."""
        _check_names([name])
        inside = f"ip netns exec {name} sh -c {shlex.quote(command)}"
        return self._machine.run(inside, timeout=timeout, check=check)

    def disconnect(self, names: Iterable[str]) -> None:
        """End clients cleanly and remove their namespaces; unknown ones are gone already."""
        wanted = tuple(names)
        _check_names(wanted)
        if wanted:
            self._call("disconnect", *wanted, timeout=60 + 15 * len(wanted))

    def _call(self, *words: str, stdin: bytes | None = None, timeout: float = 60) -> Result:
        return self._machine.run(shlex.join([SCRIPT, *words]), stdin=stdin, timeout=timeout)

    def _lines(self, *words: str) -> list[list[str]]:
        return [line.split() for line in self._call(*words).stdout.splitlines()]


def parse_status(text: str) -> tuple[Tunnel, ...]:
    """Read what `vpn-clients status` prints; ValueError for anything else."""
    blocks: list[tuple[list[str], list[str], list[str]]] = []
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "client":
            blocks.append((rest.split(), [], []))
        elif word in ("address", "log") and blocks:
            blocks[-1][1 if word == "address" else 2].append(rest)
    return tuple(_tunnel(*block) for block in blocks)


def _tunnel(head: list[str], addresses: list[str], log: list[str]) -> Tunnel:
    name, state, remote = head
    for address in addresses:
        ip_interface(address)
    match = _REMOTE.fullmatch(remote)
    return Tunnel(
        name=name,
        up=state == "up",
        remote=match["address"] if match else None,
        port=int(match["port"]) if match else None,
        addresses=tuple(addresses),
        log="\n".join(log),
    )


def _check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            raise ScenarioError(
                f"a VPN client cannot be called {name!r}",
                hint="lower-case letters, digits and hyphens, at most 32",
            )
        if name in seen:
            raise ScenarioError(f"two VPN clients are called {name!r}")
        seen.add(name)


def _archive(clients: Sequence[Client], nameserver: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for client in clients:
            identity = f"{client.ipv4} {client.ipv6 or '-'} {client.mac} {nameserver or '-'}\n"
            files = {"client.ovpn": client.config, "identity": identity}
            if client.login is not None:
                files["login"] = "".join(f"{line}\n" for line in client.login)
            for file, text in files.items():
                content = text.encode()
                entry = tarfile.TarInfo(f"{client.name}/{file}")
                entry.mode, entry.size = 0o600, len(content)
                tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
