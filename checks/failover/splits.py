"""FO-41 to 45, 48: the heartbeat kept from the standby, the cause named, and the healing.

A filter that hit no frame proves nothing, whatever the nodes did: UNKNOWN.
"""

from __future__ import annotations

import ipaddress

from checks import carp, heartbeat, tcpdump, vrrp
from checks.errors import Missing
from checks.evidence import Evidence
from checks.failover import whole_run
from checks.failover.pair import Recorded
from checks.history import Event
from checks.preflight import Cause, Observations, diagnose
from checks.registry import check
from checks.verdict import Findings, Verdict

DUAL_S = 5.0
HEALED_S = 3.0
HEARD_LINES = 4
GUEST_FIREWALL = "guest-firewall"
PROFILES = {
    "plain": Cause.NONE,
    "mac-filter": Cause.MAC_FILTERED,
    "vrrp-filter": Cause.VRRP_FILTERED,
    "two-networks": Cause.DIFFERENT_NETWORKS,
}


@check("FO-41")
def a_stopped_secondary_sees_the_heartbeat(evidence: Evidence) -> Verdict:
    """Judge the troubleshooting step: tcpdump on a stopped node shows at least 4 lines in 5 s."""
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
        found.require(
            len(lines) >= HEARD_LINES,
            f"{event.source} saw {len(lines)} advertisement(s) of {peer.name} in "
            f"{event['seconds']} s, {HEARD_LINES} are needed",
        )
    if not tried:
        found.gap("tcpdump was not run on a node with its service stopped")
    return found.verdict("the stopped node sees the heartbeat")


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
    """Require both nodes to advertise within 5 s of a filter's begin."""
    until = begin.at_ns + begin.uncertainty_ns + int(DUAL_S * heartbeat.NS)
    if end.at_ns < until:
        found.gap(f"the filter {begin['filter']} was on for less than {DUAL_S:.0f} s")
    masters = _masters(recorded, begin.at_ns, until)
    found.require(
        len(masters) == 2,
        f"with the filter {begin['filter']} {len(masters)} master(s) after {DUAL_S:.0f} s, not 2",
    )


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
        if len(_masters(recorded, begin.at_ns, end.at_ns)) < 2:
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
        after = _masters(recorded, end.at_ns + healing_ns, end.at_ns + 2 * healing_ns)
        if len(before) != 1:
            found.gap(f"{len(before)} master(s) before the filter, so it shows nothing")
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
        settled_ns = begin.at_ns + int(DUAL_S * heartbeat.NS)
        if end.at_ns < settled_ns + 2 * heartbeat.NS:
            found.gap(f"the profile {profile} was on for too short a time")
        masters = len(_masters(recorded, settled_ns, end.at_ns))
        expected = 1 if profile == "plain" else 2
        found.require(masters == expected, f"{profile}: {masters} master(s), expected {expected}")
        _judge_diagnosis(found, evidence, profile, PROFILES[profile])
    missing = PROFILES.keys() - tried
    if missing:
        found.gap(f"profiles not tried: {', '.join(sorted(missing))}")
    return found.verdict("each profile behaves, and is diagnosed, as the guide says")
