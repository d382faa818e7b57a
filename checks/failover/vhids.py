"""FO-22, 23: the pair's VHID moves with its key, and pairs with VHIDs of their own coexist."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from checks.engine.lateness import missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.claims import owe_one_holder
from checks.failover.hearing import unheard
from checks.failover.keeping import longest_gap
from checks.failover.recorded import Recorded
from checks.failover.senders import Stranger
from checks.protocols import carp
from checks.protocols.heartbeat import Advertised, Heartbeat
from evidence.errors import Missing
from evidence.events.pair import NeighboursBegan, NeighboursEnded, VhidMoved
from evidence.events.run import LabThawed
from evidence.moment import NS
from evidence.scenario import Evidence

DEFAULT_VHID = 94
WATCHED_S = 5.0
"""FO-22: so long the pair is watched after its VHID was moved, at the least."""
NEIGHBOURS_S = 60.0
SILENT_PERIODS = 3
"""Whoever is silent for more periods of its own is not active."""


@check("FO-22")
def the_vhid_is_94_and_can_be_moved(evidence: Evidence, owed: Obligations) -> None:
    """Judge that 94 is seen before, only the new VHID after both restarts, and one master.

    One, until something else is done; the VHID that was moved is so until the lab is thawed.
    What comes before the change is that of a pair with 94, what comes after it that of one with
    the new VHID, whenever its configuration was read.
    """
    configured = Recorded(evidence)
    moved = evidence.last(VhidMoved)
    by_default, recorded = configured.with_vhid(DEFAULT_VHID), configured.with_vhid(moved.vhid)
    end_ns = whole_run.undisturbed_until(configured, moved.at_ns)
    thawed_ns = whole_run.undisturbed_until(configured, moved.at_ns, by=(LabThawed,))
    if not len(recorded.sent):
        raise Missing(f"{recorded.wire} holds no advertisement of the pair")
    if moved.vhid == DEFAULT_VHID:
        owed.open(f"the VHID was moved to {moved.vhid}, which it is by default", moved.place)
    if moved.moment.latest_ns + WATCHED_S * NS > end_ns:
        owed.open(f"recorded for less than {WATCHED_S:.0f} s after the change", moved.place)
    before = by_default.sent.between(evidence.window.from_ns, moved.at_ns)
    after = recorded.sent.between(moved.at_ns, thawed_ns + 1)
    _owe_default(owed, recorded, before, moved)
    seen = after.groups() | by_default.sent.between(moved.at_ns, thawed_ns + 1).groups()
    owed.require(
        seen == {moved.vhid},
        f"only VHID {moved.vhid} after",
        f"after the change VHIDs {sorted(seen)} are seen, only {moved.vhid} may be",
        moved.place,
        recorded.wire,
    )
    _owe_one_active(owed, recorded, after.between(moved.at_ns, end_ns + 1), end_ns)
    excused = [(evidence.window.from_ns, moved.moment.latest_ns), *whole_run.excuses(recorded)]
    owe_one_holder(owed, recorded, excused)
    whole_run.tell_strangers(owed, recorded)


def _owe_default(owed: Obligations, recorded: Recorded, before: Heartbeat, to: VhidMoved) -> None:
    """Owe that the pair begins with the default VHID, and has none but the new one besides."""
    default = owed.owe(f"VHID {DEFAULT_VHID} before")
    first, strange = before.first(), sorted(before.groups() - {DEFAULT_VHID, to.vhid})
    early_s = _early_s(recorded, before, to)
    if early_s > recorded.pair.healing_s:
        why = f"VHID {to.vhid} is seen {early_s:.1f} s before the last advertisement with"
        default.broken(f"{why} {DEFAULT_VHID}", recorded.wire)
    elif first is None:
        default.doubt("nothing was recorded before the change", recorded.wire)
    elif first.group != DEFAULT_VHID:
        why = f"the default VHID is {first.group}, not {DEFAULT_VHID}"
        default.broken(why, recorded.wire)
    else:
        default.settle(not strange, f"before the change VHIDs {strange} are seen", recorded.wire)


def _early_s(recorded: Recorded, before: Heartbeat, to: VhidMoved) -> float:
    """Return how long (s) the new VHID was seen beside the default one before the change.

    A lab that was thawed, or an earlier change, begins anew. Where the node that has the new one
    was active with the default one, and is no more, its peer may be so until it is restarted too.
    """
    begins = [end_ns for _, end_ns in whole_run.thaws(recorded) if end_ns <= to.at_ns]
    begins += [one.at_ns for one in recorded.evidence.events(VhidMoved) if one.at_ns < to.at_ns]
    latest = before.between(max(begins, default=recorded.window.from_ns), to.at_ns)
    if to.vhid == DEFAULT_VHID:
        return 0.0
    new, old = latest.in_group(to.vhid).first(), latest.in_group(DEFAULT_VHID).before(to.at_ns)
    if new is None or old is None or _restarted(latest, new):
        return 0.0
    return (old.at_ns - new.at_ns) / NS


def _restarted(before: Heartbeat, new: Advertised) -> bool:
    """Tell whether who has the new VHID had the default one, and ceased before."""
    own = before.in_group(DEFAULT_VHID).of(new.sender).adverts
    return bool(own) and own[-1].at_ns < new.at_ns


def _owe_one_active(owed: Obligations, recorded: Recorded, after: Heartbeat, end_ns: int) -> None:
    """Owe one master after the change, until a moment.

    Where both nodes begin at once, it takes them an election to know which.
    """
    one = owed.owe("one master after it, to the end")
    first = after.first()
    elected_ns = (end_ns if first is None else first.at_ns) + int(recorded.pair.healing_s * NS)
    kept = after.between(elected_ns, end_ns + 1)
    intruders = after.senders() - recorded.pair.nodes.keys()
    masters = sorted((kept if len(kept) else after).senders() | intruders)
    if len(masters) != 1:
        why = f"{len(masters)} masters after it: {', '.join(masters) or 'nobody'}"
        _settle_moved(one, recorded, why, () if intruders else kept.adverts)
        return
    own = Heartbeat(tuple(seen for seen in after.of(masters[0]) if not seen.resigning))
    if not len(own):
        one.broken(f"{masters[0]} was the master after it, and fell silent", recorded.wire)
        return
    begun_ns, period_s = own.adverts[0].at_ns, after.adverts[-1].advert.period_s
    silent_s, gap = longest_gap(own, begun_ns, end_ns)
    if silent_s > SILENT_PERIODS * period_s:
        why = f"{masters[0]} was the master after it, and fell silent"
        span, whose = (gap[0] + int(period_s * NS), gap[1]), {masters[0], "wire"}
        excess_s = silent_s - SILENT_PERIODS * period_s
        missed(one, why, excess_s, span, whose, recorded.lateness, recorded.wire)
    elif begun_ns >= elected_ns:
        _settle_moved(one, recorded, f"{masters[0]} became the master long after it", after.adverts)
    one.met(recorded.wire)


def _settle_moved(
    one: Obligation, recorded: Recorded, why: str, adverts: Sequence[Advertised]
) -> None:
    """Break an obligation, unless a busy host is why another node than the first advertised."""
    second = next((seen for seen in adverts if seen.sender != adverts[0].sender), None)
    if second is not None and (excuse := unheard(recorded, second.at_ns)):
        one.late(f"{why}, but {excuse}", recorded.wire)
    else:
        one.broken(why, recorded.wire)


@check("FO-23")
def unique_vhids_leave_each_other_alone(evidence: Evidence, owed: Obligations) -> None:
    """Judge two pairs on one LAN: no digest refused, no virtual MAC moving between ports."""
    recorded = Recorded(evidence)
    for began, ended in recorded.spans(NeighboursBegan, NeighboursEnded):
        places = (began.place, ended.place, recorded.wire)
        until_ns = min(ended.at_ns, whole_run.undisturbed_until(recorded, began.at_ns))
        seconds = (until_ns - began.at_ns) / NS
        watched = owed.owe(f"two pairs watched for {NEIGHBOURS_S:.0f} s")
        if seconds < NEIGHBOURS_S:
            watched.doubt(f"watched for {seconds:.0f} s, {NEIGHBOURS_S:.0f} s are needed")
        watched.met(*places)
        other = _neighbours_vhid(recorded, began)
        _owe_both_active(owed, recorded, (began.at_ns, until_ns), other)
        refused, lines = owed.owe("0 digests refused"), ended.bad_digest_lines
        why = f'{lines} "Bad digest" line(s) in {seconds:.0f} s'
        if lines and other != recorded.pair.vhid and _third(recorded, began.at_ns, until_ns):
            refused.doubt(f"{why}, and a third pair uses VHID {recorded.pair.vhid}", *places)
        else:
            refused.settle(lines == 0, why, *places)
        one = owed.owe("0 moves of a virtual MAC")
        moves, theirs = _moves(recorded, began.at_ns, until_ns, other)
        if len(theirs) > 1 and other != recorded.pair.vhid:
            one.doubt(f"VHID {other} came in at several ports by turns: a third pair's", *places)
        else:
            moves = sorted(moves + theirs)
        why = f"virtual MACs moved between ports {len(moves)} time(s)"
        excuses = [unheard(recorded, at_ns) for at_ns in moves]
        if moves and all(excuses):
            one.late(f"{why}, but {excuses[0]}", *places)
        else:
            one.settle(not moves, why, *places)
    whole_run.tell_strangers(owed, recorded)


def _neighbours_vhid(recorded: Recorded, began: NeighboursBegan) -> int:
    ours = recorded.pair.vhid
    return next((vhid for vhid in began.vhids if vhid != ours), ours)


def _third(recorded: Recorded, start_ns: int, end_ns: int) -> bool:
    """Tell whether a pair that is none of the two used the pair's VHID: each line may be its."""
    others = _neighbours(recorded, recorded.pair.vhid)
    return any(start_ns <= one.at_ns < end_ns for one in others)


def _neighbours(recorded: Recorded, vhid: int) -> list[Stranger]:
    """Select what pairs with a VHID sent besides this one, in no VLAN, and the wire let pass."""
    return [
        one
        for one in recorded.strangers
        if isinstance(one.advert, carp.Advertisement)
        and one.advert.vhid == vhid
        and one.passed
        and one.vlan is None
    ]


def _owe_both_active(
    owed: Obligations, recorded: Recorded, span: tuple[int, int], other: int
) -> None:
    """Owe that both pairs advertise all the time; a pair that does not shows nothing."""
    ours = [(one.at_ns, one.advert.period_s) for one in recorded.passed]
    theirs = [
        (one.at_ns, one.advert.period_s)
        for one in _neighbours(recorded, other)
        if one.advert is not None
    ]
    for pair, seen, senders in (
        ("the pair", ours, recorded.pair.nodes),
        (f"the other pair, VHID {other},", theirs, {"scenario"}),
    ):
        one = owed.owe(f"{pair} advertises all the time")
        why = f"{pair} was not active all the time, two pairs have two active nodes"
        within = [(at_ns, period_s) for at_ns, period_s in seen if span[0] <= at_ns < span[1]]
        if not within:
            one.doubt(why)
        edges_ns = [span[0], *(at_ns for at_ns, _ in within), span[1]]
        period_s = max((period_s for _, period_s in within), default=0.0)
        for before_ns, after_ns in pairwise(edges_ns):
            excess_s = (after_ns - before_ns) / NS - SILENT_PERIODS * period_s
            if excess_s > 0 and within:
                due_ns = before_ns + int(period_s * NS)
                whose = {*senders, "wire"}
                unclear(one, why, excess_s, (due_ns, after_ns), whose, recorded.lateness)
        one.met(recorded.wire)


def _moves(
    recorded: Recorded, start_ns: int, end_ns: int, other: int
) -> tuple[list[int], list[int]]:
    """List when (ns) a virtual MAC of the two pairs came in at another port than before.

    What belongs to neither of the two pairs is left out: it shows nothing of them. The second list
    is of moves from one advertisement with the neighbours' VHID to another one, no node's.
    """
    theirs = {(one.at_ns, one.port) for one in _neighbours(recorded, other)}
    strange = {(one.at_ns, one.port) for one in recorded.strangers} - theirs
    macs = {b"\0\0\x5e\0\0" + bytes([vhid]) for vhid in (recorded.pair.vhid, other)}
    before: dict[bytes, tuple[int, str]] = {}
    moves: tuple[list[int], list[int]] = [], []
    for frame in recorded.frames:
        source, seen = frame.data[6:12], (frame.at_ns, frame.interface)
        if seen in strange or not start_ns <= frame.at_ns < end_ns:
            continue
        if source in macs:
            last = before.get(source, seen)
            if last[1] != frame.interface:
                moves[last in theirs and seen in theirs].append(frame.at_ns)
            before[source] = seen
    return moves
