"""MN-13: what apply_changes makes of a node: one OpenVPN process a protocol and port.

Each process was started after its file was written (`ages`): otherwise it runs something else.
The directives are those of vpn-server-node 2.1.4, each once, and no other. User, group and the
place of the hooks are the platform's, and what is pushed is the profile's: only their shape counts.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.multi_node.ages import younger_than_their_files
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import PORT, TRANSPORTS
from evidence.errors import Imprecise
from evidence.events.multi_node import ServerAges, ServerState
from evidence.scenario import Evidence

_LONGEST_LINE = 256  # OPTION_LINE_SIZE of OpenVPN
MANAGEMENT_BASE, PROCESSES_A_PROFILE = 11940, 64

_COMMON: Mapping[str, str] = {
    "cipher": "AES-256-GCM",
    "dev-type": "tun",
    "dh": "none",
    "local": "::",
    "log": "/dev/null",
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
_ONCE: Mapping[str, str] = {
    "client-connect": r"/\S+/client-connect",
    "client-disconnect": r"/\S+/client-disconnect",
    "user": r"(?!root$)\S+",
    "group": r"(?!root$)\S+",
    **dict.fromkeys(("<ca>", "<cert>", "<key>", "<tls-crypt>"), ""),
}
_TOLD_TO_LEAVE = "explicit-exit-notify 1"
_GATEWAY = r"redirect-gateway def1 ipv6( block-local)?"
_PUSHED = rf"{_GATEWAY}|block-outside-dns|dhcp-option DNS \S+"
_ONLY: Mapping[str, Mapping[str, str]] = {
    "udp": {"keepalive": "10 60", "explicit-exit-notify": "1"},
    "tcp": {"tcp-nodelay": ""},
}


@dataclass(frozen=True)
class Process:
    """One OpenVPN server process as it should be; `index` counts a profile's processes from 0."""

    site: Deployment
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
        return (self.site.number(self.node) - 1) * PROCESSES_A_PROFILE + self.index

    @property
    def management(self) -> tuple[str, int]:
        """Where its management port listens: with useVpnDaemon on the loopback, always."""
        return "127.0.0.1", MANAGEMENT_BASE + self.offset

    @property
    def directives(self) -> Mapping[str, str]:
        """The directives it must have, with their arguments."""
        ipv4, ipv6 = self.site.process_ranges(self.node)[self.index]
        return {
            **_COMMON,
            **_ONLY[self.transport],
            "dev": f"tun{self.offset}",
            "proto": {"udp": "udp6", "tcp": "tcp6-server"}[self.transport],
            "management": " ".join(map(str, self.management)),
            "max-clients": str(ipv4.num_addresses - 3),  # all host addresses but its own
            "server": f"{ipv4.network_address} {ipv4.netmask}",
            "server-ipv6": str(ipv6),
            "setenv": f"PROFILE_ID {self.node}",
        }


def read_config(text: str) -> dict[str, list[str]]:
    """Return an OpenVPN config's directives with the arguments of each occurrence.

    An inline block stands there as `<ca>` with no arguments. Raises Imprecise at a line that
    OpenVPN would not read, either.
    """
    directives: dict[str, list[str]] = {}
    for line in map(str.strip, text.splitlines()):
        words = [] if line.startswith(("#", ";", "</")) else _words(line)
        if words:
            directives.setdefault(words[0], []).append(" ".join(words[1:]))
    return directives


def _words(line: str) -> list[str]:
    try:
        if len(line) > _LONGEST_LINE:
            raise ValueError(f"it has {len(line)} characters")
        return shlex.split(line)
    except ValueError as error:
        raise Imprecise(f"{line[:80]!r} is no line of an OpenVPN config: {error}") from error


@dataclass(frozen=True)
class Socket:
    """A listening socket of `ss`; `*` and `[::]` both mean every address."""

    transport: str
    address: str
    port: int
    program: str
    pid: int


_SOCKET = re.compile(
    r"^(?P<transport>udp|tcp)\s+\S+\s+\d+\s+\d+\s+(?P<address>\S+):(?P<port>\d{1,5})\s+\S+"
    r"\s+users:\(\(\"(?P<program>[^\"]+)\",pid=(?P<pid>\d{1,10})",
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
def processes_as_generated(evidence: Evidence, owed: Obligations) -> None:
    """Each node runs its two processes, with their directives, sockets and devices, and no more.

    And they run what their files say, not what earlier files said.
    """
    site = deployment(evidence, owed)
    for node in site.nodes:
        processes = [Process(site, node, index) for index in range(len(TRANSPORTS))]
        for event in evidence.need(ServerState, node):
            for what, objections in (
                ("holds the files that are generated", _files(processes, event)),
                ("runs one unit a process", _units(processes, event)),
                (
                    "has one socket a process, and a management port each",
                    _sockets(processes, event),
                ),
                ("has one tun device a process", _devices(processes, event)),
            ):
                one = owed.owe(f"{node} {what}")
                one.met(event.place)
                for objection in objections:
                    one.broken(f"{node}: {objection}")
        configs = [f"{process.name}.conf" for process in processes]
        younger_than_their_files(node, configs, evidence.need(ServerAges, node), owed)


def _files(processes: list[Process], event: ServerState) -> Iterator[str]:
    wanted = {f"{process.name}.conf" for process in processes}
    if event.files.keys() != wanted:
        yield f"/etc/openvpn/server holds {sorted(event.files)}, not {sorted(wanted)}"
    for process in processes:
        file = f"{process.name}.conf"
        if file in event.files:
            wrong = _directives(process, read_config(event.files[file]))
            yield from (f"{file}: {objection}" for objection in wrong)


def _directives(process: Process, config: Mapping[str, list[str]]) -> Iterator[str]:
    for directive, wanted in process.directives.items():
        got = config.get(directive)
        if got != [wanted]:
            is_now = "absent" if got is None else repr(", ".join(got))
            yield f"{directive} is {is_now}, not {wanted!r}"
    for directive, shape in _ONCE.items():
        got = config.get(directive)
        if got is None:
            yield f"{directive} is absent"
        elif len(got) > 1 or not re.fullmatch(shape, got[0]):
            yield f"{directive} is {', '.join(got)!r}, which is never generated"
    pushed = config.get("push", [])
    if pushed.count(_TOLD_TO_LEAVE) != (process.transport == "udp"):
        yield f'push "{_TOLD_TO_LEAVE}" belongs to UDP, and only there'
    if sum(bool(re.fullmatch(_GATEWAY, push)) for push in pushed) != 1:
        yield 'push "redirect-gateway def1 ipv6" is not there once'
    for push in pushed:
        if push != _TOLD_TO_LEAVE and not re.fullmatch(_PUSHED, push):
            yield f'push "{push}" is never generated'
    for directive in sorted(config.keys() - process.directives.keys() - _ONCE.keys() - {"push"}):
        yield f"{directive} is never generated for {process.transport}"


def _units(processes: list[Process], event: ServerState) -> Iterator[str]:
    rows = [line.split(None, 4) for line in event.units.splitlines()]
    states = {row[0]: (row[2], row[3]) for row in rows if len(row) >= 4}
    wanted = {f"openvpn-server@{process.name}.service" for process in processes}
    for unit in sorted(wanted):
        state = states.get(unit, ("not", "loaded"))
        if state != ("active", "running"):
            yield f"{unit} is {' '.join(state)}, not running"
    for unit in sorted(states.keys() - wanted):
        if states[unit][0] == "active":
            yield f"{unit} should not be active"


def _sockets(processes: list[Process], event: ServerState) -> Iterator[str]:
    openvpn = {
        (one.transport, one.address, one.port): one.pid
        for one in read_sockets(event.sockets)
        if one.program == "openvpn"
    }
    wanted: set[tuple[str, str, int]] = set()
    pids = set[int]()
    for process in processes:
        own = (process.transport, "*", PORT), ("tcp", *process.management)
        wanted.update(own)
        for transport, address, port in own:
            if (transport, address, port) not in openvpn:
                yield f"no openvpn listens on {transport} {address}:{port}"
        owners = {openvpn[socket] for socket in own if socket in openvpn}
        if len(owners) > 1:
            yield f"{process.name}'s two sockets belong to two processes"
        if owners & pids:
            yield "one process serves both protocols"
        pids |= owners
    for transport, address, port in sorted(openvpn.keys() - wanted):
        yield f"openvpn also listens on {transport} {address}:{port}"


def _devices(processes: list[Process], event: ServerState) -> Iterator[str]:
    present = {link.ifname for link in event.links if link.ifname.startswith("tun")}
    wanted = {f"tun{process.offset}" for process in processes}
    if present != wanted:
        yield f"tun devices are {sorted(present)}, not {sorted(wanted)}"
