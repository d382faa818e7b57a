"""What machines heard, put into one order, each frame once, at the port that it came from.

The wire knows the port of a frame; here each machine tells what it sent itself (-Q out), and nobody
can send in its name. What machines received and none of them sent is a stranger's, at the port
`elsewhere/NETWORK`. While a machine tells nothing, because it crashed or boots, what others receive
with its address is taken for its own.

Machines' clocks are known within an uncertainty. So a frame is told only when every machine that is
listened to has told of so much later times that no copy of it can be under way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import pairwise
from typing import Literal

from evidence.packets import ARP, parse_headers
from evidence.pcapng import Frame

ELSEWHERE = "elsewhere"
UNSEEN = "dropped: no other machine on its network received it"
_HEARTBEAT = 112
_BROADCAST = b"\xff" * 6
_SHORTEST = 60  # octets that a NIC fills a frame up to, behind the back of who sends it
_KEPT_NS = 2_000_000_000  # how long what was sent is remembered, beyond any uncertainty


@dataclass(frozen=True)
class Tap:
    """Where is listened: what goes out at a port, or what comes in."""

    port: str
    segment: str
    direction: Literal["in", "out"]


@dataclass(frozen=True)
class Known:
    """Who is on the network: ports by MAC address and by IPv4 address, and the probe's."""

    macs: Mapping[bytes, str]
    addresses: Mapping[bytes, str]
    probe_mac: bytes = b""
    probe_port: str = ""


@dataclass
class _Span:
    """A stretch in which a tap told all that it heard."""

    from_ns: int
    until_ns: int
    open: bool = True


@dataclass
class Merge:
    """Frames of several taps on their way into one capture. apart_ns: how far clocks may differ.

    missed: how many frames came when all of their time was told already, although their tap had
    said that it was complete.
    """

    known: Known
    apart_ns: int
    missed: int = 0
    _taken_ns: int = 0
    _told: dict[Tap, list[_Span]] = field(default_factory=lambda: defaultdict(list))
    _waiting: list[tuple[int, int, Tap, bytes]] = field(default_factory=list)
    _sent: dict[tuple[str, bytes], list[int]] = field(default_factory=lambda: defaultdict(list))
    _came: dict[tuple[str, bytes], list[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _received: dict[tuple[str, bytes], tuple[int, str]] = field(default_factory=dict)
    _number: int = 0

    def hear(self, tap: Tap, at_ns: int, data: bytes) -> None:
        """Take a frame that a tap heard, by this host's time."""
        self._number += 1
        if at_ns > self._taken_ns:
            self._waiting.append((at_ns, self._number, tap, data))
        elif _covers(self._told[tap], at_ns):  # else others have told of it in its place
            self.missed += 1
        key = tap.segment, _filled(data)
        if tap.direction == "out":
            self._sent[key].append(at_ns)
        else:
            self._came[key].append((at_ns, tap.port))

    def alive(self, tap: Tap, at_ns: int) -> None:
        """Note that a tap has told all that it heard until `at_ns`."""
        spans = self._told[tap]
        if spans and spans[-1].open:
            spans[-1].until_ns = max(spans[-1].until_ns, at_ns)
        else:
            spans.append(_Span(at_ns, at_ns))

    def lost(self, tap: Tap) -> None:
        """Note that nothing more comes from a tap, until it is alive again."""
        if self._told[tap]:
            self._told[tap][-1].open = False

    def live(self, direction: Literal["in", "out"]) -> int:
        """Return how many taps of a direction tell what they hear."""
        return sum(
            tap.direction == direction and bool(spans) and spans[-1].open
            for tap, spans in list(self._told.items())
        )

    def horizon(self) -> int | None:
        """Return until when everything is known that was heard; None while nobody listens."""
        live = [spans[-1].until_ns for spans in self._told.values() if spans and spans[-1].open]
        return min(live) - self.apart_ns if live else None

    def uncovered(self, at_ns: int) -> str:
        """Name the ports between which something may pass unseen at a moment, "" for none.

        What a port sends is told by its own tap, or by that of who receives it. So one machine of a
        network may be lost, and not two: what they send each other nobody else receives.
        """
        for segment in dict.fromkeys(tap.segment for tap in self._told):
            lost, heard = list[str](), list[str]()
            for tap, spans in self._told.items():
                if (tap.direction, tap.segment) == ("out", segment):
                    (heard if _covers(spans, at_ns) else lost).append(tap.port)
            if len(lost) > 1 or (lost and not heard):
                return " and ".join(sorted(lost))
        return ""

    def gap(self, from_ns: int, until_ns: int) -> str:
        """Name such ports at any moment of a stretch, "" for none."""
        spans = (span for spans in self._told.values() for span in spans)
        ends = {at_ns for span in spans for at_ns in (span.from_ns, span.until_ns)}
        edges = sorted({from_ns, until_ns, *(x for x in ends if from_ns < x < until_ns)})
        moments = [until_ns, *((one + other) // 2 for one, other in pairwise(edges))]
        return next(filter(None, map(self.uncovered, moments)), "")

    def take(self, until_ns: int) -> Iterator[Frame]:
        """Yield the frames until a moment, in order, each once."""
        self._waiting.sort(key=lambda one: one[:2])
        ready = [one for one in self._waiting if one[0] <= until_ns]
        del self._waiting[: len(ready)]
        for at_ns, _, tap, data in ready:
            if tap.direction == "out":
                if (told := self._told_as(tap, at_ns, data)) is not None:
                    self.missed += told != tap.port  # it stands there as somebody else's
                    continue
                comment = UNSEEN if self._unseen(tap, at_ns, data) else ""
                yield Frame(at_ns, self._port(tap, data), data, comment)
            elif (port := self._sender(tap, at_ns, data)) is not None:
                yield Frame(at_ns, port, data)
        self._taken_ns = max(self._taken_ns, until_ns)
        self._forget(until_ns - self.apart_ns - _KEPT_NS)

    def _port(self, tap: Tap, data: bytes) -> str:
        probes = self.known.probe_mac and data[6:12] == self.known.probe_mac
        return self.known.probe_port if probes else tap.port

    def _sender(self, tap: Tap, at_ns: int, data: bytes) -> str | None:
        """Return the port that a received frame came from; None for one that is told already."""
        key = tap.segment, _filled(data)
        if any(abs(sent - at_ns) <= self.apart_ns for sent in self._sent.get(key, ())):
            return None
        if self._told_as(tap, at_ns, data) is not None:
            return None
        port = self._sent_by(tap, at_ns, data)
        self._received[key] = at_ns, port
        return port

    def _sent_by(self, tap: Tap, at_ns: int, data: bytes) -> str:
        headers = parse_headers(data)
        for port in (
            self.known.macs.get(data[6:12]),
            self.known.addresses.get(headers.source_ip),
        ):
            if port is not None and not _covers(self._told[Tap(port, tap.segment, "out")], at_ns):
                return port
        return f"{ELSEWHERE}/{tap.segment}"

    def _told_as(self, tap: Tap, at_ns: int, data: bytes) -> str | None:
        """Return at which port a frame was told already, by the word of who received it."""
        before_ns, port = self._received.get((tap.segment, _filled(data)), (None, None))
        near = before_ns is not None and abs(before_ns - at_ns) <= self.apart_ns
        return port if near else None

    def _unseen(self, tap: Tap, at_ns: int, data: bytes) -> bool:
        """Whether a frame that is for all was received by none of those who told of that time."""
        headers = parse_headers(data)
        to_all = headers.ethertype == ARP and data[:6] == _BROADCAST
        if not (to_all or headers.protocol == _HEARTBEAT):
            return False
        listening = [
            one.port
            for one, spans in self._told.items()
            if (one.direction, one.segment) == ("in", tap.segment)
            and one.port != tap.port
            and _covers(spans, at_ns - self.apart_ns)
            and _covers(spans, at_ns + self.apart_ns)
        ]
        came = self._came.get((tap.segment, _filled(data)), ())
        return bool(listening) and not any(
            abs(at - at_ns) <= self.apart_ns and port != tap.port for at, port in came
        )

    def _forget(self, before_ns: int) -> None:
        """Let go of what nothing under way can be a copy of."""
        for key in [key for key, times in self._sent.items() if max(times) < before_ns]:
            del self._sent[key]
        for key in [key for key, came in self._came.items() if max(came)[0] < before_ns]:
            del self._came[key]
        for key in [key for key, told in self._received.items() if told[0] < before_ns]:
            del self._received[key]


def _filled(data: bytes) -> bytes:
    return data.ljust(_SHORTEST, b"\0")


def _covers(spans: list[_Span], at_ns: int) -> bool:
    return any(one.from_ns <= at_ns <= one.until_ns for one in spans)


def octets_of(address: str) -> bytes:
    """Return an IPv4 address as frames hold it."""
    return IPv4Address(address).packed
