"""One takeover: a fault, who held the role before and who after, until when it was watched.

    fault -> last advertisement of the old holder -> first of the peer -> its gratuitous ARP
          -> each service answering on the virtual IP -> each client's traffic

Whatever speaks of "after a takeover" cites such a value; without one it is UNKNOWN, and where a
fault had to move the role and did not, FAIL. Advertisements and ARP carry the wire's own time
stamps; the fault and the answers are events whose uncertainty counts against the verdict. How long
a stage may take is in `stages`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.failover.claims import How, claims
from checks.failover.hearing import unheard
from checks.failover.pair import Node
from checks.failover.recorded import Recorded, WatchedFault
from checks.failover.senders import believed
from checks.failover.served import Served, served
from checks.protocols import arp
from checks.protocols.budgets import Budget
from checks.protocols.heartbeat import Advertised, Heartbeat
from evidence.errors import Imprecise, Missing
from evidence.events.run import LabBooted, LabThawed
from evidence.moment import NS, Moment

CLEAN_STOP = "service-stop"
RESTART = "service-restart"
GUEST_CRASH = "guest-crash"
RECENTLY_PERIODS = 3
"""Before a fault: so many periods are looked at to say who held the role."""


@dataclass(frozen=True)
class Takeover:
    """What became of the role after one fault.

    last: the old holder's last advertisement before it fell silent. first: the new holder's first
    that the pair believes; None when none came while it was watched. unsure_ns: how far off the
    moment of a frame may be.
    """

    fault: WatchedFault
    peer: Node
    last: Advertised
    first: Advertised | None
    announced: tuple[arp.ArpSighting, ...] = ()
    served: tuple[Served, ...] = ()
    places: tuple[str, ...] = field(default=())
    unsure_ns: int = 0

    @property
    def happened(self) -> bool:
        """Whether the role moved."""
        return self.first is not None

    @property
    def victim(self) -> Node:
        """Who held the role before."""
        return self.fault.victim

    @property
    def injected(self) -> Moment:
        """When the fault was injected."""
        return self.fault.at

    @property
    def struck(self) -> Moment:
        """When the fault struck: not before the victim's last advertisement, which shows it alive.

        So it is dated better than it was injected, where that advertisement is within the doubt. A
        goodbye shows nothing: the victim says it because the fault has struck.
        """
        alive_ns, until_ns = self.last.at_ns - self.unsure_ns, self.injected.latest_ns
        if self.last.resigning or not self.injected.earliest_ns < alive_ns <= until_ns:
            return self.injected
        half_ns = (until_ns - alive_ns) // 2
        return Moment(until_ns - half_ns, half_ns)

    @property
    def silence(self) -> Budget:
        """How long after the victim's last advertisement the peer's first may come.

        After keepalived's goodbye that is the skew, also where a crash left it the time to say it.
        """
        engine = self.peer.engine
        if self.last.resigning:
            return engine.restart_to_takeover()
        return engine.last_advert_to_takeover()

    @property
    def taken(self) -> Moment:
        """When the peer took over, by its first advertisement; raises Missing when it did not."""
        if self.first is None:
            raise Missing(f"{self}: {self.peer.name} did not take over")
        return Moment(self.first.at_ns, self.unsure_ns)

    @property
    def until_ns(self) -> int:
        """Until when it was watched."""
        return self.fault.until_ns

    @property
    def answered(self) -> Moment | None:
        """When the last service that was asked for was back; None while one is not."""
        backs = [one.back_for_good for one in self.served]
        if not backs or None in backs:
            return None
        return max((one for one in backs if one is not None), key=lambda moment: moment.at_ns)

    def __str__(self) -> str:
        return str(self.fault)


def takeovers(
    recorded: Recorded,
    owed: Obligations,
    *,
    only: Sequence[str] = (),
    but: Sequence[str] = (),
    of: str = "",
) -> list[Takeover]:
    """Measure every takeover that a fault calls for, and owe that the role has moved each time.

    only, but: names of faults; of: the one node that they are done to. Those that cannot be
    measured stay open; those after which the role did not move, although it was watched for longer
    than it may take, are broken. Returned are those that happened.
    """
    wanted = [
        fault
        for fault in recorded.faults()
        if fault.event.expects_takeover
        and fault.name not in but
        and (not only or fault.name in only)
        and of in ("", fault.victim.name)
    ]
    if not wanted:
        owed.open("no fault was recorded that calls for a takeover")
    found = []
    for fault in wanted:
        peer = recorded.pair.peer_of(fault.victim.name)
        one = owed.owe(f"{fault}: the role moved to {peer.name}")
        try:
            if not_clear := _not_held_late(recorded, fault):
                one.late(not_clear, fault.event.place)
                continue
            takeover = measure(recorded, fault)
        except (Missing, Imprecise) as error:
            one.doubt(error.message, fault.event.place)
            continue
        if _moved(one, recorded, takeover):
            found.append(takeover)
    return found


def _moved(one: Obligation, recorded: Recorded, takeover: Takeover) -> bool:
    """Settle whether the role moved; say whether it did.

    After a crash that the old holder repaired by itself before the standby had to act, nothing had
    to move. What was stopped or restarted is not to hold the role again.
    """
    if takeover.happened:
        one.met(*takeover.places)
        return True
    peer, budget = takeover.peer.name, takeover.peer.engine.last_advert_to_takeover()
    since_ns = max(takeover.injected.latest_ns, takeover.last.at_ns)
    watched_s = (takeover.until_ns - since_ns) / NS
    end_ns = _free_until(recorded, takeover)
    silent_s = (end_ns - takeover.last.at_ns) / NS
    repaired = end_ns < takeover.until_ns and takeover.fault.name not in (CLEAN_STOP, RESTART)
    if repaired and silent_s <= budget.maximum_s:
        why = f"{takeover}: {takeover.victim.name} advertised again {silent_s:.1f} s after its last"
        one.doubt(f"{why} advertisement, before {peer} had to act", *takeover.places)
    elif watched_s > budget.maximum_s:
        why = f"{takeover}: {peer} did not take over in {watched_s:.1f} s"
        why += f", at most {budget.maximum_s:.1f} s are configured"
        due_ns = takeover.last.at_ns + int(budget.minimum_s * NS)
        excess_s = max(1, end_ns - since_ns - int(budget.maximum_s * NS)) / NS
        span, late = (due_ns, end_ns), recorded.lateness
        missed(one, why, excess_s, span, {peer, "wire"}, late, *takeover.places)
    else:
        one.doubt(f"{takeover}: watched for only {watched_s:.1f} s", *takeover.places)
    return False


def _free_until(recorded: Recorded, takeover: Takeover) -> int:
    """Return until when (ns) the role was to be had: until its old holder advertised again."""
    own = recorded.heard_of_pair().of(takeover.victim.name)
    back = own.between(takeover.last.at_ns + 1, takeover.until_ns).first()
    return takeover.until_ns if back is None else back.at_ns


def measure(recorded: Recorded, fault: WatchedFault) -> Takeover:
    """Find what became of the role after one fault, whether or not it moved.

    Raises Missing when the fault hit nothing, or a node that was not active; Imprecise when
    somebody else held the virtual IP before it.
    """
    if fault.event.hits == 0:
        raise Missing(f"{fault} hit no frame")
    _owned_before(recorded, fault)
    heard = recorded.heard_of_pair()
    victim = heard.of(fault.victim.name)
    peer = recorded.pair.peer_of(fault.victim.name)
    first = next(
        (
            one
            for one in heard.of(peer.name)
            if fault.at.earliest_ns <= one.at_ns <= fault.until_ns
            and not one.resigning
            and believed(one, recorded.pair)
        ),
        None,
    )
    last = _before_silence(fault, victim) if first is None else victim.before(first.at_ns)
    if last is None:
        raise Missing(f"{fault.victim.name} sent no advertisement before the peer's first")
    return Takeover(
        fault,
        peer,
        last,
        first,
        tuple(_announcements(recorded, fault, peer, first)),
        tuple(served(recorded, fault, peer, first)),
        (fault.event.place, recorded.wire),
        recorded.unsure_ns,
    )


def _not_held_late(recorded: Recorded, fault: WatchedFault) -> str | None:
    """Say why a busy host is why the victim did not hold the role before a fault, or None."""
    try:
        _owned_before(recorded, fault)
    except (Missing, Imprecise) as error:
        excuse = unheard(recorded, fault.at.earliest_ns)
        return excuse and f"{error.message}, but {excuse}"
    return None


def _owned_before(recorded: Recorded, fault: WatchedFault) -> None:
    """Make sure that the victim held the role before the fault, by every kind of claim."""
    period_s = fault.victim.engine.period_s
    since_ns = max(
        fault.at.earliest_ns - int(RECENTLY_PERIODS * period_s * NS), _begin(recorded, fault)
    )
    before = [one for one in claims(recorded) if since_ns <= one.at_ns < fault.at.earliest_ns]
    others = [one for one in before if one.who != fault.victim.name]
    if others:
        one = others[-1]
        raise Imprecise(f"before {fault}, {one.who} {one.how}: who held the role is not clear")
    if not any(one.how is How.ADVERTISES for one in before):
        raise Missing(f"{fault.victim.name} sent no advertisement before {fault}")


def _begin(recorded: Recorded, fault: WatchedFault) -> int:
    """Return since when (ns) the lab is what it was at the fault: it may have been thawed anew."""
    begins = [recorded.window.from_ns]
    for kind in (LabThawed, LabBooted):
        begins += [one.at_ns for one in recorded.evidence.events(kind)]
    return max(begin for begin in begins if begin <= max(fault.at.at_ns, recorded.window.from_ns))


def _before_silence(fault: WatchedFault, victim: Heartbeat) -> Advertised:
    """Find the victim's last advertisement before the fault silenced it, for however long.

    Raises Missing when the victim advertised on to the end: the fault did nothing to it.
    """
    adverts = [one for one in victim if one.at_ns <= fault.until_ns]
    ends = [*(later.at_ns for later in adverts[1:]), fault.until_ns]
    for one, after_ns in zip(adverts, ends, strict=True):
        patience_ns = int(1.5 * one.advert.period_s * NS)
        if after_ns > fault.at.earliest_ns and after_ns - one.at_ns > patience_ns:
            return one
    raise Missing(f"{fault} hit nothing: {fault.victim.name} advertised on to the end")


def _announcements(
    recorded: Recorded, fault: WatchedFault, peer: Node, first: Advertised | None
) -> Iterable[arp.ArpSighting]:
    """Select the peer's announcements from just before its first advertisement.

    ucarp announces right before its first advertisement, keepalived right after. What has a VLAN's
    tag no client hears.
    """
    if first is None:
        return []
    window_start = first.at_ns - NS // 2
    return [
        seen
        for seen in arp.announcements(recorded.arps, recorded.pair.virtual_ip)
        if recorded.pair.node_at(seen.port) == peer
        and window_start <= seen.at_ns <= fault.until_ns
        and not seen.vlan
    ]
