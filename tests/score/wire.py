"""Violations on the wire: a second holder by each kind of claim, nobody, or a port that is silent.

Which node holds the role is taken from the run itself: who advertises. A claim is tried in the
first and in the last stretch in which one node advertised, and nobody else.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from evidence.capture import Frame
from evidence.events.pair import NodeConfigured, PairConfigured
from evidence.events.takeover import FaultInjected
from evidence.moment import NS
from tests.checks.failover.recording import CLIENT, CLIENT_MAC
from tests.checks.protocols import encoder
from tests.score.case import NOT_PASS, Case
from tests.score.healthy import Healthy
from tests.score.recording import Recording

STRETCH_S, MARGIN_S = 6, 4.5
"""How long a second holder is seen; how long before and after that nobody else advertises."""
LATE_S = 8
"""How much later the other node takes over: more than any limit of the guide."""
IP, CARP_OR_VRRP = b"\x08\x00", 112

Claim = Callable[[PairConfigured, NodeConfigured, NodeConfigured, int], Sequence[bytes]]
"""The pair, who claims, who holds the virtual IP, and a number: frames of the one who claims."""


def _advert(pair: PairConfigured, source: str, mac: str, number: int) -> bytes:
    if pair.engine == "ucarp":
        told = {"vhid": pair.vhid, "password": pair.password, "virtual_ip": pair.virtual_ip}
        return encoder.carp(source, counter=90_000 + number, **told)
    return encoder.vrrp(source, version=pair.version, vrid=pair.vhid, mac=mac)


def _served(protocol: int, header: bytes) -> Claim:
    def claim(pair: PairConfigured, who: NodeConfigured, _: NodeConfigured, __: int) -> list[bytes]:
        packet = encoder.ipv4(header + bytes(16), pair.virtual_ip, CLIENT, protocol=protocol)
        return [encoder.octets(CLIENT_MAC) + encoder.octets(who.mac) + IP + packet]

    return claim


CLAIMS: dict[str, Claim] = {
    "advertises": lambda pair, who, _, number: [_advert(pair, who.address, who.mac, number)],
    "advertises from the holder's address": lambda pair, who, holder, number: [
        _advert(pair, holder.address, who.mac, number)
    ],
    "answers ARP": lambda pair, who, _, __: [
        encoder.arp(2, who.mac, pair.virtual_ip, CLIENT, to=CLIENT_MAC)
    ],
    "announces itself by gratuitous ARP": lambda pair, who, _, __: [
        encoder.gratuitous(who.mac, pair.virtual_ip)
    ],
    "asks by ARP from it": lambda pair, who, _, __: [
        encoder.arp(1, who.mac, pair.virtual_ip, CLIENT)
    ],
    "serves TCP from it": _served(6, struct.pack("!HHIIBBHHH", 443, 4000, 0, 0, 80, 18, 0, 0, 0)),
    "serves UDP from it": _served(17, struct.pack("!HHHH", 1194, 4000, 24, 0)),
}


@dataclass(frozen=True)
class Stretch:
    """Seconds in which one node advertises, and nobody else."""

    start_s: float
    holder: NodeConfigured
    other: NodeConfigured


def second_holder(good: Healthy) -> Iterator[Case]:
    """Let the other node claim the virtual IP, in each way, once a second for some seconds."""
    recording, pair = good.recording, good.recording.pair
    if pair is None or not good.reads_frames:
        return
    for stretch in _stretches(recording, pair):
        for name, claim in CLAIMS.items():
            added = [
                Frame(recording.at(stretch.start_s + 0.47 + second), stretch.other.port, raw, "")
                for second in range(STRETCH_S)
                for raw in claim(pair, stretch.other, stretch.holder, second)
            ]
            what = f"at {stretch.start_s} s {stretch.other.port} {name}"
            rule = f"a second holder {name}"
            yield Case(good.requirement, rule, what, recording.adding(added), NOT_PASS)


def nobody(good: Healthy) -> Iterator[Case]:
    """Let nobody advertise for some seconds, where one node did."""
    recording, pair = good.recording, good.recording.pair
    if pair is not None and good.reads_frames:
        for stretch in _stretches(recording, pair)[-1:]:
            start, end = (recording.at(stretch.start_s + s) for s in (0, STRETCH_S))
            silent = recording.only(
                lambda one, start=start, end=end: not (start <= one.at_ns < end and _is_advert(one))
            )
            yield Case(good.requirement, "nobody", f"at {stretch.start_s} s", silent, NOT_PASS)


def no_takeover(good: Healthy) -> Iterator[Case]:
    """Let the other node never come after a fault, or come later than any limit."""
    recording, pair = good.recording, good.recording.pair
    if pair is None or not good.reads_frames:
        return
    for fault in recording.events:
        if isinstance(fault, FaultInjected):
            (peer,) = (node for name, node in pair.nodes.items() if name != fault.node)
            what = f"{fault.fault} of {fault.node}"
            never = recording.only(
                lambda one, fault=fault, peer=peer: (
                    one.at_ns < fault.at_ns or one.interface != peer.port
                )
            )
            yield Case(good.requirement, "no takeover", what, never, NOT_PASS)
            late = replace(
                recording,
                frames=tuple(_later(recording, one, fault, peer) for one in recording.frames),
            ).only(lambda one: one.at_ns < recording.end_ns)
            yield Case(good.requirement, "a takeover too late", what, late, NOT_PASS)


def _later(recording: Recording, frame: Frame, fault: FaultInjected, peer: NodeConfigured) -> Frame:
    late = frame.at_ns >= fault.at_ns and frame.interface == peer.port
    return replace(frame, at_ns=frame.at_ns + LATE_S * NS) if late else frame


def silent_port(good: Healthy) -> Iterator[Case]:
    """Leave out what came in at a port, or let the wire drop it."""
    if good.reads_frames:
        for port in sorted({one.interface for one in good.recording.frames}):
            without = good.recording.only(lambda one, port=port: one.interface != port)
            yield Case(good.requirement, "a silent port", port, without, NOT_PASS)
            dropped = replace(
                good.recording,
                frames=tuple(
                    replace(one, comment="dropped by rule 1") if one.interface == port else one
                    for one in good.recording.frames
                ),
            )
            yield Case(good.requirement, "a port cut off", port, dropped, NOT_PASS)


def one_machine(good: Healthy) -> Iterator[Case]:
    """Let all that a machine sent bear the MAC of another one, behind the other one's port."""
    ports = sorted({one.interface for one in good.recording.frames})
    if not good.reads_frames or good.recording.pair is not None:
        return
    for port, other in pairwise(ports):
        mac = next(one.data[6:12] for one in good.recording.frames if one.interface == other)
        frames = tuple(
            replace(one, interface=other, data=one.data[:6] + mac + one.data[12:])
            if one.interface == port
            else one
            for one in good.recording.frames
        )
        what = f"{other} for {port}"
        recording = replace(good.recording, frames=frames)
        yield Case(good.requirement, "one machine for two", what, recording, NOT_PASS)


def _is_advert(frame: Frame) -> bool:
    return frame.data[12:14] == IP and frame.data[23] == CARP_OR_VRRP


def _stretches(recording: Recording, pair: PairConfigured) -> list[Stretch]:
    """Return the first and the last stretch in which one node is the only one to advertise."""
    found = []
    start_s = MARGIN_S
    while start_s + STRETCH_S + MARGIN_S <= recording.seconds:
        near = recording.at(start_s - MARGIN_S), recording.at(start_s + STRETCH_S + MARGIN_S)
        ports = {
            one.interface
            for one in recording.frames
            if near[0] <= one.at_ns <= near[1] and _is_advert(one)
        }
        ours = [node for node in pair.nodes.values() if node.port in ports]
        if len(ours) == 1:
            (holder,) = ours
            (other,) = (node for node in pair.nodes.values() if node != holder)
            found.append(Stretch(start_s, holder, other))
        start_s += 0.5
    return found[:1] + found[-1:] if len(found) > 1 else found
