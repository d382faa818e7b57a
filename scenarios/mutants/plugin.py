"""`--mutants`: scenarios on deployments that are broken on purpose, an item a mutant.

An item passes when its mutant is killed: the requirement that it names is FAIL, for the reason that
it names, and no other one is that does not depend on it. Scenarios without a mutant are left out,
and those that take long are not. The run's `kills.json` and its report say what became of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from checks.engine.lateness import only_late
from checks.engine.mutants import Outcome, objection, outcomes_of, write_outcomes
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import read_verdicts
from evidence.history import FILE_NAME
from evidence.parts import read_histories
from lab.errors import ConformanceFailure, LabError
from scenarios.again import HostTooBusy
from scenarios.mutants.mutant import Mutant


@cache
def every() -> Mapping[str, tuple[Mutant, ...]]:
    """Return the mutants by the folder of their scenarios.

    Imported at first need: some of them know scenarios, which pytest imports in its own way.
    """
    from scenarios.mutants import (
        failover_running,
        failover_sessions,
        failover_setup,
        failover_takeovers,
        multi_node,
        multi_node_portal,
    )

    parts = (failover_setup, failover_running, failover_takeovers, failover_sessions)
    failover = tuple(mutant for mutants in (part.MUTANTS for part in parts) for mutant in mutants)
    nodes = (*multi_node.MUTANTS, *multi_node_portal.MUTANTS)
    return {"multi_node": nodes, "failover": failover}


NONE: Mapping[str, str] = {
    "MN-26": "no deployment makes an order right: every wrong one is tried, and named",
    "FO-48": "it is a table of networks, three of which are broken: each is the others' mutant",
}
"""Requirements that are shown and have no mutant, and why."""

_PARAMETER = "mutant"


def add_option(group: pytest.OptionGroup) -> None:
    """Declare --mutants."""
    group.addoption(
        "--mutants",
        action="store_true",
        help="break deployments on purpose: each check must find it out; no sign-off",
    )


def are_wanted(config: pytest.Config) -> bool:
    """Whether this is a run of mutants."""
    return bool(config.getoption("mutants"))


def refuse_another_heartbeat(config: pytest.Config) -> None:
    """Raise pytest.UsageError where mutants are wanted of a heartbeat that they do not break."""
    if are_wanted(config) and config.getoption("heartbeat") != "ucarp":
        raise pytest.UsageError(
            "--mutants: they break the guide's own heartbeat, ucarp: no --heartbeat beside it"
        )


def multiply(metafunc: pytest.Metafunc) -> None:
    """Make an item of each mutant of a scenario."""
    found = list(_of_scenario(metafunc.definition.path, metafunc.definition.originalname))
    if found:
        metafunc.fixturenames.append(_PARAMETER)  # no scenario has to ask which one it is
        metafunc.parametrize(_PARAMETER, found, ids=[mutant.name for mutant in found])


def leave_out_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what has no mutant."""
    left = [item for item in items if of_item(item) is None]
    items[:] = [item for item in items if of_item(item) is not None]
    config.hook.pytest_deselected(items=left)


def of_item(item: pytest.Item) -> Mutant | None:
    """Return the mutant that an item is about, None where it is about none."""
    callspec = getattr(item, "callspec", None)
    found = callspec.params.get(_PARAMETER) if callspec is not None else None
    return found if isinstance(found, Mutant) else None


def hold(mutant: Mutant, requirement: str, verdict: Verdict) -> Verdict:
    """Return a verdict that a mutant has to lead to; raise what is wrong with another.

    HostTooBusy where the host was too busy to tell: the scenario goes again, broken anew.
    """
    wrong = objection(mutant.event, requirement, verdict)
    if not wrong:
        return verdict
    said = f"{mutant.name} is not killed: {wrong}"
    if only_late(verdict):
        raise HostTooBusy(said)
    raise (ConformanceFailure if verdict.status is Status.FAIL else LabError)(said)


def kill_table(directory: Path) -> list[Outcome]:
    """Return what became of each mutant of a run that is over, and write its kill table."""
    if not (directory / FILE_NAME).exists():
        return []
    found = outcomes_of(read_histories(directory), read_verdicts(directory))
    write_outcomes(directory, found)
    return found


def _of_scenario(path: Path, name: str) -> Iterator[Mutant]:
    for mutant in every().get(path.parent.name, ()):
        if mutant.scenario == f"{path.name}::{name}":
            yield mutant
