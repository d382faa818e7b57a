"""FO-42 to 45, 48: the heartbeat kept from the standby, the cause named, and the healing."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from checks.engine.lateness import unclear
from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.failover.pair import Node
from checks.failover.parted import (
    SPLIT_S,
    Apart,
    ended_early,
    filters,
    holders,
    last_split,
    owe_effective,
    owe_filtered,
    owe_healed,
    owe_split,
    profiles,
    second_late,
    settle_alone,
)
from checks.failover.recorded import Recorded
from checks.preflight.diagnosis import Cause, diagnose
from checks.protocols import budgets
from evidence.events.pair import Profile
from evidence.events.preflight import PreflightObserved
from evidence.events.setup import ValidateShown
from evidence.moment import NS
from evidence.scenario import Evidence

GUEST_FIREWALL = "guest-firewall"
PROFILES: Mapping[Profile, Cause] = {
    "plain": Cause.NONE,
    "mac-filter": Cause.MAC_FILTERED,
    "vrrp-filter": Cause.VRRP_FILTERED,
    "two-networks": Cause.DIFFERENT_NETWORKS,
}


@check("FO-42")
def a_filtered_heartbeat_splits_and_is_diagnosed(evidence: Evidence, owed: Obligations) -> None:
    """Judge that VRRP filtered on the wire gives two masters, and the cause is named.

    A filter in a guest's own firewall must not, where one was tried: ucarp reads below it.
    """
    recorded = Recorded(evidence)
    recorded.heard_of_pair()
    for apart in owe_filtered(owed, recorded, "vrrp"):
        owe_split(owed, recorded, apart)
    _owe_diagnosis(owed, evidence, "vrrp-filter", Cause.VRRP_FILTERED)
    inside = filters(recorded) if recorded.pair.engine == "ucarp" else []
    for apart in owe_effective(owed, inside, GUEST_FIREWALL):
        _owe_no_split(owed, recorded, apart)


def _owe_no_split(owed: Obligations, recorded: Recorded, apart: Apart) -> None:
    """Owe one master under a guest's own firewall.

    Where it was on for less than a standby waits, that one says nothing.
    """
    one = owed.owe("a guest's own firewall splits nothing")
    within = apart.begin.earliest_ns, apart.end.latest_ns
    why, found = "a guest's own firewall", holders(recorded, *within)
    seconds, dead_s = (apart.end.earliest_ns - apart.begin.latest_ns) / NS, recorded.pair.dead_s
    if len(found) < 2 and seconds < dead_s:
        why += f" was on for {seconds:.1f} s, a standby may wait {dead_s:.1f} s"
        one.doubt(why, *apart.places)
        return
    why += f" gave {len(found)} masters"
    if late := second_late(recorded, *within):
        one.late(f"{why}, but {late}", recorded.wire)
    else:
        one.settle(len(found) == 1, why, recorded.wire)


@check("FO-43")
def healing_ends_in_one_master(evidence: Evidence, owed: Obligations) -> None:
    """Judge that 3 s after a filter's end one node advertises alone: the one the engine prefers."""
    recorded = Recorded(evidence)
    for apart in owe_filtered(owed, recorded, "vrrp", "source-mac", "isolation"):
        if not _owe_two_to_heal(owed, recorded, apart):
            continue
        survivor, expected = owe_healed(owed, recorded, apart), _preferred(recorded)
        if survivor is not None:
            owed.require(
                survivor == expected,
                f"{expected} is the master after {apart.name}",
                f"{survivor} survived, expected {expected}",
                recorded.wire,
            )


def _owe_two_to_heal(owed: Obligations, recorded: Recorded, apart: Apart) -> bool:
    """Owe that there were two masters when a filter ended; tell whether there were."""
    one, split = owed.owe(f"two masters to heal after {apart.name}"), last_split(recorded, apart)
    why = f"there were no two masters to heal after {apart.name}"
    if split is None:
        one.doubt(why, recorded.wire)
    elif cut_short := ended_early(recorded, apart, split):
        unclear(one, why, *cut_short, recorded.lateness, recorded.wire)
    else:
        one.met(recorded.wire)
    return one.shown


def _preferred(recorded: Recorded) -> str:
    """Name the node that the engine prefers where two masters meet.

    ucarp: the one that advertises more often, or else the lower address, compared as it stands in
    the machine's memory: a little-endian number (ucarp 1.5.2 on x86). keepalived: the higher
    priority, or else the higher address.
    """

    def rank(node: Node) -> tuple[float, int]:
        address = ipaddress.IPv4Address(node.address).packed
        if isinstance(node.engine, budgets.Keepalived):
            return -node.engine.priority, -int.from_bytes(address, "big")
        return node.engine.period_s, int.from_bytes(address, "little")

    return min(recorded.pair.nodes.values(), key=rank).name


@check("FO-44")
def a_mac_filter_breaks_it_and_allowing_fixes_it(evidence: Evidence, owed: Obligations) -> None:
    """Judge two masters while ports accept the NIC's MAC alone; one before, and one after."""
    recorded = Recorded(evidence)
    recorded.heard_of_pair()
    for apart in owe_filtered(owed, recorded, "source-mac"):
        owe_split(owed, recorded, apart)
        owe_healed(owed, recorded, apart)


@check("FO-45")
def nodes_in_two_segments_cannot_pair(evidence: Evidence, owed: Obligations) -> None:
    """Judge that isolated nodes are both masters, and that Validate says so.

    A row that read bad before they were parted says nothing about that.
    """
    recorded = Recorded(evidence)
    recorded.heard_of_pair()
    for apart in owe_filtered(owed, recorded, "isolation"):
        owe_split(owed, recorded, apart)
        _owe_report(owed, evidence, apart)


def _owe_report(owed: Obligations, evidence: Evidence, apart: Apart) -> None:
    """Owe that Validate, all rows good before, shows as bad what the parting turns bad."""
    one = owed.owe("Validate reports that the nodes are apart")
    shown = evidence.events(ValidateShown)
    before = [event for event in shown if event.at_ns < apart.begin.earliest_ns][-1:]
    if not before:
        one.doubt("Validate was not asked before the nodes were put apart")
    old = {name for event in before for name in _bad(event)}
    if old:
        one.doubt(f"bad before the nodes were put apart: {', '.join(sorted(old))}")
    for event in shown:
        if not apart.begin.at_ns <= event.at_ns <= apart.end.at_ns:
            continue
        places = (event.place, *(was.place for was in before))
        why = "all rows read GOOD although the nodes are apart"
        if old:
            why = "no row reads BAD with the nodes apart but what was bad before"
        one.settle(bool(_bad(event) - old), why, *places)
        good = sorted(set(event.expected_bad) - event.bad)
        if good:
            one.broken(f"with the nodes apart these read GOOD: {', '.join(good)}", *places)


def _bad(shown: ValidateShown) -> set[str]:
    return {row.name for row in shown.rows if not row.good}


@check("FO-48")
def the_platform_table_holds(evidence: Evidence, owed: Obligations) -> None:
    """Judge each profile of the wire: it works or not as the guide says, cause named before."""
    recorded = Recorded(evidence)
    tried = profiles(recorded)
    owed.each(PROFILES, {apart.name for apart in tried}, "tried")
    for apart in tried:
        if apart.name == "plain":
            _owe_one_master(owed, recorded, apart)
    for apart in owe_effective(owed, tried, *(PROFILES.keys() - {"plain"})):
        owe_split(owed, recorded, apart)
    for profile, cause in PROFILES.items():
        _owe_diagnosis(owed, evidence, profile, cause)


def _owe_one_master(owed: Obligations, recorded: Recorded, apart: Apart) -> None:
    """Owe that one node alone advertised all through a profile, from 5 s after its begin."""
    one = owed.owe(f"{apart.name}: one master")
    since_ns = apart.begin.latest_ns + int(SPLIT_S * NS)
    if apart.end.at_ns < since_ns + 2 * NS:
        one.doubt(f"the profile {apart.name} was on for too short a time", *apart.places)
        return
    if apart.hits:
        one.doubt(f"the profile {apart.name} dropped {apart.hits} frame(s)", *apart.places)
    found = holders(recorded, since_ns, apart.end.at_ns)
    why = f"{apart.name}: {len(found)} master(s), expected 1"
    if len(found) == 1:
        (holder,) = found
        settle_alone(one, recorded, holder, (since_ns, apart.end.at_ns), apart)
    elif late := second_late(recorded, since_ns, apart.end.at_ns):
        one.late(f"{why}, but {late}", recorded.wire, *apart.places)
    else:
        one.broken(why, recorded.wire, *apart.places)


def _owe_diagnosis(owed: Obligations, evidence: Evidence, profile: str, cause: Cause) -> None:
    """Owe that the preflight which was made under a profile names its cause."""
    one = owed.owe(f"{profile}: the preflight says {cause!s}")
    for seen in evidence.events(PreflightObserved):
        if seen.profile != profile:
            continue
        diagnosis = diagnose(seen)
        if diagnosis.cause is Cause.UNDECIDED:
            why = f"{profile}: the preflight is undecided: {diagnosis.explanation}"
            one.doubt(why, seen.place)
        elif diagnosis.cause is cause:
            one.met(seen.place)
        else:
            why = f"{profile}: the preflight says {diagnosis.cause!s}, the cause is {cause!s}"
            one.broken(why, seen.place)
