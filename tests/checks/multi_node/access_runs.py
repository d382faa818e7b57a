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
