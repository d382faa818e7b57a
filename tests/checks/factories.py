"""Makes recorded runs: a history that is good in every respect, frames to go with it, a capture.

A test changes one thing about them and sees what a check says.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from checks.engine.registry import judge
from checks.engine.verdict import Verdict
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES, INSTALLED, RECORD_TYPE, TRANSPORTS
from checks.multi_node.server_processes import Process
from evidence.capture import Frame
from evidence.events import read_event
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.history import History
from evidence.packets import parse
from evidence.scenario import Evidence
from tests.captures import capture
from tests.checks.sites import GUIDE, told

START_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
SCENARIO = "scenarios/multi_node/test_it.py::test_it"

Data = dict[str, Any]


@dataclass
class Run:
    """Events (kind, source, data) and frames of one scenario, before they are written.

    What has no time is given one: clients are started first, then frames are sent, then everything
    else is seen, each in the order given. Before all of it stands what is `planned`: once, that of
    the `site`.
    """

    events: list[tuple[str, str, Data]] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    site: Deployment = GUIDE
    planned: list[Data] = field(default_factory=list)
    software: str = ""
    seconds: int = 100

    def __post_init__(self) -> None:
        self.planned = self.planned or [told(self.site)]

    def find(self, kind: str, source: str | None = None) -> Data:
        """Return the data of the one such event, to be changed in place."""
        (found,) = self.all(kind, source)
        return found

    def all(self, kind: str, source: str | None = None) -> list[Data]:
        """Return the data of every such event, to be changed in place."""
        return [d for k, s, d in self.events if k == kind and source in (None, s)]

    def write(
        self,
        directory: Path,
        scenario: str = SCENARIO,
        lab: str = "lab",
        requirements: tuple[str, ...] = (),
    ) -> None:
        with History(directory / "history.jsonl", scenario) as history:
            history.record(
                ScenarioStarted(
                    source="pytest",
                    at_ns=START_NS,
                    lab=lab,
                    requirements=requirements,
                    software=self.software,
                )
            )
            for data in self.planned:
                event = {"kind": "deployment.planned", "source": "topology", "at_ns": START_NS}
                history.record(read_event({**event, **data}))
            for number, (kind, source, data) in enumerate(self.events, start=1):
                seconds = 1 if kind == "tunnel.started" else 20
                at_ns = START_NS + seconds * SECOND + number
                event = {"kind": kind, "source": source, "at_ns": at_ns, **data}
                history.record(read_event(event))
            end_ns = START_NS + self.seconds * SECOND
            history.record(ScenarioEnded(source="pytest", at_ns=end_ns, events=history.recorded))
        (directory / "wire").mkdir(exist_ok=True)
        content = capture(dated(self.frames), START_NS - SECOND, end_ns + SECOND)
        (directory / "wire" / f"{lab}.pcapng").write_bytes(content)

    def judge(self, requirement: str, directory: Path) -> Verdict:
        self.write(directory)
        return judge(requirement, Evidence(directory, SCENARIO, requirement))


def pcapng(
    frames: Iterable[tuple[int, bytes]],
    *,
    interface: str = "client/wire0",
    comment: str = "",
) -> bytes:
    """Return a capture of these frames that covers the scenario, and a second at either end."""
    written = [Frame(at_ns, interface, data, comment) for at_ns, data in frames]
    return capture(written, START_NS - SECOND, START_NS + 101 * SECOND)


def dated(frames: Iterable[Frame]) -> list[Frame]:
    """Date the frames that have no time, far enough apart to be no duplicates."""
    return [
        replace(frame, at_ns=frame.at_ns or START_NS + 2 * SECOND + 2_000_000 * number)
        for number, frame in enumerate(frames)
    ]


def sent(data: bytes, comment: str = "", site: Deployment = GUIDE) -> Frame:
    """Return a frame as it came in at the port of the machine whose address it bears."""
    packet = parse(data)
    address = packet.source if packet is not None else None
    owners = (name for name, host in site.hosts.items() if address in host.addresses.values())
    return Frame(0, f"{next(owners, site.client.name)}/wire0", data, comment)


def udp(source: tuple[str, int], target: tuple[str, int], payload: bytes) -> bytes:
    header = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0)
    return ip(source[0], target[0], 17, header + payload)


def tcp(
    source: tuple[str, int], target: tuple[str, int], payload: bytes, flags: int = 0x18
) -> bytes:
    header = struct.pack("!HHIIBBHHH", source[1], target[1], 0, 0, 5 << 4, flags, 0, 0, 0)
    return ip(source[0], target[0], 6, header + payload)


def ip(source: str, target: str, protocol: int, content: bytes) -> bytes:
    first, second = ipaddress.ip_address(source), ipaddress.ip_address(target)
    macs = mac(target) + mac(source)
    if first.version == 4:
        fields = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0, 64, protocol, 0)
        return macs + b"\x08\x00" + fields + first.packed + second.packed + content
    fields = struct.pack("!IHBB", 6 << 28, len(content), protocol, 64)
    return macs + b"\x86\xdd" + fields + first.packed + second.packed + content


def mac(address: str) -> bytes:
    """Return the MAC of the machine that has an address; a machine's two end in the same digits."""
    last = address.replace(":", ".").rpartition(".")[2]
    return b"\x02" + bytes(4) + bytes([int(last or "0", 16) & 0xFF])


def dns_name(name: str) -> bytes:
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


def dns_answer(
    query_id: int, kind: str, addresses: Iterable[str], name: str = GUIDE.shared_name
) -> bytes:
    number = {"A": 1, "AAAA": 28}[kind]
    packed = [ipaddress.ip_address(address).packed for address in addresses]
    message = struct.pack("!6H", query_id, 0x8580, 1, len(packed), 0, 0)
    message += dns_name(name) + struct.pack("!HH", number, 1)
    for address in packed:
        message += b"\xc0\x0c" + struct.pack("!HHIH", number, 1, 60, len(address)) + address
    return message


def ping(target: str, received: int = 3) -> Data:
    return {"target": target, "sent": 3, "received": received}


def tunnel(node: str, transport: str, family: int, number: int, site: Deployment = GUIDE) -> Data:
    ranges = site.process_ranges(node)[TRANSPORTS.index(transport)]
    inside4, inside6 = (str(network[number + 2]) for network in ranges)
    return {
        "client": f"client-{number}",
        "transport": transport,
        "family": family,
        "remote": site.address(node, family),
        "address4": str(site.client.network(4)[101 + number]),
        "address6": str(site.client.network(6)[int(str(101 + number), 16)]),
        "up": True,
        "tunnel4": inside4,
        "tunnel6": inside6,
        "ping": ping(str(ranges[0][1])),
        "detail": "",
    }


def tunnel_frames(data: Mapping[str, Any], site: Deployment = GUIDE) -> list[Frame]:
    make = udp if data["transport"] == "udp" else tcp
    client = data["address4" if data["family"] == 4 else "address6"], 40000
    server = data["remote"], 1194
    there, back = make(client, server, bytes(300)), make(server, client, bytes(1200))
    return [sent(there, site=site), sent(back, site=site)]


def add_tunnel(run: Run, node: str, transport: str, family: int, number: int) -> Data:
    data, source = tunnel(node, transport, family, number, run.site), run.site.client.name
    run.events.append(("tunnel.started", source, {"client": data["client"]}))
    run.events.append(("tunnel.tried", source, data))
    run.frames += tunnel_frames(data, run.site)
    return data


def good_names(site: Deployment = GUIDE) -> list[Data]:
    answers = [
        {"name": host.fqdn, "type": RECORD_TYPE[family], "addresses": [host.address(family)]}
        for host in site.hosts.values()
        for family in FAMILIES
    ]
    answers += [
        {
            "name": site.shared_name,
            "type": RECORD_TYPE[family],
            "addresses": site.node_addresses(family),
        }
        for family in FAMILIES
    ]
    return answers


def good_config(site: Deployment = GUIDE) -> Data:
    installed = {name: values[0] for name, values in INSTALLED.items() if values}
    table = site.profiles(merged=True)
    return {
        "use_vpn_daemon": True,
        "profiles": {name: {**installed, **options} for name, options in table.items()},
        "merged": True,
    }


def server_config(process: Process) -> str:
    lines = [f"{name} {arguments}".strip() for name, arguments in process.directives.items()]
    lines += ["user nobody", "group nogroup", "client-connect /usr/libexec/x/client-connect"]
    lines += ["client-disconnect /usr/libexec/x/client-disconnect"]
    lines += ['push "redirect-gateway def1 ipv6"']
    if process.transport == "udp":
        lines.append('push "explicit-exit-notify 1"')
    lines += [f"<{tag}>\n</{tag}>" for tag in ("ca", "cert", "key", "tls-crypt")]
    return "\n".join(["# made for a test", *sorted(lines)])


def server_state(node: str, site: Deployment = GUIDE) -> Data:
    processes = [Process(site, node, index) for index in range(2)]
    sockets, units = [], []
    for pid, process in enumerate(processes, start=500):
        users = f'users:(("openvpn",pid={pid},fd=7))'
        state = "UNCONN" if process.transport == "udp" else "LISTEN"
        address, port = process.management
        sockets.append(f"{process.transport}   {state} 0 0    *:1194   *:*    {users}")
        sockets.append(f"tcp   LISTEN 0 1    {address}:{port}   0.0.0.0:*    {users}")
        units.append(f"openvpn-server@{process.name}.service loaded active running OpenVPN of it")
    return {
        "files": {f"{process.name}.conf": server_config(process) for process in processes},
        "units": "\n".join(units) + "\n",
        "sockets": "\n".join(sockets) + "\n",
        "links": [
            {"ifname": name, "operstate": "UNKNOWN"}
            for name in ("lo", "wire0", *(f"tun{process.offset}" for process in processes))
        ],
    }


def server_ages(node: str, site: Deployment = GUIDE) -> Data:
    configs = [f"{Process(site, node, index).name}.conf" for index in range(2)]
    return {
        "uncertainty_ns": SECOND // 20,
        "files": [{"name": name, "written_ns": START_NS - 600 * SECOND} for name in configs],
        "processes": [{"config": name, "started_ns": START_NS - 598 * SECOND} for name in configs],
    }
