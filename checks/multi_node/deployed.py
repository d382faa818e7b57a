"""MN-12: apply_changes deploys on a node the profiles of its `profileList`, and no others.

That it left something out shows only where the controller has a profile that is not on the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from pydantic import JsonValue

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import deployment, named
from checks.multi_node.server_processes import read_config
from evidence.event import NS_BOUND
from evidence.events.access import ChangesApplied
from evidence.events.installed import NodeConfigured
from evidence.events.multi_node import ControllerConfig, ServerState
from evidence.scenario import Evidence

_PROFILE_ID = "PROFILE_ID "
_UNIT = re.compile(r"openvpn-server@(?P<profile>.+)-\d+\.service")


@check("MN-12")
def deploys_its_list(evidence: Evidence, owed: Obligations) -> None:
    """Compare each node's files and units, after apply_changes, with its list."""
    site = deployment(evidence, owed)
    config = evidence.last(ControllerConfig, site.controller.name)
    for node in site.nodes:
        applied = evidence.last(ChangesApplied, node)
        configured = evidence.events(NodeConfigured, node)
        before = [one for one in configured if one.at_ns < applied.at_ns]
        one = owed.owe(f"{node} has a profileList, with its own profile alone")
        listed = set[str]()
        for event in before[-1:]:
            listed = set(_profiles(event.profile_list))
            said = f"{node} has the profileList {event.profile_list!r}, not [{node!r}]"
            if event.profile_list is None:
                said = f"{node} has no profileList: it deploys every profile"
            one.settle(listed == {node}, said, event.place)
        owed.require(
            applied.status == 0,
            f"apply_changes.sh goes well on {node}",
            f"{node}: apply_changes.sh ended with {applied.status}: {applied.output[-200:]!r}",
            applied.place,
        )
        one = owed.owe(f"the controller has profiles that are not for {node}")
        if others := sorted(config.profiles.keys() - {node}):
            one.met(config.place)
        else:
            one.doubt(f"the controller has no profile that {node} could leave out", config.place)
        one = owed.owe(f"{node} deploys {node}, and not {named(others) if others else 'another'}")
        every, states = evidence.events(ChangesApplied, node), evidence.events(ServerState, node)
        for change, later in zip_longest(every, every[1:]):
            until_ns = later.at_ns if later else NS_BOUND
            by_list = not change.status and _lists_itself(node, change.at_ns, configured)
            if later is None or by_list:
                for state in states:
                    if change.at_ns < state.at_ns < until_ns:
                        _judge_state(node, state, one)
        if one.shown and not any(state.at_ns > applied.at_ns for state in states):
            one.doubt(f"{node} was not looked at after apply_changes.sh", applied.place)


def _lists_itself(node: str, at_ns: int, configured: Sequence[NodeConfigured]) -> bool:
    """Whether a node's profileList had its own profile alone at a moment."""
    before = [one for one in configured if one.at_ns < at_ns]
    return any(set(_profiles(one.profile_list)) == {node} for one in before[-1:])


def _judge_state(node: str, state: ServerState, one: Obligation) -> None:
    one.met(state.place)
    for what, found in (("files", _in_files(state)), ("units", _in_units(state))):
        for profile in sorted(found - {node}):
            one.broken(f"{node} has {what} of {profile}, which is not its own", state.place)
        if node not in found:
            one.broken(f"{node} has no {what} of its own profile", state.place)


def _profiles(value: JsonValue) -> Iterator[str]:
    if isinstance(value, list):
        yield from (str(one) for one in value)


def _in_files(state: ServerState) -> set[str]:
    """Return the profiles that a node's configurations are of."""
    found = set[str]()
    for name, text in state.files.items():
        said = [one for one in read_config(text).get("setenv", []) if one.startswith(_PROFILE_ID)]
        found |= {one.removeprefix(_PROFILE_ID) for one in said} or {f"no profile ({name})"}
    return found


def _in_units(state: ServerState) -> set[str]:
    rows = [line.split() for line in state.units.splitlines()]
    active = (row[0] for row in rows if len(row) > 3 and row[2] == "active")
    return {match["profile"] for unit in active if (match := _UNIT.fullmatch(unit))}
