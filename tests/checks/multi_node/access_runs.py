"""Good recordings of what reaches a node: vpn-daemon's peers, knocks, the tightened firewall."""

from __future__ import annotations

import struct

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import DAEMON_PORT, FAMILIES
from evidence.capture import Frame
from tests.checks.factories import SECOND, START_NS, Data, Run, ip, sent, tcp, udp
from tests.checks.sites import GUIDE

SYN, SYN_ACK, RST_ACK = 0x02, 0x12, 0x14
BEGAN_NS = START_NS + SECOND
KNOCKER_PORT = 40000
TLS_ALERT, TLS_DATA = b"\x15\x03\x03\x00\x02\x02\x2a", b"\x17\x03\x03\x00\x20" + bytes(32)

PEERS = (
    ("client", "1.2"),
    ("none", "1.2"),
    ("other-ca", "1.2"),
    ("server", "1.2"),
    ("plain", ""),
    ("client", "1.1"),
)


def tried(node: str, family: int, shown: str, tls: str) -> Data:
    """Return a connection to a daemon that let the controller in and nobody else."""
    let_in = (shown, tls) == ("client", "1.2")
    return {
        "node": node,
        "family": family,
        "port": DAEMON_PORT,
        "shown": shown,
        "tls": tls,
        "connected": True,
        "sent": 517,
        "answer": "OK: 0" if let_in else "",
        "detail": "" if let_in else "sslv3 alert bad certificate",
    }


def run_mn_10(site: Deployment = GUIDE) -> Run:
    run = Run(site=site)
    controller = site.controller
    for node in site.nodes:
        for family in FAMILIES:
            ends = (site.address(node, family), DAEMON_PORT), (controller.address(family), 50000)
            for shown, tls in PEERS:
                run.events.append(
                    ("daemon.tried", controller.name, tried(node, family, shown, tls))
                )
                run.frames.append(sent(tcp(ends[1], ends[0], bytes(300)), site=site))
                said = TLS_DATA if (shown, tls) == PEERS[0] else TLS_ALERT
                run.frames.append(sent(tcp(*ends, said), site=site))
    return run


def prohibited(knock: bytes, source: str, target: str) -> bytes:
    """Return what a firewall of the guide says to `knock`, from `source` to `target`."""
    if ":" in source:
        return ip(source, target, 58, struct.pack("!BBHI", 1, 1, 0, 0) + knock[14:])
    return ip(source, target, 1, struct.pack("!BBHI", 3, 10, 0, 0) + knock[14:])


def knock_frames(
    run: Run, machine: str, node: str, family: int, transport: str, port: int, said: str
) -> list[Frame]:
    """Return the frames of a knock, and of its answer."""
    site = run.site
    source, target = site.address(machine, family), site.address(node, family)
    ends = (source, KNOCKER_PORT), (target, port)
    if transport == "udp":
        knock, answers = udp(*ends, b"knock"), {"open": udp(*ends[::-1], b"knock")}
    else:
        knock = tcp(*ends, b"", SYN)
        answers = {
            "open": tcp(*ends[::-1], b"", SYN_ACK),
            "reset": tcp(*ends[::-1], b"", RST_ACK),
        }
    answers["prohibited"] = prohibited(knock, target, source)
    frames = [Frame(0, f"{machine}/wire0", knock, "")]
    if said in answers:
        frames.append(Frame(0, f"{node}/wire0", answers[said], ""))
    return frames


def add_knocks(
    run: Run, machine: str, node: str, family: int, transport: str, said: dict[int, str]
) -> Data:
    """Let a machine knock at ports of a node, and be answered so."""
    data: Data = {
        "node": node,
        "family": family,
        "transport": transport,
        "began_ns": BEGAN_NS,
        "knocks": [{"port": port, "said": answer} for port, answer in said.items()],
    }
    run.events.append(("ports.knocked", machine, data))
    for port, answer in said.items():
        run.frames += knock_frames(run, machine, node, family, transport, port, answer)
    return data


def run_mn_11(site: Deployment = GUIDE) -> Run:
    run = Run(site=site)
    for node in site.nodes:
        for machine in (one for one in site.hosts if one != node):
            for family in FAMILIES:
                said = "open" if machine == site.controller.name else "prohibited"
                add_knocks(run, machine, node, family, "tcp", {DAEMON_PORT: said})
    return run


# The tightened firewall

TCP_PORTS = tuple(range(1, 22)) + tuple(range(23, 44))
UDP_PORTS = (53, 123, 161, 500, 1193, 1195, 4500, 5353)
INTERFACE = "wire0"


def ruleset(node: str, family: int, site: Deployment = GUIDE, *, counted: int = 0) -> str:
    """Return the guide's rules as `iptables-save -c` prints them, `counted` packets at each."""
    options = site.planned.profiles[node]
    clients = options["range" if family == 4 else "range6"]
    bits, icmp, refusal = (
        (32, "icmp", "icmp-host-prohibited")
        if family == 4
        else (128, "ipv6-icmp", "icmp6-adm-prohibited")
    )
    new = "-m conntrack --ctstate NEW,UNTRACKED -j ACCEPT"
    controller = f"{site.controller.address(family)}/{bits}"
    rules = [
        "INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "INPUT -i lo -j ACCEPT",
        f"INPUT -p {icmp} -j ACCEPT",
        f"INPUT -p tcp -m tcp --dport 22 {new}",
        f"INPUT -s {controller} -p tcp -m tcp --dport 41194 {new}",
        f"INPUT -p udp -m udp --dport 1194 {new}",
        f"INPUT -p tcp -m tcp --dport 1194 {new}",
        "INPUT -m conntrack --ctstate INVALID -j DROP",
        f"INPUT -j REJECT --reject-with {refusal}",
        f"FORWARD -i tun+ -o {INTERFACE} -j ACCEPT",
        f"FORWARD -i {INTERFACE} -o tun+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"FORWARD -j REJECT --reject-with {refusal}",
    ]
    count = f"[{counted}:{60 * counted}]"
    nat = f"POSTROUTING -s {clients} -j SNAT --to-source {site.address(node, family)}"
    return "\n".join(
        [
            "# Generated by iptables-save v1.8.9 (nf_tables) on Fri Apr 10 18:31:00 2020",
            "*filter",
            *(f":{chain} ACCEPT [0:0]" for chain in ("INPUT", "FORWARD", "OUTPUT")),
            *(f"{count} -A {rule}" for rule in rules),
            "COMMIT",
            "*nat",
            ":POSTROUTING ACCEPT [0:0]",
            f"{count} -A {nat}",
            "COMMIT",
            "",
        ]
    )


def shown(
    node: str, phase: str, site: Deployment = GUIDE, *, counted: int = 0, seconds: float = 20
) -> tuple[str, str, Data]:
    """Return a node's firewall as it stands, with somebody who listens at each UDP port."""
    listening = [
        f'udp UNCONN 0 0 *:{port} *:* users:(("python3",pid=900,fd={port % 100}))'
        for port in UDP_PORTS
    ]
    data: Data = {
        "phase": phase,
        "ipv4": ruleset(node, 4, site, counted=counted),
        "ipv6": ruleset(node, 6, site, counted=counted),
        "sockets": "\n".join(listening),
        "boot": "first" if phase == "loaded" else "second",
        "interface": INTERFACE,
        "at_ns": START_NS + round(seconds * SECOND),
    }
    return "firewall.shown", node, data


def echo(source: str, target: str, owner: str, number: int = 1) -> Frame:
    """Return an echo request that came in at the port of `owner`; number: its identifier."""
    protocol, kind = (58, 128) if ":" in source else (1, 8)
    asked = ip(source, target, protocol, struct.pack("!BBHHH", kind, 0, 0, number, 1) + bytes(8))
    return Frame(0, f"{owner}/wire0", asked, "")


def add_forward(
    run: Run, source: str, node: str, family: int, way: str, target: str, *, received: int = 0
) -> Data:
    """Let somebody send a packet that a node was to forward."""
    data: Data = {
        "node": node,
        "family": family,
        "way": way,
        "target": target,
        "began_ns": BEGAN_NS,
        "sent": 1,
        "received": received,
        "at_ns": START_NS + 30 * SECOND,
    }
    run.events.append(("forward.tried", source, data))
    return data


def add_out(run: Run, node: str, family: int) -> Data:
    """Let a client of a node reach the services machine."""
    target = run.site.services.address(family)
    run.frames.append(echo(run.site.address(node, family), target, node))
    return add_forward(run, f"{node}-client", node, family, "out", target, received=1)


def guide_text(node: str, erratum: str, status: int) -> tuple[str, str, Data]:
    return "guide.text", node, {"erratum": erratum, "status": status, "output": "line 7"}


def run_mn_28(site: Deployment = GUIDE) -> Run:
    run = Run(site=site)
    for node in site.nodes:
        run.events += [
            shown(node, "loaded", site, seconds=1.2),
            shown(node, "rebooted", site, seconds=1.4),
        ]
        applied = {"status": 0, "output": "", "at_ns": START_NS + SECOND * 3 // 2}
        run.events.append(("changes.applied", node, applied))
        run.events.append(shown(node, "applied", site, seconds=1.6))
        for family in FAMILIES:
            for machine in (site.controller.name, site.client.name):
                tcp_said = dict.fromkeys(TCP_PORTS, "silent")
                tcp_said |= {22: "open", 1194: "open", DAEMON_PORT: "prohibited"}
                if machine == site.controller.name:
                    tcp_said[DAEMON_PORT] = "open"
                add_knocks(run, machine, node, family, "tcp", tcp_said)
                udp_said = {**dict.fromkeys(UDP_PORTS, "prohibited"), 1194: "silent"}
                add_knocks(run, machine, node, family, "udp", udp_said)
            add_out(run, node, family)
        run.events.append(shown(node, "applied", site, counted=100, seconds=40))
    run.events.append(guide_text(site.nodes[0], "ip6tables-commit", 2))
    return run


def run_mn_29(site: Deployment = GUIDE) -> Run:
    run = Run(site=site)
    for node in site.nodes:
        run.events.append(shown(node, "loaded", site, seconds=0.5))
        ranges = site.process_ranges(node)
        for family in FAMILIES:
            index = FAMILIES.index(family)
            same, other = (str(process[index][3]) for process in ranges)
            add_out(run, node, family)
            client = f"{node}-udp4"
            add_forward(run, client, node, family, "to a client of the same process", same)
            add_forward(run, client, node, family, "to a client of another", other)
            outside = site.services.name
            for way, target in (("in", same), ("through", site.client.address(family))):
                add_forward(run, outside, node, family, way, target)
                run.frames.append(echo(site.services.address(family), target, outside))
        run.events.append(shown(node, "loaded", site, counted=50, seconds=40))
    run.events.append(guide_text(site.nodes[0], "forward-from-outside", 0))
    return run
