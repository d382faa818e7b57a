"""Frames that a guest sends: nothing that reads them falls over, whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.failover.pair import Pair
from checks.failover.recorded import concerns
from checks.failover.senders import listen
from checks.preflight import probe as preflight
from checks.protocols import arp, carp, vrrp
from checks.protocols.dns import Malformed, parse_answer
from evidence import capture, packets
from evidence.events.pair import NodeConfigured, PairConfigured, UcarpTimers
from evidence.packets import MalformedFrame
from lab import heard
from lab.probe import Probe
from lab.wire import Frame, Match
from lab.wire.forwarder import Forwarder, Tap
from lab.wire.matching import compile_match
from lab.wire.port import SwitchPort
from lab.wire.recorder import Recorder
from lab.wire.rules import Corrupt, Delay, Drop, Duplicate, Jitter, Reorder, Rule
from tests.checks import factories
from tests.checks.protocols import encoder
from tests.hostile.mutations import COUNT, DEAR, mutated, survives

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
OPTIONS = b"\x4f" + encoder.ipv4(bytes(60), "10.0.0.1", "10.0.0.2", protocol=6)[1:]
TAGGED = b"\xff" * 12 + b"\x81\0\0\x05\x88\xa8\0\x06\x08\0"
IPV6 = (
    bytes(12)
    + b"\x86\xdd\x60\0\0\0\0\x20\0\x40"
    + bytes(32)
    + b"\x2c\0\0\0\0\0\0\0"
    + b"\x33\x01\0\0\0\0\0\0\0\0\0\0"
    + b"\x11\0\x04\xd2\0\x35\0\x0c\0\0data"
)
FRAMES = [
    encoder.carp(),
    encoder.vrrp(),
    encoder.vrrp(version=3),
    encoder.arp(1, A, "10.0.0.1", "10.0.0.2"),
    encoder.arp(2, A, "192.168.70.222", "192.168.70.9"),
    encoder.gratuitous(A),
    factories.udp(("10.0.0.1", 53), ("10.0.0.2", 1234), b"question"),
    factories.tcp(("192.168.70.222", 943), ("192.168.70.9", 40000), b"data"),
    bytes(12) + b"\x08\0" + OPTIONS,
    TAGGED + encoder.carp()[14:],
    IPV6,
    b"\xff" * 14,
]
DNS = [
    factories.dns_answer(7, "A", ("10.0.0.1", "10.0.0.2")),
    factories.dns_answer(8, "AAAA", ("2001:db8::1",)),
    b"\0\7\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\0\4\1\2\3\4",
]


def pair() -> Pair:
    def node(last: int) -> NodeConfigured:
        timers = UcarpTimers(advbase=1, advskew=0, deadratio=3)
        return NodeConfigured(
            address=f"192.168.70.{last}",
            mac=f"02:00:00:00:00:0{last}",
            port=f"node{last}/wire0",
            timers=timers,
        )

    return Pair.of(
        PairConfigured(
            source="scenario",
            virtual_ip=encoder.VIRTUAL_IP,
            vhid=94,
            engine="ucarp",
            nodes={"primary": node(1), "secondary": node(2)},
            password=encoder.PASSWORD,
        ),
        lambda reference: str(reference),
    )


def shown(raw: bytes) -> Frame:
    return Frame(1, "a/wire0", "lan", raw, "forwarded")


NEVER_RAISE: dict[str, Callable[[bytes], object]] = {
    "headers": packets.parse_headers,
    "packet and ARP": lambda raw: (found := packets.parse(raw)) and packets.parse_arp(found),
    "ARP sightings": lambda raw: arp.sightings([capture.Frame(1, "a", raw)]),
    "senders": lambda raw: [
        listen([capture.Frame(1, port, raw)], PAIR) for port in ("node1/wire0", "x/wire0", "")
    ],
    "of the pair's concern": lambda raw: concerns(raw, bytes(4)),
    "an ARP reply": lambda raw: heard.arp_reply(shown(raw), "192.168.70.222"),
    "a segment": lambda raw: heard.segment_in(shown(raw)),
    "a SYN/ACK": lambda raw: heard.syn_ack(shown(raw), "192.168.70.222", 943, None),
    "an answer": lambda raw: heard.sent_from(shown(raw), "10.0.0.1", 17, 53, 1234),
    "the preflight": lambda raw: preflight.note({}, set(), raw),
    "a match": lambda raw: MATCHES("a/wire0", "lan", "b/wire0", packets.parse_headers(raw)),
    "frames but for duplicates": lambda raw: list(
        capture.without_duplicates([capture.Frame(1, "a", raw)] * 2)
    ),
}
PAIR = pair()
MATCHES = compile_match(
    Match(
        both_ways=True,
        ethertype=0x0800,
        protocol=17,
        src_mac=A,
        dst_mac=B,
        src_ip="10.0.0.0/8",
        dst_ip="2001:db8::/32",
        src_port=1,
        dst_port=2,
    )
)


@pytest.mark.parametrize("what", NEVER_RAISE)
def test_what_looks_at_a_frame_never_raises(what: str) -> None:
    survives(NEVER_RAISE[what], mutated(FRAMES, what))


@pytest.mark.parametrize(
    ("what", "decode"),
    [
        ("Ethernet", packets.parse_ethernet),
        ("IPv4", lambda raw: packets.parse_ipv4(raw[14:])),
        ("CARP", lambda raw: carp.findings(carp.decode(raw), PAIR.secret)),
        ("VRRP", lambda raw: isinstance(one := vrrp.read(raw), vrrp.Advertisement) and [
            vrrp.findings(one, vrid=3, virtual_mac=True), one.period_s
        ]),
    ],
)  # fmt: skip
def test_what_decodes_a_protocol_says_what_is_wrong(
    what: str, decode: Callable[[bytes], object]
) -> None:
    survives(decode, mutated(FRAMES, what), MalformedFrame)


def test_a_dns_answer_is_read_or_malformed() -> None:
    survives(parse_answer, mutated(DNS, "dns"), Malformed)


def test_the_probe_hears_the_next_frame_whatever_came(tmp_path: Path) -> None:
    sent: list[bytes] = []
    wire: Any = SimpleNamespace(inject=lambda _, raw, **__: sent.append(raw))
    probe = Probe(wire, "lan", "probe", "02:70:72:6f:62:65", "192.168.70.9")
    with probe._listening(lambda frame: heard.arp_reply(frame, "192.168.70.222")):
        survives(lambda raw: probe._hear(shown(raw)), mutated(FRAMES, "probe", DEAR))
    assert probe.malformed


def test_the_wire_forwards_and_records_whatever_comes(tmp_path: Path) -> None:
    with Recorder(tmp_path / "wire.pcapng") as recorder:
        forwarder = Forwarder(recorder, seed=1)
        for name in "abc":
            forwarder.plug(SwitchPort(f"{name}/wire0", "lan"))
        port = forwarder.port("a/wire0")
        inputs = mutated(FRAMES, "wire")
        survives(lambda raw: forwarder.receive(port, raw), islice(inputs, COUNT // 2))
        for action in (Drop(), Delay(0.0), Jitter(0.1), Reorder(0.1), Duplicate(1), Corrupt(9)):
            match = Match(protocol=17, to_ports=("b/wire0",))
            forwarder.rules.add(Rule(match, cast(Any, action), probability=0.5))
            forwarder.rules.add(Rule(Match(ethertype=0x0806), cast(Any, action), probability=0.5))
        forwarder.port("c/wire0").accepted = frozenset({bytes(6)})
        forwarder.tap(Tap(MATCHES, lambda _: None, leaving=True))
        forwarder.reconsider()
        survives(lambda raw: forwarder.receive(port, raw), inputs)
    read = capture.Capture(recorder.path)
    assert len(list(read)) == recorder.frames
    assert read.coverage().problems == ()
