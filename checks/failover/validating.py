"""FO-01, 06 to 09: what Validate shows of a pair, good and broken, and that it changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.unanswered import is_silence, judge_unanswered
from checks.failover.claims import ANNOUNCED_BEFORE_S, How, claims
from checks.failover.hearing import moved_late
from checks.failover.keeping import restart_silence_s, settle_kept
from checks.failover.recorded import Recorded
from checks.failover.whole_run import undisturbed_until
from evidence.events.run import HostLate
from evidence.events.setup import ValidateBegan, ValidateEnded, ValidateShown
from evidence.moment import NS
from evidence.scenario import Evidence

ROWS = 4
ROW_ASKS_S = 10.0
"""A row waits so long for the other node: the drop-in does; the genuine product's is not known."""
WITHOUT_RSYNC = ("no-rsync", "no-rsync-on-primary")
"""rsync taken from the secondary, and from the primary."""
PREREQUISITES = ("sshd-stopped", "port-blocked", "wrong-host-key", *WITHOUT_RSYNC)
LISTENED_BEFORE_S, LISTENED_AFTER_S = 3, 5
"""A standby that Validate starts advertises within its dead time, so listen a bit beyond."""


@check("FO-01")
def rsync_is_needed_on_both(evidence: Evidence, owed: Obligations) -> None:
    """Owe that without rsync on either node its own row turns bad, and with it all are GOOD."""
    shown = evidence.need(ValidateShown)
    for cause in WITHOUT_RSYNC:
        _owe_bad(owed, shown, cause, naming="rsync")
    _owe_good(owed, shown, evidence)


@check("FO-06")
def the_users_own_key_is_not_enough(evidence: Evidence, owed: Obligations) -> None:
    """Owe that a key that sits only in sshuser's file leaves its row bad."""
    shown = evidence.need(ValidateShown)
    _owe_bad(owed, shown, "key-not-copied")
    _owe_good(owed, shown, evidence)


def _owe_bad(
    owed: Obligations, shown: Iterable[ValidateShown], cause: str, naming: str = ""
) -> None:
    """Owe that the rows that this cause should turn are bad with it; one of them names it."""
    one = owed.owe(f"with {cause} its row is bad")
    for event in shown:
        if event.broken != cause:
            continue
        if not event.expected_bad:
            one.doubt(f"{event.place}: no row is named that {cause} should turn bad")
        good = sorted(set(event.expected_bad) - event.bad)
        one.settle(not good, f"with {cause} these read GOOD: {', '.join(good)}", event.place)
        if not any(naming in row.lower() for row in event.bad):
            one.broken(f"with {cause} no bad row names {naming or 'anything'}", event.place)


def _owe_good(owed: Obligations, shown: Iterable[ValidateShown], evidence: Evidence) -> None:
    """Owe that each row is GOOD with nothing broken, whenever that was asked."""
    one = owed.owe("with nothing broken each row is GOOD")
    for event in shown:
        if not event.broken:
            why = f"not GOOD in a pair set up right: {', '.join(sorted(event.bad))}"
            _settle_rows(one, why, event, frozenset(), evidence)


def _settle_rows(
    one: Obligation, why: str, event: ValidateShown, wanted: frozenset[str], evidence: Evidence
) -> None:
    """Owe that these rows are bad, and no others.

    Others may be so because a node that did not run left a question without an answer.
    """
    others = [row for row in event.rows if not row.good and row.name not in wanted]
    unanswered = [row for row in others if is_silence(row.detail)]
    if event.bad >= wanted and unanswered and event.began_ns is not None:
        judge_unanswered(
            one,
            f"{why}: {unanswered[0].detail}",
            event.at_ns,
            Recorded(evidence).pair.nodes,
            evidence.events(HostLate),
            event.place,
            waited_s=ROW_ASKS_S,
            recorded_s=(event.at_ns - event.began_ns) / NS,
        )
    else:
        one.settle(event.bad == wanted, why, event.place)


@check("FO-07")
def validate_shows_four_good_rows(evidence: Evidence, owed: Obligations) -> None:
    """Owe the same four rows each time, all GOOD in a pair set up right, and only there."""
    shown = evidence.need(ValidateShown)
    usual = {row.name for row in shown[0].rows}
    four = owed.owe(f"the same {ROWS} rows each time")
    noticed = owed.owe("a broken pair does not read GOOD")
    for event in shown:
        names = [row.name for row in event.rows]
        four.settle(
            len(names) == ROWS, f"Validate shows {len(names)} rows, not {ROWS}", event.place
        )
        twice = sorted({name for name in names if names.count(name) > 1})
        four.settle(not twice, f"shown more than once: {', '.join(twice)}", event.place)
        other = ", ".join(sorted(usual ^ set(names)))
        four.settle(not other, f"these rows are not there each time: {other}", event.place)
        if event.broken:
            why = f"with {event.broken} broken all rows read GOOD"
            noticed.settle(bool(event.bad), why, event.place)
    _owe_good(owed, shown, evidence)


@check("FO-08")
def each_prerequisite_has_its_row(evidence: Evidence, owed: Obligations) -> None:
    """Owe that each prerequisite, broken alone, turns exactly its own rows bad.

    Each row must have been bad with one of them: else it may be one that always reads GOOD.
    """
    shown = evidence.need(ValidateShown)
    broken = [event for event in shown if event.broken]
    for cause in dict.fromkeys((*PREREQUISITES, *(event.broken for event in broken))):
        one = owed.owe(f"{cause} turns its own rows bad")
        for event in broken:
            if event.broken != cause:
                continue
            if not event.expected_bad:
                one.doubt(f"{event.place}: no row is named that {cause} should turn bad")
            wanted = frozenset(event.expected_bad)
            why = f"{cause}: rows {sorted(event.bad)} turned bad, expected {sorted(wanted)}"
            _settle_rows(one, why, event, wanted, evidence)
    for name in sorted({row.name for event in shown for row in event.rows}):
        one = owed.owe(f"{name!r} was bad with one of them")
        for event in broken:
            if name in event.bad:
                one.met(event.place)
    _owe_good(owed, shown, evidence)


@check("FO-09")
def validate_changes_nothing(evidence: Evidence, owed: Obligations) -> None:
    """Owe that nothing on the nodes, and no role on the wire, differs after Validate."""
    recorded = Recorded(evidence)
    for began, ended in recorded.spans(ValidateBegan, ValidateEnded):
        asked = owed.owe("Validate was asked in between")
        for event in evidence.events(ValidateShown):
            if began.at_ns <= event.at_ns <= ended.at_ns:
                asked.met(event.place)
        same = owed.owe("state is the same before and after")
        before, after = began.state, ended.state
        if not any((*before.values(), *after.values())):
            same.doubt("nothing was read of the nodes", began.place, ended.place)
        differing = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        why, places = f"changed by Validate: {', '.join(differing)}", (began.place, ended.place)
        if differing and undisturbed_until(recorded, began.at_ns) < ended.at_ns:
            same.doubt(f"{why}, or by what else was done meanwhile", *places)
        else:
            same.settle(not differing, why, *places)
        _owe_roles(owed, recorded, began.at_ns, ended.at_ns)


def _owe_roles(owed: Obligations, recorded: Recorded, began_ns: int, ended_ns: int) -> None:
    """Owe that the same nodes advertise before and after: none begins, and none ceases."""
    one = owed.owe("the same nodes advertise before and after")
    from_ns, until_ns = began_ns - LISTENED_BEFORE_S * NS, ended_ns + LISTENED_AFTER_S * NS
    if from_ns < recorded.window.from_ns or recorded.window.until_ns < until_ns:
        one.doubt(
            f"the wire was not listened to from {LISTENED_BEFORE_S} s before Validate until "
            f"{LISTENED_AFTER_S} s after it"
        )
    quiet_ns = undisturbed_until(recorded, began_ns)
    if disturbed := quiet_ns < min(until_ns, recorded.window.until_ns):
        one.doubt(
            f"something else was done meanwhile, or within {LISTENED_AFTER_S} s after Validate"
        )
        until_ns = quiet_ns
    nodes = recorded.pair.nodes.keys()
    before = recorded.sent.between(from_ns, began_ns).senders() & nodes
    after = recorded.sent.between(ended_ns, until_ns).senders() & nodes
    new = recorded.sent.between(began_ns, until_ns).senders() & nodes - before
    if not before:
        one.doubt("no node was heard before Validate, so none could cease")
    begun = {name: recorded.sent.of(name).between(began_ns, until_ns) for name in sorted(new)}
    moved = {name: late for name, sent in begun.items() if (late := moved_late(recorded, sent))}
    for name, late in moved.items():
        one.late(f"{name} began to advertise during Validate, but {late}", recorded.wire)
        until_ns = min(until_ns, begun[name].adverts[0].at_ns)  # who yields to it is not judged
    new -= moved.keys()
    quiet_ns = until_ns - int(ANNOUNCED_BEFORE_S * NS) if moved else until_ns
    others = nodes - before if before else ()
    for what in _begun_claims(recorded, others, (from_ns, began_ns, quiet_ns)):
        one.broken(f"claimed the virtual IP during Validate: {what}", recorded.wire)
    one.settle(
        not new, f"began to advertise during Validate: {', '.join(sorted(new))}", recorded.wire
    )
    gone = "" if moved or disturbed else ", ".join(sorted(before - after))
    one.settle(not gone, f"ceased to advertise during Validate: {gone}", recorded.wire)
    for name in sorted(before if disturbed else before & after):
        _owe_no_restart(owed, recorded, name, began_ns, until_ns)


def _begun_claims(
    recorded: Recorded, nodes: Collection[str], times_ns: tuple[int, int, int]
) -> list[str]:
    """Say which of these nodes claimed the virtual IP from the second time to the third, and how.

    None of a node that did so from the first to the second too.
    """
    from_ns, began_ns, until_ns = times_ns
    near = [
        one
        for one in claims(recorded)
        if one.who in nodes and one.how is not How.ADVERTISES and from_ns <= one.at_ns < until_ns
    ]
    old = {one.who for one in near if one.at_ns < began_ns}
    return sorted({f"{one.who} {one.how}" for one in near if one.who not in old})


def _owe_no_restart(
    owed: Obligations, recorded: Recorded, name: str, began_ns: int, until_ns: int
) -> None:
    """Owe that a node advertises on as before, without a silence as of a restart."""
    node = recorded.pair.node(name)
    own = recorded.sent.of(name)
    last = own.before(began_ns)
    from_ns = began_ns if last is None else last.at_ns
    until_ns = min(until_ns, recorded.window.until_ns)
    one = owed.owe(f"{name} advertises on, without a silence")
    kept, span = own.between(from_ns, until_ns), (from_ns, until_ns)
    limit_s = restart_silence_s(node)
    if limit_s is None:
        waits_s = node.engine.dead_s
        one.doubt(f"{name} waits for only {waits_s:.1f} s at its start: a restart cannot be told")
        return
    settle_kept(one, recorded, node, kept, span, limit_s, before="advertised, and then ")
