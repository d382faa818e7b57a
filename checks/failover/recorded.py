"""What one scenario recorded about its pair, from the wire and from the history.

The value that every check of this package begins with. It judges nothing and registers no check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from checks.failover.pair import Node, Pair
from checks.failover.senders import Heard, Stranger, listen
from checks.protocols import arp
from checks.protocols.heartbeat import Heartbeat
from evidence.capture import Frame
from evidence.errors import Imprecise, Missing
from evidence.event import Event
from evidence.events.pair import PairConfigured, SteadyBegan, SteadyEnded
from evidence.events.run import HostLate, LabBooted, LabThawed, SiteHeard
from evidence.events.takeover import FaultInjected, FaultWatched, GuestCaptured
from evidence.moment import NS, Moment, Window
from evidence.scenario import Evidence

B = TypeVar("B", bound=Event)
E = TypeVar("E", bound=Event)

MOST = 96 * 1024 * 1024
"""Octets of the frames that concern a pair, in one scenario; an hour of a pair has some MiB."""
_OF_A_FRAME = 256  # octets that it takes in memory besides its own
_SEEN_LATE_NS = 10 * NS
"""How much later a guest's capture may be seen to listen than it does, and end than it was told."""
_TAGS = (b"\x81\x00", b"\x88\xa8")
_ARP, _IPV4 = b"\x08\x06", b"\x08\x00"
_OF_A_SPAN = ("filter", "profile", "active", "node", "vhids")
"""What the beginning and the end of a span both name, each kind of span one of them or none."""


@dataclass(frozen=True)
class Steady:
    """A stretch of time in which nothing was provoked, and who was active in it."""

    start_ns: int
    end_ns: int
    active: Node
    standby: Node
    places: tuple[str, ...]
    says: Mapping[str, str] = field(default_factory=dict)
    """The state that each node said it was in at the end, if it was asked."""

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.start_ns) / NS


@dataclass(frozen=True)
class WatchedFault:
    """A fault that was injected, and until when what it did was watched, before any repair."""

    event: FaultInjected
    victim: Node
    until_ns: int

    @property
    def name(self) -> str:
        """What was done."""
        return self.event.fault

    @property
    def at(self) -> Moment:
        """When it was done."""
        return self.event.moment

    def __str__(self) -> str:
        return f"{self.name} of {self.victim.name}"


class Recorded:
    """What one scenario recorded about its pair."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @cached_property
    def pair(self) -> Pair:
        """The configuration that was in force last."""
        return Pair.of(self.evidence.last(PairConfigured), self.evidence.secret)

    def with_vhid(self, vhid: int) -> Recorded:
        """Read the same again, as what is recorded of a pair that has this VHID."""
        found = Recorded(self.evidence)
        found.pair, found.frames = replace(self.pair, vhid=vhid), self.frames
        return found

    @property
    def wire(self) -> str:
        """Where the capture lies, for a verdict's evidence."""
        return self.evidence.capture_place

    @cached_property
    def window(self) -> Window:
        """The scenario's time, up to its judging."""
        return self.evidence.window

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Every frame of heartbeat or ARP, or from the virtual IP, also those that were dropped.

        In the order of time: a wire that stood still empties one port after the other.
        Raises Imprecise when there are more than a flood would be: they are kept in memory.
        """
        address = bytes(map(int, self.pair.virtual_ip.split(".")))
        found: list[Frame] = []
        octets = 0
        for frame in self.evidence.frames():
            if concerns(frame.data, address):
                found.append(frame)
                octets += len(frame.data) + _OF_A_FRAME
                if octets > MOST:
                    raise Imprecise(
                        f"{self.wire} holds more heartbeats, ARP and packets of the virtual IP"
                        f" than {MOST} octets: somebody flooded the network"
                    )
        return tuple(sorted(found, key=lambda frame: frame.at_ns))

    @cached_property
    def heard(self) -> Heard:
        """Every packet of the heartbeat's protocol, told apart by its sender."""
        return listen(self.frames, self.pair)

    @property
    def strangers(self) -> Sequence[Stranger]:
        """What speaks the heartbeat's protocol on the LAN and is not the pair's."""
        return self.heard.strangers

    @property
    def sent(self) -> Heartbeat:
        """Every advertisement that a node or an intruder sent, of any group, dropped or not."""
        return self.heard.pair

    @cached_property
    def passed(self) -> Heartbeat:
        """The pair's advertisements that the wire let pass."""
        group = self.sent.in_group(self.pair.vhid)
        return Heartbeat(tuple(one for one in group if one.passed))

    @cached_property
    def aired(self) -> Heartbeat:
        """The pair's advertisements but those sent into a cut link, where they claim nothing.

        What a filter dropped is among them: its sender believes that it is the master.
        """
        group = self.sent.in_group(self.pair.vhid)
        return Heartbeat(tuple(one for one in group if not one.into_cut))

    @cached_property
    def arps(self) -> list[arp.ArpSighting]:
        """Every ARP packet that the wire let pass, but for what no node hears."""
        seen = arp.sightings(frame for frame in self.frames if frame.passed)
        return [one for one in seen if not self.elsewhere(one.port, one.vlan)]

    def elsewhere(self, port: str, vlan: int | None) -> bool:
        """Tell whether a frame is of a VLAN that no node is in, and of no node either.

        A tag with the number 0 gives a frame a priority, and no VLAN.
        """
        return bool(vlan) and self.pair.node_at(port) is None

    def heard_of_pair(self) -> Heartbeat:
        """Return `passed`; raise Missing when there is not one advertisement in it."""
        if not len(self.passed):
            raise Missing(f"{self.wire} holds no advertisement of VHID {self.pair.vhid}")
        return self.passed

    def steady(self) -> list[Steady]:
        """Read every steady span; raise Missing without one, Imprecise where the lab was anew."""
        spans = self.spans(SteadyBegan, SteadyEnded)
        for begin, end in spans:
            self._need_one_lab(begin, end)
        return [
            Steady(
                begin.at_ns,
                end.at_ns,
                self.pair.node(begin.active),
                self.pair.peer_of(begin.active),
                (begin.place, end.place, self.wire),
                end.says,
            )
            for begin, end in spans
        ]

    def _need_one_lab(self, begin: SteadyBegan, end: SteadyEnded) -> None:
        """Raise Imprecise where the lab became another run of itself within a steady span."""
        anew: list[Event] = [*self.evidence.events(LabThawed), *self.evidence.events(LabBooted)]
        for event in anew:
            if begin.at_ns < event.at_ns < end.at_ns:
                why = f"{kind_of(event)} within a span that was to be steady"
                raise Imprecise(f"{event.place}: {why}")

    def spans(self, began: type[B], ended: type[E]) -> list[tuple[B, E]]:
        """Pair every beginning with its own end after it; raise Missing without one."""
        begins = self.evidence.need(began)
        return self._paired(begins, began, self.evidence.need(ended))

    def any_spans(self, began: type[B], ended: type[E]) -> list[tuple[B, E]]:
        """As `spans`; none when none began."""
        begins = self.evidence.events(began)
        return self._paired(begins, began, self.evidence.events(ended)) if begins else []

    def _paired(self, begins: list[B], began: type[B], ends: list[E]) -> list[tuple[B, E]]:
        """Pair them by their times: the lines of a history need not stand in that order.

        An end that names something else is another span's; so is one after the next beginning.
        """
        found = []
        for begin in begins:
            later = [one for one in ends if one.at_ns > begin.at_ns and _of_one_span(one, begin)]
            again = [one for one in begins if one.at_ns > begin.at_ns and _of_one_span(one, begin)]
            if not later or any(one.at_ns < later[0].at_ns for one in again):
                name = began.model_fields["kind"].default
                raise Missing(f"{begin.place}: {name} without its end")
            self._need_within(begin, later[0])
            found.append((begin, later[0]))
        return found

    def _need_within(self, *events: Event) -> None:
        """Raise Imprecise where an event is dated before its scenario began, or after its end."""
        for event in events:
            if not self.window.holds(event.at_ns):
                raise Imprecise(f"{event.place}: {kind_of(event)} is dated outside of its scenario")

    def faults(self) -> list[WatchedFault]:
        """Read every fault, each watched until its watch ended, or the next fault; or none.

        A lab that is thawed ends the watch: what comes then is another run's.
        """
        events = self.evidence.events(FaultInjected)
        watched = self.evidence.events(FaultWatched)
        thawed = self.evidence.events(LabThawed)
        found = []
        for index, event in enumerate(events):
            ends = [one.at_ns for one in watched if one.at_ns > event.at_ns]
            ends += [later.at_ns for later in events[index + 1 : index + 2]]
            ends += [one.moment.earliest_ns for one in thawed if one.at_ns > event.at_ns]
            ends.append(self.window.until_ns)
            until_ns = max(event.at_ns, min(ends))
            found.append(WatchedFault(event, self.pair.node(event.node), until_ns))
        return found

    @cached_property
    def lateness(self) -> Sequence[HostLate]:
        """When the host kept the lab's processes from running."""
        return self.evidence.events(HostLate)

    @property
    def unsure_ns(self) -> int:
        """How far off the moment of a frame may be: the wire's are exact, a site's measured."""
        return max((one.uncertainty_ns for one in self.evidence.events(SiteHeard)), default=0)

    def guest_heartbeat(self, captured: GuestCaptured) -> Heartbeat:
        """Read the pair's advertisements from a capture made inside a guest, at the wire's time.

        Raises Imprecise when it is cut, or holds what came at another time than it says.
        """
        capture = self.evidence.guest_capture(captured.path)
        behind_ns = captured.clock.behind_ns
        frames = [Frame(one.at_ns + behind_ns, "", one.data) for one in capture]
        frames.sort(key=lambda frame: frame.at_ns)
        place = self.evidence.place(captured.path)
        if capture.cut:
            raise Imprecise(f"{place} is cut")
        unsure_ns = captured.clock.uncertainty_ns + _SEEN_LATE_NS
        listened = Window(captured.from_ns - unsure_ns, captured.until_ns + unsure_ns)
        if not all(listened.holds(one.at_ns) for one in frames[:1] + frames[-1:]):
            raise Imprecise(f"{place} holds frames outside of the time in which it listened")
        return listen(frames, self.pair).pair.in_group(self.pair.vhid)


def kind_of(event: Event) -> str:
    """Return what the history calls an event: "steady.began"."""
    return str(type(event).model_fields["kind"].default)


def _of_one_span(one: Event, other: Event) -> bool:
    """Tell whether two events name the same filter, profile, node or VHIDs."""
    return all(getattr(one, name, None) == getattr(other, name, None) for name in _OF_A_SPAN)


def concerns(data: bytes, virtual_ip: bytes) -> bool:
    """Tell whether a frame is ARP, or IPv4 of the heartbeat's protocol or from the virtual IP."""
    at = 12
    while data[at : at + 2] in _TAGS:
        at += 4
    kind = data[at : at + 2]
    if kind == _ARP:
        return True
    return kind == _IPV4 and (
        data[at + 11 : at + 12] == b"\x70" or data[at + 14 : at + 18] == virtual_ip
    )
