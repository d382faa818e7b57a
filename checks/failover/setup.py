"""FO-02 to 05, 10, 11: preparing the secondary, SSH trust, and Commit and Restart.

What these promise happens inside machines, so events tell it; only that a commit makes the primary
the active node, and leaves it so, is read off the wire as well. Validate is in `validating`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from checks.engine.lateness import missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.unanswered import is_silence, judge_unanswered
from checks.failover.keeping import restart_silence_s, settle_kept
from checks.failover.pair import Node
from checks.failover.recorded import Recorded
from checks.failover.whole_run import undisturbed_until
from evidence.events.pair import PairConfigured
from evidence.events.run import HostLate
from evidence.events.setup import (
    CommitAttempted,
    CommitDone,
    InitAsked,
    InitBatch,
    InitWiped,
    SshAttempted,
)
from evidence.events.takeover import AddressesHeld, LogLine
from evidence.moment import NS
from evidence.scenario import Evidence

BATCH_LIMIT_S = 60.0
COMMIT_LIMIT_S = 10.0
CONFIRMATION = "DELETE"
ANSWERS = ("delete", "yes", "", CONFIRMATION)
NODES = ("primary", "secondary")
_BECAME_MASTER = re.compile(r"\bMASTER\b(?! down| ->)")
"""Not of a node that leaves the role: "Putting MASTER down", "node state: MASTER -> BACKUP"."""


@check("FO-02")
def only_the_exact_word_wipes(evidence: Evidence, owed: Obligations) -> None:
    """Owe that each answer leaves the configuration as it was, and only DELETE wipes it.

    Asked of a node that is wiped already, none shows anything.
    """
    asked = evidence.need(InitAsked, _secondary(evidence))
    empty = [
        event.after
        for event in asked
        if event.answer == CONFIRMATION and event.before != event.after
    ]
    in_vain = [event for event in asked if event.before == event.after and event.before in empty]
    for answer in dict.fromkeys((*ANSWERS, *(event.answer for event in asked))):
        does = "wipes" if answer == CONFIRMATION else "leaves all as it was"
        one = owed.owe(f"the answer {answer!r} {does}")
        for event in asked:
            if event.answer == answer and event not in in_vain:
                _judge_answer(one, event)
    for event in in_vain:
        if event.answer != CONFIRMATION:
            owed.open(f"{event.answer!r} was answered where nothing was left to wipe", event.place)


def _judge_answer(one: Obligation, event: InitAsked) -> None:
    wiped, answer = event.before != event.after, event.answer
    did = "wiped" if wiped else "did not wipe"
    one.settle(
        wiped == (answer == CONFIRMATION),
        f"the answer {answer!r} {did} the configuration",
        event.place,
    )
    if answer == CONFIRMATION and event.status != 0:
        one.broken(f"{CONFIRMATION} ended with status {event.status}", event.place)


@check("FO-03")
def the_wipe_leaves_nothing(evidence: Evidence, owed: Obligations) -> None:
    """Owe that no seeded configuration, user or certificate is left, and the role is standby."""
    for event in evidence.need(InitWiped, _secondary(evidence)):
        one = owed.owe(f"0 of {event.seeded} seeded items left, role standby")
        if not event.seeded:
            one.doubt(f"{event.place}: nothing was seeded, so nothing could be wiped")
        one.settle(not event.left, f"left after the wipe: {', '.join(event.left)}", event.place)
        one.settle(event.role == "standby", f"the role is {event.role}, not standby", event.place)


@check("FO-04")
def batch_never_asks(evidence: Evidence, owed: Obligations) -> None:
    """Owe that `--batch --force` ends well with its standard input closed."""
    for event in evidence.need(InitBatch, _secondary(evidence)):
        one = owed.owe("`--batch --force` ended with 0 and never read its standard input")
        if event.stdin != "closed":
            one.doubt(f"{event.place}: standard input was {event.stdin}, not closed")
        one.settle(not event.reads_stdin, "it read its standard input", event.place)
        one.settle(event.status == 0, f"it ended with status {event.status}", event.place)
        if event.seconds > BATCH_LIMIT_S:
            missed(
                one,
                f"it took {event.seconds} s, limit {BATCH_LIMIT_S:.0f} s",
                event.seconds - BATCH_LIMIT_S,
                (event.at_ns - int(event.seconds * NS), event.at_ns),
                {event.source, "scenario"},
                evidence.events(HostLate),
                event.place,
            )


@check("FO-05")
def root_reaches_root_both_ways(evidence: Evidence, owed: Obligations) -> None:
    """Owe that root's SSH without a password works in each direction between the two nodes."""
    attempts = [event for event in evidence.need(SshAttempted) if event.user == "root"]
    late = evidence.events(HostLate)
    first, second = _node_names(evidence)
    for origin, target in ((first, second), (second, first)):
        one = owed.owe(f"root on {origin} reaches root on {target}")
        for event in attempts:
            if (event.origin, event.target) != (origin, target):
                continue
            why = f"ssh root@{target} from {origin} ended with status {event.status}"
            if event.status and event.seconds and is_silence(event.detail):
                judge_unanswered(
                    one,
                    f"{why}: {event.detail}",
                    event.at_ns,
                    (origin, target),
                    late,
                    event.place,
                    waited_s=event.seconds,
                )
            else:
                one.settle(event.status == 0, why, event.place)


def _secondary(evidence: Evidence) -> str:
    return _node_names(evidence)[1]


def _node_names(evidence: Evidence) -> Sequence[str]:
    configured = evidence.events(PairConfigured)
    return tuple(configured[-1].nodes) if configured else NODES


@check("FO-10")
def a_virtual_ip_outside_the_subnet_is_refused(evidence: Evidence, owed: Obligations) -> None:
    """Owe that a virtual IP outside the nodes' network is refused with an error, and not held."""
    recorded = Recorded(evidence)
    outside = [
        event
        for event in evidence.need(CommitAttempted)
        if ipaddress.ip_address(event.virtual_ip)
        not in ipaddress.ip_network(event.network, strict=False)
    ]
    if not outside:
        owed.open("no virtual IP outside the subnet was tried")
    for event in outside:
        one = owed.owe(f"{event.virtual_ip} is refused in {event.network}")
        one.settle(
            not event.accepted, f"{event.virtual_ip} is accepted in {event.network}", event.place
        )
        one.settle(bool(event.error), f"{event.virtual_ip} is refused without a word", event.place)
        if event.error and not _names_the_subnet(event):
            one.doubt(f"refused, but not said to be for its subnet: {event.error!r}", event.place)
        _owe_not_held(owed, recorded, event)


def _names_the_subnet(attempt: CommitAttempted) -> bool:
    """Tell whether it was refused for what it is: any other trouble of a commit refuses it, too."""
    network = ipaddress.ip_network(attempt.network, strict=False)
    words = (attempt.virtual_ip, str(network), "subnet")
    return any(word in attempt.error.lower() for word in words)


def _owe_not_held(owed: Obligations, recorded: Recorded, attempt: CommitAttempted) -> None:
    """Owe that no node holds the address afterwards, nor says so by ARP.

    That of the attempt has to be read, once a commit would have taken effect.
    """
    address, when = attempt.virtual_ip, f"{COMMIT_LIMIT_S:.0f} s after the attempt"
    one = owed.owe(f"{attempt.source} does not hold {address} {when}")
    due_ns = attempt.moment.latest_ns + int(COMMIT_LIMIT_S * NS)
    for reading in recorded.evidence.events(AddressesHeld):
        if reading.at_ns < attempt.at_ns:
            continue
        if address in reading.held:
            why = f"{address} was refused, and {reading.source} holds it all the same"
            one.broken(why, reading.place)
        elif reading.source == attempt.source and reading.moment.earliest_ns >= due_ns:
            one.met(reading.place)
    sent = {
        node.name
        for seen in recorded.arps
        if seen.at_ns > attempt.at_ns and seen.arp.sender == address
        if (node := recorded.pair.node_at(seen.port))
    }
    for name in sorted(sent):
        one.broken(f"{address} was refused, and {name} sends ARP from it", recorded.wire)


@dataclass(frozen=True)
class _Commit:
    """A commit, the node that it restarts, and until when that has to be active.

    end_ns: from then on something else is done to the pair, or nothing is recorded.
    """

    recorded: Recorded
    node: Node
    from_ns: int
    until_ns: int
    end_ns: int

    def missed(self, one: Obligation, what: str, came_ns: int | None, *places: str) -> None:
        """Say that something did not come in time: too late, not at all, or for a busy host."""
        seen_ns = came_ns or self.end_ns
        why = f"{self.node.name} {what} within {COMMIT_LIMIT_S:.0f} s of the commit"
        if seen_ns <= self.until_ns:
            one.doubt(f"{why}, and was not watched for longer")
            return
        excess_s = (seen_ns - self.until_ns) / NS
        whose = {self.node.name, "wire"}
        span = self.from_ns, seen_ns
        missed(one, why, excess_s, span, whose, self.recorded.lateness, *places)

    def not_read(self, one: Obligation, readings: Sequence[AddressesHeld]) -> None:
        """Say that nobody looked in time: for a busy host, if that explains how late it was."""
        why = f"{self.node.name}'s addresses were not read within {COMMIT_LIMIT_S:.0f} s"
        if not readings:
            one.doubt(why)
            return
        first, whose = readings[0], {self.node.name, "scenario"}
        span, excess_s = (self.from_ns, first.at_ns), (first.at_ns - self.until_ns) / NS
        unclear(one, why, excess_s, span, whose, self.recorded.lateness, first.place)

    def unsure(self, one: Obligation, line: LogLine) -> None:
        """Say that a line may lie outside of the time: for a busy host, if that explains it."""
        why = f"a MASTER line is dated to +- {line.uncertainty_ns / NS:.1f} s: too coarse"
        why += f" to lie within {COMMIT_LIMIT_S:.0f} s of the commit"
        span, whose = (self.from_ns, line.moment.latest_ns), {self.node.name, "wire"}
        excess_s = (span[1] - self.until_ns) / NS
        if excess_s > 0:
            unclear(one, why, excess_s, span, whose, self.recorded.lateness, line.place)
        else:
            one.doubt(why, line.place)


@check("FO-11")
def commit_brings_the_virtual_ip_up(evidence: Evidence, owed: Obligations) -> None:
    """Owe that within 10 s of the commit the primary advertises, holds the IP, and says so."""
    recorded = Recorded(evidence)
    for event in evidence.need(CommitDone):
        until_ns = event.at_ns + int(COMMIT_LIMIT_S * NS)
        end_ns = undisturbed_until(recorded, event.at_ns)
        commit = _Commit(recorded, recorded.pair.node(event.node), event.at_ns, until_ns, end_ns)
        if end_ns < until_ns:
            why = f"recorded for less than {COMMIT_LIMIT_S:.0f} s after {event.place}"
            owed.open(f"{why}, or something else was done by then")
        begun_ns = _begun_anew(commit)
        _owe_advertising(owed, commit, begun_ns)
        _owe_held(owed, commit, begun_ns)
        _owe_said(owed, commit)


def _owe_advertising(owed: Obligations, commit: _Commit, begun_ns: int | None) -> None:
    """Owe that the node begins to advertise in time, and goes on until something else is done."""
    recorded, name = commit.recorded, commit.node.name
    one = owed.owe(f"{name} advertises within {COMMIT_LIMIT_S:.0f} s, and goes on")
    if begun_ns is None or begun_ns > commit.until_ns:
        commit.missed(one, "did not advertise", begun_ns, recorded.wire)
        return
    span = begun_ns, commit.end_ns
    kept = recorded.passed.of(name).between(*span)
    dead_s = recorded.pair.dead_s
    settle_kept(one, recorded, commit.node, kept, span, dead_s, before="advertised, and then ")


def _begun_anew(commit: _Commit) -> int | None:
    """Return when the node began to advertise: after the silence that ended its former run.

    The commit may have ended before that: it does not wait for the restart. Longer than a peer
    waits is a silence surely; a restart alone may take less. Where none begins by the limit, the
    first advertisement after the commit counts; None when there is none.
    """
    of_node = commit.recorded.passed.of(commit.node.name)
    before = of_node.before(commit.from_ns)
    heard = of_node.between(commit.from_ns, commit.end_ns)
    times = [advert.at_ns for advert in heard if not advert.resigning]
    heard_ns = [before.at_ns if before else 0, *times]
    gaps = [gap for gap in pairwise(heard_ns) if gap[0] <= commit.until_ns]
    for limit_s in (commit.recorded.pair.dead_s, restart_silence_s(commit.node)):
        for earlier_ns, later_ns in gaps:
            if limit_s is not None and later_ns - earlier_ns > int(limit_s * NS):
                return later_ns
    return next(iter(times), None)


def _owe_held(owed: Obligations, commit: _Commit, begun_ns: int | None) -> None:
    """Owe a reading in time that shows the virtual IP, and none after it that does not.

    A restart takes the virtual IP away first: what was held before, the node's former run held.
    """
    name, virtual_ip = commit.node.name, commit.recorded.pair.virtual_ip
    one = owed.owe(f"{name} holds the virtual IP within {COMMIT_LIMIT_S:.0f} s, and keeps it")
    readings = [
        event
        for event in commit.recorded.evidence.events(AddressesHeld, name)
        if commit.from_ns <= event.at_ns <= commit.end_ns
    ]
    lost = [
        later
        for earlier, later in pairwise(readings)
        if virtual_ip in earlier.held and virtual_ip not in later.held
    ]
    for reading in lost:
        if begun_ns is None or reading.at_ns >= begun_ns:
            one.broken(f"{name} held the virtual IP, and then no more", reading.place)
        else:  # by the restart
            readings = readings[readings.index(reading) :]
    held = [event for event in readings if virtual_ip in event.held]
    if not readings or readings[0].at_ns > commit.until_ns:
        commit.not_read(one, readings)
    elif held and held[0].at_ns <= commit.until_ns:
        one.met(held[0].place)
    else:
        places = [event.place for event in readings]
        came_ns = held[0].at_ns if held else None
        commit.missed(one, "did not hold the virtual IP", came_ns, *places)


def _owe_said(owed: Obligations, commit: _Commit) -> None:
    """Owe a line in a log of the node that it has become MASTER.

    One that may be of before the commit, or of after the limit, is not shown to be in time.
    """
    one = owed.owe(f"{commit.node.name} logs that it is MASTER")
    said = [
        line
        for line in commit.recorded.evidence.events(LogLine, commit.node.name)
        if commit.from_ns <= line.moment.latest_ns and _BECAME_MASTER.search(line.text)
    ]
    maybe = [line for line in said if line.moment.earliest_ns <= commit.until_ns]
    for line in maybe:
        if commit.from_ns <= line.moment.earliest_ns and line.moment.latest_ns <= commit.until_ns:
            one.met(line.place)
    if maybe and not one.shown:
        commit.unsure(one, maybe[0])
    elif not maybe:
        commit.missed(one, "logged no MASTER line", said[0].at_ns if said else None)
