"""MN-13: what apply_changes makes of a node: one OpenVPN process a protocol and port.

Events read:
    server.state    of each node: `files` (name -> text of /etc/openvpn/server/*.conf, the
                    contents of inline blocks left out, their tags kept), `units` (`systemctl
                    list-units --all --plain --no-legend 'openvpn-server@*'`), `sockets` (`ss
                    -Hltnup`), `links` (`ip -j link`)

The directives are those of vpn-server-node 2.1.4; user, group and the place of the hooks are the
platform's and only have to be there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.multi_node.guide import NODES, PORT, PROFILES, TRANSPORTS
from checks.multi_node.tunnels import process_ranges
from evidence.history import Event
from evidence.scenario import Evidence

MANAGEMENT_BASE, PROCESSES_A_PROFILE = 11940, 64

_COMMON: Mapping[str, str] = {
    "cipher": "AES-256-GCM",
    "dev-type": "tun",
    "dh": "none",
    "local": "::",
    "log": "/dev/null",
    "max-clients": "61",
    "ncp-ciphers": "AES-256-GCM",
    "persist-key": "",
    "persist-tun": "",
    "port": str(PORT),
    "remote-cert-tls": "client",
    "reneg-sec": "36000",
    "script-security": "2",
    "tls-cipher": "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384",
    "tls-version-min": "1.2",
    "topology": "subnet",
    "verb": "3",
}
_PLATFORMS_OWN = ("client-connect", "client-disconnect", "user", "group")
_INLINE = ("ca", "cert", "key", "tls-crypt")
_ONLY: Mapping[str, Mapping[str, str]] = {
    "udp": {"keepalive": "10 60", "explicit-exit-notify": "1"},
    "tcp": {"tcp-nodelay": ""},
}


@dataclass(frozen=True)
class Process:
    """One OpenVPN server process as it should be; `index` counts a profile's processes from 0."""

    node: str
    index: int

    @property
    def name(self) -> str:
        """What its file and unit are called."""
        return f"{self.node}-{self.index}"

    @property
    def transport(self) -> str:
        """Its protocol: the default vpnProtoPorts are udp/1194 and tcp/1194."""
        return TRANSPORTS[self.index]

    @property
    def offset(self) -> int:
        """Its number among all processes of a deployment."""
        number: int = PROFILES[self.node]["profileNumber"]
        return (number - 1) * PROCESSES_A_PROFILE + self.index

    @property
    def management(self) -> tuple[str, int]:
        """Where its management port listens: with useVpnDaemon on the loopback, always."""
        return "127.0.0.1", MANAGEMENT_BASE + self.offset

    @property
    def directives(self) -> Mapping[str, str]:
        """The directives it must have, with their arguments."""
        ipv4, ipv6 = process_ranges(self.node)[self.index]
        return {
            **_COMMON,
            **_ONLY[self.transport],
            "dev": f"tun{self.offset}",
            "proto": {"udp": "udp6", "tcp": "tcp6-server"}[self.transport],
            "management": " ".join(map(str, self.management)),
            "server": f"{ipv4.network_address} {ipv4.netmask}",
            "server-ipv6": str(ipv6),
            "setenv": f"PROFILE_ID {self.node}",
        }


def read_config(text: str) -> dict[str, list[str]]:
    """Return an OpenVPN config's directives with the arguments of each occurrence.

    An inline block stands there as `<ca>` with no arguments.
    """
    directives: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = [] if line.startswith(("#", ";", "</")) else shlex.split(line)
        if words:
            directives.setdefault(words[0], []).append(" ".join(words[1:]))
    return directives


@dataclass(frozen=True)
class Socket:
    """A listening socket of `ss`; `*` and `[::]` both mean every address."""

    transport: str
    address: str
    port: int
    program: str
    pid: int


_SOCKET = re.compile(
    r"^(?P<transport>udp|tcp)\s+\S+\s+\d+\s+\d+\s+(?P<address>\S+):(?P<port>\d+)\s+\S+"
    r"\s+users:\(\(\"(?P<program>[^\"]+)\",pid=(?P<pid>\d+)",
    re.MULTILINE,
)


def read_sockets(text: str) -> Iterator[Socket]:
    """Yield the sockets in the output of `ss -Hltnup` that belong to a process."""
    for match in _SOCKET.finditer(text):
        address = "*" if match["address"] == "[::]" else match["address"]
        yield Socket(
            match["transport"], address, int(match["port"]), match["program"], int(match["pid"])
        )


@check("MN-13")
def processes_as_generated(evidence: Evidence) -> Verdict:
    """Each node runs its two processes, with their directives, sockets and devices, and no more."""
    findings = Findings()
    for node in NODES:
        event = evidence.last("server.state", node)
        findings.saw(event.place)
        processes = [Process(node, index) for index in range(len(TRANSPORTS))]
        _judge_files(node, processes, event["files"], findings)
        _judge_units(node, processes, event["units"], findings)
        _judge_sockets(node, processes, list(read_sockets(event["sockets"])), findings)
        _judge_devices(node, processes, event, findings)
    return findings.verdict(
        "each node runs one OpenVPN process for UDP and one for TCP, as generated"
    )


def _judge_files(
    node: str, processes: list[Process], files: Mapping[str, str], findings: Findings
) -> None:
    wanted = {f"{process.name}.conf" for process in processes}
    findings.require(
        files.keys() == wanted,
        f"{node}: /etc/openvpn/server holds {sorted(files)}, not {sorted(wanted)}",
    )
    for process in processes:
        text = files.get(f"{process.name}.conf")
        if text is not None:
            _judge_directives(process, read_config(text), findings)


def _judge_directives(
    process: Process, config: Mapping[str, list[str]], findings: Findings
) -> None:
    file = f"{process.node}: {process.name}.conf"
    for directive, wanted in process.directives.items():
        got = config.get(directive)
        findings.require(
            got == [wanted],
            f"{file}: {directive} is {'absent' if got is None else repr(', '.join(got))},"
            f" not {wanted!r}",
        )
    for directive in (*_PLATFORMS_OWN, *(f"<{block}>" for block in _INLINE)):
        findings.require(directive in config, f"{file}: {directive} is absent")
    for transport, directives in _ONLY.items():
        for directive in directives if transport != process.transport else ():
            findings.require(
                directive not in config, f"{file}: {directive} is for {transport} only"
            )
    told = "explicit-exit-notify 1" in config.get("push", ())
    findings.require(
        told == (process.transport == "udp"),
        f'{file}: push "explicit-exit-notify 1" belongs to UDP, and only there',
    )


def _judge_units(node: str, processes: list[Process], units: str, findings: Findings) -> None:
    rows = [line.split(None, 4) for line in units.splitlines()]
    states = {row[0]: (row[2], row[3]) for row in rows if len(row) >= 4}
    wanted = {f"openvpn-server@{process.name}.service" for process in processes}
    for unit in sorted(wanted):
        state = states.get(unit, ("not", "loaded"))
        findings.require(
            state == ("active", "running"), f"{node}: {unit} is {' '.join(state)}, not running"
        )
    for unit in sorted(states.keys() - wanted):
        findings.require(states[unit][0] != "active", f"{node}: {unit} should not be active")


def _judge_sockets(
    node: str, processes: list[Process], sockets: list[Socket], findings: Findings
) -> None:
    openvpn = {(s.transport, s.address, s.port): s.pid for s in sockets if s.program == "openvpn"}
    wanted: set[tuple[str, str, int]] = set()
    pids = set[int]()
    for process in processes:
        own = (process.transport, "*", PORT), ("tcp", *process.management)
        wanted.update(own)
        owners = {openvpn.get(socket) for socket in own}
        for transport, address, port in own:
            findings.require(
                (transport, address, port) in openvpn,
                f"{node}: no openvpn listens on {transport} {address}:{port}",
            )
        if None in owners:
            continue
        findings.require(
            len(owners) == 1, f"{node}: {process.name}'s two sockets belong to two processes"
        )
        findings.require(not owners & pids, f"{node}: one process serves both protocols")
        pids |= {pid for pid in owners if pid is not None}
    for transport, address, port in sorted(openvpn.keys() - wanted):
        findings.require(False, f"{node}: openvpn also listens on {transport} {address}:{port}")


def _judge_devices(node: str, processes: list[Process], event: Event, findings: Findings) -> None:
    present = {link["ifname"] for link in event["links"] if link["ifname"].startswith("tun")}
    wanted = {f"tun{process.offset}" for process in processes}
    findings.require(
        present == wanted, f"{node}: tun devices are {sorted(present)}, not {sorted(wanted)}"
    )
