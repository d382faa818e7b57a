"""What is to be drawn of one failover: lanes, marks on them, bars along them, shades behind them.

    a node        who advertises (ticks) and for how long it holds the role (bars), gratuitous ARP
    a service     each answer on the virtual IP, and each question without one
    a tunnel      interrupted, and carrying traffic again
    shades        the fault while it was watched; the host keeping the lab from running

Times are ns of the wire's clock; geometry is `timeline`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.failover.recorded import Recorded, WatchedFault
from checks.failover.takeover import Takeover
from checks.failover.tunnels import LAST_PACKET_S, firsts_of, tunnel_of, up_before
from checks.protocols import arp
from checks.protocols.heartbeat import Advertised, Heartbeat, master_intervals
from evidence.events.takeover import ServiceProbed, TunnelCarried, TunnelWatched
from evidence.moment import NS, Window
from report.busy import Shade, busy
from report.frames import Numbered

BEFORE_NS, AFTER_NS, LEAST_NS = 4 * NS, 4 * NS, 12 * NS
"""What is shown: so much before the fault, after what came back last, and after the fault."""


@dataclass(frozen=True)
class Mark:
    """A moment on a lane: what it was, and where it stands in the evidence.

    name: a few words that are written beside it; "" where there are none.
    """

    at_ns: int
    lane: str
    kind: str
    what: str
    place: str
    frame: int | None = None
    name: str = ""


@dataclass(frozen=True)
class Bar:
    """A stretch on a lane. name: as of a mark."""

    lane: str
    from_ns: int
    until_ns: int
    kind: str
    what: str
    name: str = ""


@dataclass(frozen=True)
class Picture:
    """All that is to be drawn, within a window of time."""

    window: Window
    lanes: tuple[str, ...]
    marks: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    shades: tuple[Shade, ...]


def drawn(
    recorded: Recorded, fault: WatchedFault, takeover: Takeover | None, capture: Numbered
) -> Picture:
    """Collect what is to be drawn of one fault."""
    window = _window(recorded, fault, takeover)
    senders = sorted(recorded.aired.senders() - {*recorded.pair.nodes})
    marks = [
        *_adverts(recorded, capture, window),
        *_announcements(recorded, capture, window),
        *_answers(recorded, window),
        *_tunnel_marks(recorded, window),
    ]
    bars = [
        *_holders(recorded.aired, window, [*recorded.pair.nodes, *senders]),
        *_tunnel_bars(recorded, fault, window),
    ]
    used = {one.lane for one in marks} | {one.lane for one in bars}
    beside = sorted(used - {*recorded.pair.nodes, *senders})
    until_ns = min(fault.until_ns, window.until_ns)
    shown = Shade(fault.at.at_ns, until_ns, "fault", f"{fault}, watched")
    return Picture(
        window,
        (*recorded.pair.nodes, *senders, *beside),
        tuple(sorted(marks, key=lambda one: one.at_ns)),
        tuple(bars),
        (shown, *busy(recorded.lateness, window)),
    )


def _window(recorded: Recorded, fault: WatchedFault, takeover: Takeover | None) -> Window:
    """Return from before the fault until what came back last, with some more."""
    backs = [fault.at.at_ns + LEAST_NS - AFTER_NS]
    if takeover is not None and takeover.first is not None:
        backs.append(takeover.first.at_ns)
        backs += [back.at_ns for one in takeover.served if (back := one.back_for_good)]
    for watched in up_before(recorded.evidence.events(TunnelWatched), fault.at.at_ns):
        backs += [one.at_ns for one in _carried(recorded, fault, watched)]
    from_ns = max(recorded.window.from_ns, fault.at.at_ns - BEFORE_NS)
    until_ns = min(recorded.window.until_ns, fault.until_ns, max(backs) + AFTER_NS)
    return Window(from_ns, max(until_ns, fault.at.at_ns + NS))


def _adverts(recorded: Recorded, capture: Numbered, window: Window) -> Iterator[Mark]:
    for one in recorded.sent.in_group(recorded.pair.vhid):
        if window.holds(one.at_ns):
            kind, what = _said(one)
            number = capture.number(one.at_ns, one.port)
            yield Mark(one.at_ns, one.sender, kind, what, capture.place, number)


def _said(one: Advertised) -> tuple[str, str]:
    if one.resigning:
        return "resigns", f"{one.sender} resigns (priority 0)"
    if one.into_cut:
        return "dropped", f"{one.sender} advertises into a cut link"
    if not one.passed:
        return "dropped", f"{one.sender} advertises; the wire dropped it"
    return "advert", f"{one.sender} advertises"


def _announcements(recorded: Recorded, capture: Numbered, window: Window) -> Iterator[Mark]:
    for one in arp.announcements(recorded.arps, recorded.pair.virtual_ip):
        node = recorded.pair.node_at(one.port)
        if node is not None and window.holds(one.at_ns):
            number = capture.number(one.at_ns, one.port)
            what = f"{node.name} announces the virtual IP (gratuitous ARP)"
            yield Mark(one.at_ns, node.name, "arp", what, capture.place, number)


def _holders(heartbeat: Heartbeat, window: Window, senders: list[str]) -> Iterator[Bar]:
    for sender in senders:
        for one in master_intervals(heartbeat, sender):
            if one.start_ns <= window.until_ns and one.end_ns >= window.from_ns:
                start, end = max(one.start_ns, window.from_ns), min(one.end_ns, window.until_ns)
                what = f"{sender} holds the virtual IP, by its advertisements"
                yield Bar(sender, start, end, "holds", what)


def _answers(recorded: Recorded, window: Window) -> Iterator[Mark]:
    names = {node.mac: name for name, node in recorded.pair.nodes.items()}
    for one in recorded.evidence.events(ServiceProbed):
        if one.address == recorded.pair.virtual_ip and window.holds(one.at_ns):
            lane = f"{one.protocol} {one.port}"
            who = names.get(one.mac or "", one.mac or "somebody")
            what = f"{lane}: {who} answers" if one.answered else f"{lane}: no answer"
            yield Mark(one.at_ns, lane, "answer" if one.answered else "silent", what, one.place)


def _tunnel_marks(recorded: Recorded, window: Window) -> Iterator[Mark]:
    for one in recorded.evidence.events(TunnelCarried):
        if window.holds(one.at_ns):
            what = f"{one.source}: its tunnel carries traffic ({one.protocol})"
            yield Mark(one.at_ns, _tunnel(one.source), "answer", what, one.place)


def _tunnel_bars(recorded: Recorded, fault: WatchedFault, window: Window) -> Iterator[Bar]:
    for one in up_before(recorded.evidence.events(TunnelWatched), fault.at.at_ns):
        start_ns = max(window.from_ns, one.at_ns)
        lane = _tunnel(one.source)
        yield Bar(lane, start_ns, fault.at.at_ns, "carries", f"{lane} carries traffic")
        yield from _after(lane, _carried(recorded, fault, one), fault, window)


def _after(
    lane: str, carried: Sequence[TunnelCarried], fault: WatchedFault, window: Window
) -> Iterator[Bar]:
    """Yield how a tunnel is interrupted and carries traffic, from the fault until it was looked at.

    Older runs do not tell how long a silence was, and of them the first alone: since the fault.
    """
    silent_ns = back_ns = fault.at.at_ns
    for one in firsts_of(carried):
        if one.silent_ns is not None:
            silent_ns = max(one.at_ns - one.silent_ns, back_ns)
        elif back_ns > fault.at.at_ns:
            break
        if silent_ns > back_ns:
            yield Bar(lane, back_ns, silent_ns, "carries", f"{lane} carries traffic")
        back_ns = one.at_ns
        yield Bar(lane, silent_ns, back_ns, "interrupted", f"{lane} is interrupted")
    if not carried:
        yield Bar(lane, silent_ns, window.until_ns, "interrupted", f"{lane} is interrupted")
        return
    last_ns = min(carried[-1].at_ns, window.until_ns)
    looked_ns = min(carried[-1].looked_until_ns or last_ns, window.until_ns)
    yield Bar(lane, back_ns, last_ns, "carries", f"{lane} carries traffic again")
    if looked_ns - last_ns > LAST_PACKET_S * NS:
        yield Bar(lane, last_ns, looked_ns, "interrupted", f"{lane} is interrupted")


def _carried(
    recorded: Recorded, fault: WatchedFault, watched: TunnelWatched
) -> list[TunnelCarried]:
    """Return what a tunnel carried of what was sent after a fault, while that was watched."""
    return [
        one
        for one in recorded.evidence.events(TunnelCarried, watched.source)
        if tunnel_of(one) == tunnel_of(watched)
        and (one.sent_ns or one.at_ns) >= fault.at.latest_ns
        and fault.at.at_ns < one.at_ns <= fault.until_ns
    ]


def _tunnel(client: str) -> str:
    return f"tunnel {client}"
