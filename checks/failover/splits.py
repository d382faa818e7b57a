"""FO-41 to 45, 48: the heartbeat kept from the standby, the cause named, and the healing.

A filter that hit no frame proves nothing, whatever the nodes did: UNKNOWN.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import timedelta

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.failover import whole_run
from checks.failover.pair import Recorded
from checks.preflight.diagnosis import Cause, Observations, diagnose
from checks.protocols import carp, heartbeat, tcpdump, vrrp
from evidence.errors import Missing
from evidence.history import Event
from evidence.scenario import Evidence

DUAL_S = 5.0
HEALED_S = 3.0
HEARD_LINES, HEARD_S = 4, 5.0
"""FO-41: "listen 5 s", at least 4 packets."""
_DAY_S = 86_400.0
UNSPLIT_PERIODS = 1.5
"""A master that has not advertised for so long is none any more, as in `heartbeat.dual_spans`."""
GUEST_FIREWALL = "guest-firewall"
PROFILES = {
    "plain": Cause.NONE,
    "mac-filter": Cause.MAC_FILTERED,
    "vrrp-filter": Cause.VRRP_FILTERED,
    "two-networks": Cause.DIFFERENT_NETWORKS,
}


@check("FO-41")
def a_stopped_secondary_sees_the_heartbeat(evidence: Evidence) -> Verdict:
    """Judge the troubleshooting step: tcpdump on a stopped node shows at least 4 lines in 5 s.

    In each 5 s of the listening, that is: by the times printed from the first line to the last,
    and by the number of lines for what came before and after those.
    """
    recorded = Recorded(evidence)
    found = Findings()
    tried = 0
    for event in evidence.need("tcpdump.output"):
        if not event["service_stopped"]:
            continue
        tried += 1
        found.saw(event.place)
        peer = recorded.pair.peer_of(event.source)
        lines = [
            line
            for line in tcpdump.advertisement_lines(str(event["text"]))
            if (line.source, line.vrid) == (peer.address, recorded.pair.vhid)
        ]
        listened_s = float(event["seconds"])
        if listened_s < HEARD_S:
            found.gap(f"listened for {listened_s:.0f} s, {HEARD_S:.0f} s are needed")
            continue
        needed = HEARD_LINES * int(listened_s // HEARD_S)
        saw = f"{event.source} saw {len(lines)} advertisement(s) of {peer.name}"
        if found.require(len(lines) >= needed, f"{saw} in {listened_s:.0f} s, {needed} are needed"):
            _judge_every_window(found, saw, lines)
    if not tried:
        found.gap("tcpdump was not run on a node with its service stopped")
    return found.verdict("the stopped node sees the heartbeat")


def _judge_every_window(
    found: Findings, saw: str, lines: Sequence[tcpdump.AdvertisementLine]
) -> None:
    """Require 4 lines in the 5 s from the first one, and in each 5 s that ended by the last."""
    first_s = lines[0].at_s
    moments = [(line.at_s - first_s) % _DAY_S for line in lines]
    for start in moments:
        if start and start + HEARD_S > moments[-1]:
            continue
        held = sum(start <= moment < start + HEARD_S for moment in moments)
        clock = timedelta(seconds=int((first_s + start) % _DAY_S))
        found.require(
            held >= HEARD_LINES,
            f"{saw}, but {held} in the {HEARD_S:.0f} s from {clock}, {HEARD_LINES} are needed",
        )


def _masters(recorded: Recorded, start_ns: int, end_ns: int) -> frozenset[str]:
    """Name who advertised for the pair's group, whether or not the wire let it pass."""
    return recorded.sent.in_group(recorded.pair.vhid).between(start_ns, end_ns).senders()


def _filters(found: Findings, recorded: Recorded, *names: str) -> list[tuple[Event, Event]]:
    """Select filters of these names; those that hit no frame become gaps."""
    effective = []
    for begin, end in recorded.spans("filter"):
        if begin["filter"] not in names:
            continue
        found.saw(begin.place, end.place, recorded.evidence.capture_place)
        if not int(end["hits"]):
            found.gap(f"the filter {begin['filter']} hit no frame")
        else:
            effective.append((begin, end))
    return effective


def _judge_dual(found: Findings, recorded: Recorded, begin: Event, end: Event) -> None:
    """Require both nodes to advertise at once, within 5 s of a filter's begin and to its end."""
    _require_split(found, recorded, f"the filter {begin['filter']}", begin, end)


def _require_split(
    found: Findings, recorded: Recorded, cause: str, begin: Event, end: Event
) -> None:
    """Require two masters at once, from 5 s after the begin of what splits them to its end."""
    until_ns = begin.at_ns + begin.uncertainty_ns + int(DUAL_S * heartbeat.NS)
    if end.at_ns < until_ns + _patience_ns(recorded):
        found.gap(f"{cause} was on for too short a time")
        return
    at_once_ns = until_ns + _patience_ns(recorded)  # the one of before advertises again by then
    found.require(
        len(_masters(recorded, begin.at_ns, until_ns)) == 2
        and any(span.start_ns <= at_once_ns for span in _duals(recorded, begin, end)),
        f"{cause}: not two masters at once {DUAL_S:.0f} s after its begin",
    )
    found.require(
        _still_split(recorded, begin, end), f"{cause}: not two masters at once at its end"
    )


def _still_split(recorded: Recorded, begin: Event, end: Event) -> bool:
    """Tell whether two masters were up at the end of what splits them."""
    patience_ns = _patience_ns(recorded)
    return any(span.end_ns >= end.at_ns - patience_ns for span in _duals(recorded, begin, end))


def _duals(recorded: Recorded, begin: Event, end: Event) -> list[heartbeat.DualSpan]:
    """Find when both nodes advertised at once between two events: not one after the other."""
    return heartbeat.dual_spans(recorded.sent.between(begin.at_ns, end.at_ns), recorded.pair.vhid)


def _patience_ns(recorded: Recorded) -> int:
    slowest_s = max(node.engine.period_s for node in recorded.pair.nodes.values())
    return int(UNSPLIT_PERIODS * slowest_s * heartbeat.NS)


def _judge_diagnosis(found: Findings, evidence: Evidence, profile: str, cause: Cause) -> None:
    """Diagnose the recorded observations of a profile again, and compare."""
    seen = [
        event for event in evidence.events("preflight.observations") if event["profile"] == profile
    ]
    if not seen:
        found.gap(f"no preflight was made for {profile}")
    for event in seen:
        found.saw(event.place)
        diagnosis = diagnose(Observations.read(event.data))
        if diagnosis.cause is Cause.UNDECIDED:
            found.gap(f"{profile}: the preflight is undecided: {diagnosis.explanation}")
            continue
        found.require(
            diagnosis.cause is cause,
            f"{profile}: the preflight says {diagnosis.cause!s}, the cause is {cause!s}",
        )


@check("FO-42")
def a_filtered_heartbeat_splits_and_is_diagnosed(evidence: Evidence) -> Verdict:
    """Judge that VRRP filtered on the wire gives two masters, and the cause is named.

    A filter in a guest's own firewall must not: ucarp reads below it.
    """
    recorded = Recorded(evidence)
    found = Findings()
    recorded.heard_of_pair()
    spans = _filters(found, recorded, "vrrp")
    for begin, end in spans:
        _judge_dual(found, recorded, begin, end)
    if not spans:
        found.gap("VRRP was never filtered on the wire")
    _judge_diagnosis(found, evidence, "vrrp-filter", Cause.VRRP_FILTERED)
    if recorded.pair.engine == "ucarp":
        for begin, end in _filters(found, recorded, GUEST_FIREWALL):
            masters = _masters(recorded, begin.at_ns, end.at_ns)
            found.require(len(masters) == 1, f"a guest's own firewall gave {len(masters)} masters")
    return found.verdict("two masters within 5 s, diagnosed as VRRP filtered")


@check("FO-43")
def healing_ends_in_one_master(evidence: Evidence) -> Verdict:
    """Judge that 3 s after a filter's end one node advertises: that with the lower address.

    keepalived decides by priority first, and the higher address on a tie.
    """
    recorded = Recorded(evidence)
    found = Findings()
    spans = _filters(found, recorded, "vrrp", "source-mac", "isolation")
    limit_s = max(HEALED_S, whole_run.healing_s(recorded))
    for begin, end in spans:
        healed_ns = end.at_ns + end.uncertainty_ns + int(limit_s * heartbeat.NS)
        after_ns = healed_ns + 3 * heartbeat.NS
        if evidence.window.until_ns < after_ns:
            found.gap("recorded for too short a time after the filter's end")
            continue
        if not _still_split(recorded, begin, end):
            found.gap("there were no two masters to heal")
            continue
        masters = sorted(_masters(recorded, healed_ns, after_ns))
        if not found.require(
            len(masters) == 1,
            f"{len(masters)} masters {limit_s:.1f} s after the filter's end: {', '.join(masters)}",
        ):
            continue
        expected = _survivor(recorded)
        found.require(masters[0] == expected, f"{masters[0]} survived, expected {expected}")
    if not spans:
        found.gap("nothing was filtered, so nothing healed")
    return found.verdict("one master within 3 s, the one the protocol prefers")


def _survivor(recorded: Recorded) -> str:
    """Name the node that the configured election prefers."""
    nodes = list(recorded.pair.nodes.values())
    beats = {beat.sender: beat.advert for beat in recorded.sent}
    periods = {node.engine.period_s for node in nodes}
    lowest = min(nodes, key=lambda node: ipaddress.ip_address(node.address))
    if recorded.pair.engine == "ucarp":
        if len(periods) > 1:
            return min(nodes, key=lambda node: node.engine.period_s).address
        return lowest.address
    priorities = {
        address: advert.priority
        for address, advert in beats.items()
        if isinstance(advert, vrrp.Advertisement) and not isinstance(advert, carp.Advertisement)
    }
    if len(priorities) < 2:
        raise Missing("not both nodes' priorities were seen on the wire")
    return max(priorities, key=lambda address: (priorities[address], ipaddress.ip_address(address)))


@check("FO-44")
def a_mac_filter_breaks_it_and_allowing_fixes_it(evidence: Evidence) -> Verdict:
    """Judge two masters while ports accept the NIC's MAC alone, one master when not."""
    recorded = Recorded(evidence)
    found = Findings()
    recorded.heard_of_pair()
    spans = _filters(found, recorded, "source-mac")
    healing_ns = int(max(HEALED_S, whole_run.healing_s(recorded)) * heartbeat.NS)
    for begin, end in spans:
        _judge_dual(found, recorded, begin, end)
        before = _masters(recorded, begin.at_ns - 3 * heartbeat.NS, begin.at_ns)
        if len(before) != 1:
            found.gap(f"{len(before)} master(s) before the filter, so it shows nothing")
        healed_ns = end.at_ns + end.uncertainty_ns + healing_ns
        if evidence.window.until_ns < healed_ns + healing_ns:
            found.gap("recorded for too short a time after the filter's end")
            continue
        after = _masters(recorded, healed_ns, healed_ns + healing_ns)
        found.require(
            len(after) == 1, f"{len(after)} master(s) after spoofing was allowed again, not 1"
        )
    if not spans:
        found.gap("source MACs were never filtered")
    return found.verdict("two masters with the filter, one without")


@check("FO-45")
def nodes_in_two_segments_cannot_pair(evidence: Evidence) -> Verdict:
    """Judge that isolated nodes are both masters, and that Validate says so."""
    recorded = Recorded(evidence)
    found = Findings()
    spans = _filters(found, recorded, "isolation")
    for begin, end in spans:
        _judge_dual(found, recorded, begin, end)
        shown = [
            event
            for event in evidence.events("validate.rows")
            if begin.at_ns <= event.at_ns <= end.at_ns
        ]
        if not shown:
            found.gap("Validate was not asked while the nodes were apart")
        for event in shown:
            found.saw(event.place)
            bad = [row["name"] for row in event["rows"] if not row["good"]]
            found.require(bool(bad), "all rows read GOOD although the nodes are apart")
    if not spans:
        found.gap("the nodes were never put apart")
    return found.verdict("two masters, and Validate reports it")


def _require_one_master(found: Findings, recorded: Recorded, begin: Event, end: Event) -> None:
    """Require that one node alone advertised, from 5 s after the begin to the end."""
    settled_ns = begin.at_ns + int(DUAL_S * heartbeat.NS)
    if end.at_ns < settled_ns + 2 * heartbeat.NS:
        found.gap("the profile plain was on for too short a time")
    masters = len(_masters(recorded, settled_ns, end.at_ns))
    found.require(masters == 1, f"plain: {masters} master(s), expected 1")


@check("FO-48")
def the_platform_table_holds(evidence: Evidence) -> Verdict:
    """Judge each profile of the wire: it works or not as the guide says, cause named before."""
    recorded = Recorded(evidence)
    found = Findings()
    tried = set()
    for begin, end in recorded.spans("profile"):
        profile = str(begin["profile"])
        if profile not in PROFILES:
            raise Missing(f"{begin.place}: {profile!r} is no profile of {', '.join(PROFILES)}")
        tried.add(profile)
        found.saw(begin.place, end.place, evidence.capture_place)
        if profile != "plain" and not int(end["hits"]):
            found.gap(f"the profile {profile} hit no frame")
            continue
        if profile == "plain":
            _require_one_master(found, recorded, begin, end)
        else:
            _require_split(found, recorded, profile, begin, end)
        _judge_diagnosis(found, evidence, profile, PROFILES[profile])
    missing = PROFILES.keys() - tried
    if missing:
        found.gap(f"profiles not tried: {', '.join(sorted(missing))}")
    return found.verdict("each profile behaves, and is diagnosed, as the guide says")
