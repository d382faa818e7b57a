"""FO-16 to 23: the heartbeat in the steady state, its frames, its counter and its VHID."""

from __future__ import annotations

from itertools import pairwise

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict, combine
from checks.failover import whole_run
from checks.failover.pair import Recorded, Steady
from checks.protocols import carp, heartbeat, tcpdump, vrrp
from evidence.errors import Missing
from evidence.scenario import Evidence

LISTEN_S = 30.0
GAP_FACTOR = 1.2
"""FO-16: no gap of 1.2 periods or more."""
DEFAULT_VHID = 94
NEIGHBOURS_S = 60.0
TCPDUMP_LINES = 3
DISPUTED_PERIODS = 2
"""For so long after a split the counter is not judged: the one that stays may have frames of the
other still to hear, and answers each with the other's count."""


@check("FO-16")
def the_active_node_keeps_its_period(evidence: Evidence) -> Verdict:
    """Judge count and gaps of the active node's advertisements over 30 s, edges included."""
    recorded = Recorded(evidence)
    return combine(
        [judge_period(recorded), whole_run.no_two_holders(recorded)],
    )


def judge_period(recorded: Recorded) -> Verdict:
    """Hold the active node against its configured period, in every steady span."""
    found = Findings()
    found.saw(recorded.evidence.capture_place)
    recorded.heard_of_pair()
    for steady in recorded.steady():
        if steady.seconds < LISTEN_S:
            found.gap(f"steady for only {steady.seconds:.1f} s, {LISTEN_S:.0f} s are needed")
            continue
        _judge_period(found, recorded, steady)
    return found.verdict("as many advertisements as configured, no gap over 1.2 periods")


def _judge_period(found: Findings, recorded: Recorded, steady: Steady) -> None:
    period = steady.active.engine.period_s
    end_ns = steady.start_ns + int(LISTEN_S * heartbeat.NS)
    beats = recorded.passed.of(steady.active.address).between(steady.start_ns, end_ns).beats
    count, expected = len(beats), LISTEN_S / period
    found.require(
        abs(count - expected) <= 1,
        f"{count} advertisements of {steady.active.name} in {LISTEN_S:.0f} s, "
        f"configured are {expected:.0f} (one each {period:.3f} s)",
    )
    announced = {beat.advert.period_s for beat in beats}
    found.require(
        all(abs(value - period) < 1 / 256 for value in announced),
        f"announces a period of {sorted(announced)} s, configured is {period:.3f} s",
    )
    moments = [steady.start_ns, *(beat.at_ns for beat in beats), end_ns]
    longest = max(later - earlier for earlier, later in pairwise(moments)) / heartbeat.NS
    found.require(
        longest < GAP_FACTOR * period,
        f"a gap of {longest:.3f} s, limit {GAP_FACTOR * period:.3f} s",
    )


@check("FO-17")
def the_standby_is_silent(evidence: Evidence) -> Verdict:
    """Judge that the standby sends no advertisement of any group over 30 s."""
    return judge_silence(Recorded(evidence))


def judge_silence(recorded: Recorded) -> Verdict:
    """Count the standby's advertisements, of whatever group, in every steady span."""
    found = Findings()
    found.saw(recorded.evidence.capture_place)
    recorded.heard_of_pair()
    for steady in recorded.steady():
        if steady.seconds < LISTEN_S:
            found.gap(f"steady for only {steady.seconds:.1f} s, {LISTEN_S:.0f} s are needed")
        beats = recorded.sent.of(steady.standby.address).between(steady.start_ns, steady.end_ns)
        groups = ", ".join(map(str, sorted(beats.groups())))
        found.require(
            not len(beats), f"the standby sent {len(beats)} advertisement(s), VHID {groups}"
        )
    return found.verdict("0 advertisements of the standby")


@check("FO-18")
def every_frame_is_as_the_protocol_says(evidence: Evidence) -> Verdict:
    """Judge layout, TTL, checksum and source MAC of every advertisement of the pair."""
    recorded = Recorded(evidence)
    found = Findings()
    found.saw(evidence.capture_place)
    recorded.heard_of_pair()
    faults: dict[str, int] = {}
    for reason in (text for _, text in recorded.sent.malformed):
        faults[f"malformed: {reason}"] = faults.get(f"malformed: {reason}", 0) + 1
    for beat in recorded.sent.in_group(recorded.pair.vhid):
        for reason in _frame_faults(recorded, beat):
            faults[reason] = faults.get(reason, 0) + 1
    for reason, count in sorted(faults.items()):
        found.require(False, f"{count} x {reason}")
    return found.verdict(f"{len(recorded.passed)} advertisements, all as the protocol says")


def _frame_faults(recorded: Recorded, beat: heartbeat.Beat) -> list[str]:
    advert, pair = beat.advert, recorded.pair
    if isinstance(advert, carp.Advertisement):
        if pair.engine != "ucarp":
            return [f"a CARP advertisement of {beat.sender}, but the pair runs {pair.engine}"]
        return [str(finding) for finding in carp.findings(advert)]
    if pair.engine != "keepalived":
        return [f"a VRRPv{advert.version} advertisement of {beat.sender}, not ucarp's CARP"]
    faults = vrrp.findings(advert, vrid=pair.vhid, virtual_mac=pair.virtual_mac)
    return [f"{fault}: {seen}" for fault, seen in faults]


@check("FO-19")
def every_digest_verifies(evidence: Evidence) -> Verdict:
    """Judge every CARP advertisement's digest with the pair's password and virtual IP."""
    recorded = Recorded(evidence)
    found = Findings()
    found.saw(evidence.capture_place)
    secret = recorded.pair.secret
    judged, wrong = 0, dict[str, int]()
    for beat in recorded.sent.in_group(recorded.pair.vhid):
        if not isinstance(beat.advert, carp.Advertisement):
            continue
        judged += 1
        if beat.advert.digest != carp.digest(secret, beat.advert.vhid, beat.advert.counter):
            wrong[beat.sender] = wrong.get(beat.sender, 0) + 1
    if not judged:
        found.gap("no CARP advertisement was recorded")
    for sender, count in sorted(wrong.items()):
        found.require(
            False,
            f"{count} digest(s) of {sender} do not verify: another password, or virtual IP, there",
        )
    return found.verdict(f"{judged} of {judged} digests verify")


@check("FO-20")
def the_counter_runs_on_over_a_takeover(evidence: Evidence) -> Verdict:
    """Judge that the counter is gapless, over at least one change of the advertising node.

    No advertisement may come twice, wherever the counter itself is not judged.
    """
    recorded = Recorded(evidence)
    found = Findings()
    found.saw(evidence.capture_place)
    recorded.heard_of_pair()
    frozen_apart = _between_thaws(recorded)
    undisputed = [stretch for beats in frozen_apart for stretch in _undisputed(recorded, beats)]
    for beats in frozen_apart:
        for beat in heartbeat.replays(beats):
            old = f"an advertisement of {beat.sender} was replayed: its counter is old"
            found.require(False, old)
    for stretch in undisputed:
        for broken in heartbeat.counter_breaks(stretch):
            found.require(False, str(broken))
    if not any(heartbeat.role_changes(stretch, recorded.pair.vhid) for stretch in undisputed):
        found.gap("no takeover was recorded that the counter could run on over")
    return found.verdict("gapless, over a takeover too")


def _between_thaws(recorded: Recorded) -> list[heartbeat.Heartbeat]:
    """Cut the heartbeat at each thaw: a thawed node counts on from where it was frozen.

    What came while it was not certain whether the wire ran again belongs to neither side.
    """
    window = recorded.evidence.window
    stretches, since_ns = [], window.from_ns
    for start_ns, end_ns in whole_run.thaws(recorded):
        stretches.append(recorded.passed.between(since_ns, start_ns))
        since_ns = end_ns
    return [*stretches, recorded.passed.between(since_ns, window.until_ns + 1)]


def _undisputed(recorded: Recorded, beats: heartbeat.Heartbeat) -> list[heartbeat.Heartbeat]:
    """Leave out each split: two masters count apart until they have heard each other."""
    duals = heartbeat.dual_spans(recorded.sent, recorded.pair.vhid)
    slowest_s = max(node.engine.period_s for node in recorded.pair.nodes.values())
    disputed_ns = int(DISPUTED_PERIODS * slowest_s * heartbeat.NS)
    stretches: list[list[heartbeat.Beat]] = [[]]
    for beat in beats:
        if any(
            span.start_ns <= beat.at_ns <= span.end_ns + disputed_ns and span.seconds
            for span in duals
        ):
            stretches.append([])
        else:
            stretches[-1].append(beat)
    return [heartbeat.Heartbeat(tuple(stretch)) for stretch in stretches]


@check("FO-21")
def tcpdump_prints_the_guides_line(evidence: Evidence) -> Verdict:
    """Judge the lines that the guide's tcpdump command printed on a node."""
    recorded = Recorded(evidence)
    found = Findings()
    senders = {node.address: node for node in recorded.pair.nodes.values()}
    for event in evidence.need("tcpdump.output"):
        found.saw(event.place)
        lines = tcpdump.advertisement_lines(str(event["text"]))
        found.require(
            len(lines) >= TCPDUMP_LINES,
            f"{len(lines)} line(s) like the guide's, {TCPDUMP_LINES} are needed",
        )
        for line in lines:
            expected = (recorded.pair.vhid, 0, 1)
            seen = (line.vrid, line.prio, line.interval_s)
            found.require(
                seen == expected, f"vrid, prio, intvl are {seen}, in the guide {expected}"
            )
            found.require(line.mac_fits_vrid, f"source MAC {line.mac} with vrid {line.vrid}")
            found.require(line.source in senders, f"sent by {line.source}, no node of the pair")
    return found.verdict("lines as in the guide", tcpdump.GUIDE_SAMPLE_ERRATUM)


@check("FO-22")
def the_vhid_is_94_and_can_be_moved(evidence: Evidence) -> Verdict:
    """Judge that 94 is seen before, only the new VHID after both restarts, and one master."""
    recorded = Recorded(evidence)
    found = Findings()
    moved = evidence.last("vhid.settled")
    found.saw(moved.place, evidence.capture_place)
    start, end = evidence.window.from_ns, evidence.window.until_ns
    first = next(iter(recorded.sent), None)
    if first is None:
        raise Missing(f"{evidence.capture_place} holds no advertisement")
    if moved.at_ns + 5 * heartbeat.NS > end:
        found.gap("recorded for less than 5 s after the change")
    before = recorded.sent.between(start, moved.at_ns)
    after = recorded.sent.between(moved.at_ns, end + 1)
    found.require(first.group == DEFAULT_VHID, f"the default VHID is {first.group}, not 94")
    if not len(before):
        found.gap("nothing was recorded before the change")
    found.require(
        after.groups() == {moved["vhid"]},
        f"after the change VHIDs {sorted(after.groups())} are seen, only {moved['vhid']} may be",
    )
    masters = sorted(after.senders())
    found.require(len(masters) == 1, f"{len(masters)} masters after it: {', '.join(masters)}")
    return found.verdict(f"94 before, only {moved['vhid']} after, one master")


@check("FO-23")
def unique_vhids_leave_each_other_alone(evidence: Evidence) -> Verdict:
    """Judge two pairs on one LAN: no digest refused, no virtual MAC moving between ports."""
    recorded = Recorded(evidence)
    found = Findings()
    for begin, end in recorded.spans("neighbours"):
        found.saw(begin.place, end.place, evidence.capture_place)
        seconds = (end.at_ns - begin.at_ns) / heartbeat.NS
        if seconds < NEIGHBOURS_S:
            found.gap(f"watched for {seconds:.0f} s, {NEIGHBOURS_S:.0f} s are needed")
        both = recorded.sent.between(begin.at_ns, end.at_ns)
        active = len(both.senders())
        if active < 2:
            found.gap(f"{active} active node(s) seen, two pairs have two")
        lines = int(end["bad_digest_lines"])
        found.require(lines == 0, f'{lines} "Bad digest" line(s) in {seconds:.0f} s')
        moves = _moves(recorded, begin.at_ns, end.at_ns)
        found.require(moves == 0, f"virtual MACs moved between ports {moves} time(s)")
    return found.verdict("0 digests refused, 0 moves")


def _moves(recorded: Recorded, start_ns: int, end_ns: int) -> int:
    """Count how often a virtual MAC came in at another port than the time before."""
    ports: dict[bytes, str] = {}
    moves = 0
    for frame in recorded.frames:
        source = frame.data[6:12]
        if start_ns <= frame.at_ns < end_ns and source.startswith(b"\0\0\x5e\0"):
            moves += ports.get(source, frame.interface) != frame.interface
            ports[source] = frame.interface
    return moves
