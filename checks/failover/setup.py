"""FO-01 to 11: preparing the secondary, SSH trust, Validate, and Commit and Restart.

What these promise happens inside machines, so events tell it; only the effect of a commit, and
that Validate leaves the roles alone, are read off the wire.
"""

from __future__ import annotations

import ipaddress

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.failover.pair import Recorded
from checks.protocols import heartbeat
from evidence.errors import Missing
from evidence.scenario import Evidence

BATCH_LIMIT_S = 60.0
COMMIT_LIMIT_S = 10.0
WITHOUT_RSYNC = ("no-rsync", "no-rsync-on-primary")
"""rsync taken from the secondary, and from the primary."""
PREREQUISITES = frozenset({"sshd-stopped", "port-blocked", "wrong-host-key", *WITHOUT_RSYNC})
CONFIRMATION = "DELETE"


@check("FO-01")
def rsync_is_needed_on_both(evidence: Evidence) -> Verdict:
    """Judge that without rsync on either node a row turns bad, and with it all are GOOD."""
    return _judge_causes(evidence, *WITHOUT_RSYNC)


@check("FO-06")
def the_users_own_key_is_not_enough(evidence: Evidence) -> Verdict:
    """Judge that a key that sits only in sshuser's file leaves a row bad."""
    return _judge_causes(evidence, "key-not-copied")


def _judge_causes(evidence: Evidence, *causes: str) -> Verdict:
    """Require a bad row with each of these causes, and none without any."""
    found = Findings()
    shown = list(evidence.need("validate.rows"))
    for broken in (*causes, ""):
        events = [event for event in shown if event["broken"] == broken]
        if not events:
            found.gap(f"Validate was not asked with {broken or 'nothing'} broken")
        for event in events:
            found.saw(event.place)
            bad = [str(row["name"]) for row in event["rows"] if not row["good"]]
            if broken:
                found.require(bool(bad), f"with {broken} all rows read GOOD")
            else:
                found.require(not bad, f"not GOOD in a pair set up right: {', '.join(bad)}")
    return found.verdict(f"a row is bad with {' and with '.join(causes)}, none without")


@check("FO-02")
def only_the_exact_word_wipes(evidence: Evidence) -> Verdict:
    """Judge that each answer but DELETE leaves the configuration as it was."""
    found = Findings()
    answers = set()
    for event in evidence.need("init.asked"):
        answer = str(event["answer"])
        answers.add(answer)
        wiped = event["before"] != event["after"]
        found.saw(event.place)
        found.require(
            wiped == (answer == CONFIRMATION),
            f"the answer {answer!r} {'wiped' if wiped else 'did not wipe'} the configuration",
        )
        if answer == CONFIRMATION:
            found.require(event["status"] == 0, f"DELETE ended with status {event['status']}")
    missing = {"delete", "yes", "", CONFIRMATION} - answers
    if missing:
        found.gap(f"answers not tried: {', '.join(map(repr, sorted(missing)))}")
    return found.verdict(f"{len(answers)} answers tried, only DELETE wiped")


@check("FO-03")
def the_wipe_leaves_nothing(evidence: Evidence) -> Verdict:
    """Judge that no seeded configuration, user or certificate is left, and the role is standby."""
    found = Findings()
    for event in evidence.need("init.wiped"):
        found.saw(event.place)
        if not event["seeded"]:
            found.gap(f"{event.place}: nothing was seeded, so nothing could be wiped")
        left = ", ".join(map(str, event["left"]))
        found.require(not event["left"], f"left after the wipe: {left}")
        found.require(event["role"] == "standby", f"the role is {event['role']}, not standby")
    return found.verdict("0 seeded items left, role standby")


@check("FO-04")
def batch_never_asks(evidence: Evidence) -> Verdict:
    """Judge that `--batch --force` ends well with its standard input closed."""
    found = Findings()
    for event in evidence.need("init.batch"):
        found.saw(event.place)
        if event["stdin"] != "closed":
            found.gap(f"{event.place}: standard input was {event['stdin']}, not closed")
        found.require(not event["reads_stdin"], "it read its standard input")
        found.require(event["status"] == 0, f"it ended with status {event['status']}")
        found.require(
            float(event["seconds"]) < BATCH_LIMIT_S, f"it took {event['seconds']} s, limit 60 s"
        )
    return found.verdict("ended with 0 and never read its standard input")


@check("FO-05")
def root_reaches_root_both_ways(evidence: Evidence) -> Verdict:
    """Judge that root's SSH without a password works in both directions."""
    found = Findings()
    directions = set()
    for event in evidence.need("ssh.attempt"):
        if event["user"] != "root":
            continue
        direction = (str(event["origin"]), str(event["target"]))
        directions.add(direction)
        found.saw(event.place)
        found.require(
            event["status"] == 0,
            f"ssh root@{direction[1]} from {direction[0]} ended with status {event['status']}",
        )
    if len({frozenset(direction) for direction in directions}) * 2 != len(directions):
        found.gap("only one direction was tried")
    if not directions:
        found.gap("no attempt as root was recorded")
    return found.verdict("2 of 2 directions")


@check("FO-07")
def validate_shows_four_good_rows(evidence: Evidence) -> Verdict:
    """Judge a pair set up right: four rows, each GOOD; and a broken one must not be all GOOD."""
    found = Findings()
    whole = False
    for event in evidence.need("validate.rows"):
        rows = event["rows"]
        found.saw(event.place)
        found.require(len(rows) == 4, f"Validate shows {len(rows)} rows, not 4")
        bad = [row["name"] for row in rows if not row["good"]]
        if event["broken"]:
            found.require(bool(bad), f"with {event['broken']} broken all rows read GOOD")
        else:
            whole = True
            found.require(not bad, f"not GOOD in a pair set up right: {', '.join(bad)}")
    if not whole:
        found.gap("Validate was never asked of a pair set up right")
    return found.verdict("4 rows, 4 GOOD")


@check("FO-08")
def each_prerequisite_has_its_row(evidence: Evidence) -> Verdict:
    """Judge that each prerequisite, broken alone, turns exactly its own rows bad.

    Each row must have been bad with one of them: else it may be one that always reads GOOD.
    """
    found = Findings()
    tried, shown, ever_bad = set(), set(), set()
    for event in evidence.need("validate.rows"):
        shown |= {str(row["name"]) for row in event["rows"]}
        if not event["broken"]:
            continue
        tried.add(str(event["broken"]))
        found.saw(event.place)
        expected = set(event["expected_bad"])
        bad = {str(row["name"]) for row in event["rows"] if not row["good"]}
        ever_bad |= bad
        if not expected:
            found.gap(f"{event.place}: no row is named that {event['broken']} should turn bad")
        found.require(
            bad == expected,
            f"{event['broken']}: rows {sorted(bad)} turned bad, expected {sorted(expected)}",
        )
    missing = PREREQUISITES - tried
    if missing:
        found.gap(f"not broken yet: {', '.join(sorted(missing))}")
    if shown - ever_bad:
        found.gap(f"never seen bad: {', '.join(sorted(shown - ever_bad))}")
    return found.verdict(f"{len(tried)} prerequisites, each turned its own row")


@check("FO-09")
def validate_changes_nothing(evidence: Evidence) -> Verdict:
    """Judge that nothing on the nodes, and no role on the wire, differs after Validate."""
    recorded = Recorded(evidence)
    found = Findings()
    for begin, end in recorded.spans("validate"):
        found.saw(begin.place, end.place)
        asked = [
            event
            for event in evidence.events("validate.rows")
            if begin.at_ns <= event.at_ns <= end.at_ns
        ]
        if not asked:
            found.gap(f"Validate was not asked between {begin.place} and {end.place}")
        before, after = begin["state"], end["state"]
        differing = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
        found.require(not differing, f"changed by Validate: {', '.join(differing)}")
        senders_before = _senders(recorded, begin.at_ns - 3 * heartbeat.NS, begin.at_ns)
        # A standby that Validate starts advertises within its dead time, so look a bit beyond.
        senders_after = _senders(recorded, begin.at_ns, end.at_ns + 5 * heartbeat.NS)
        new = senders_after - senders_before
        found.require(not new, f"began to advertise during Validate: {', '.join(sorted(new))}")
    return found.verdict("state and advertisements are the same before and after")


def _senders(recorded: Recorded, start_ns: int, end_ns: int) -> frozenset[str]:
    return recorded.sent.between(start_ns, end_ns).senders()


@check("FO-10")
def a_virtual_ip_outside_the_subnet_is_refused(evidence: Evidence) -> Verdict:
    """Judge that a virtual IP outside the nodes' network is refused with an error."""
    found = Findings()
    outside = 0
    for event in evidence.need("commit.attempt"):
        network = ipaddress.ip_network(str(event["network"]), strict=False)
        if ipaddress.ip_address(str(event["virtual_ip"])) in network:
            continue
        outside += 1
        found.saw(event.place)
        found.require(not event["accepted"], f"{event['virtual_ip']} is accepted in {network}")
        found.require(bool(event["error"]), f"{event['virtual_ip']} is refused without a word")
    if not outside:
        found.gap("no virtual IP outside the subnet was tried")
    return found.verdict(f"{outside} refused")


@check("FO-11")
def commit_brings_the_virtual_ip_up(evidence: Evidence) -> Verdict:
    """Judge that within 10 s of the commit the primary advertises, holds the IP, and says so."""
    recorded = Recorded(evidence)
    found = Findings()
    for commit in evidence.need("commit.done"):
        node = recorded.pair.node(str(commit["node"]))
        until = commit.at_ns + int(COMMIT_LIMIT_S * heartbeat.NS)
        found.saw(commit.place)
        if recorded.evidence.window.until_ns < until:
            raise Missing(f"recorded for less than {COMMIT_LIMIT_S:.0f} s after the commit")
        beats = recorded.passed.of(node.address).between(commit.at_ns, until)
        found.require(len(beats) > 0, f"{node.name} did not advertise within 10 s of the commit")
        readings = [
            event
            for event in evidence.events("addresses", node.name)
            if commit.at_ns <= event.at_ns <= until
        ]
        if readings:
            held = any(recorded.pair.virtual_ip in event["held"] for event in readings)
            found.require(held, f"{node.name} did not hold the virtual IP within 10 s")
        else:
            found.gap(f"the addresses of {node.name} were not read within 10 s of the commit")
        said = [
            event
            for event in evidence.events("log.line", node.name)
            if commit.at_ns - event.uncertainty_ns <= event.at_ns <= until
            and "MASTER" in event["text"]
        ]
        found.require(bool(said), f"{node.name} logged no MASTER line within 10 s")
    return found.verdict("advertises, holds the virtual IP and says MASTER within 10 s")
