"""Which check judges which requirement, and judging itself.

The model is Jepsen's: a scenario only acts and records, a check only judges. A check is a function
that reads `Evidence` and says what it owes (`obligations`), registered under a requirement's id:

    @check("MN-22")
    def rotates(evidence: Evidence, owed: Obligations) -> None: ...

`judge` never lets a check pass by accident, nor a host fail a deployment. Evidence that is missing
(`Missing`), too coarse (`Imprecise`) or damaged (`BadEvidence`), a hole in what was recorded, a
check that crashes and a host whose clock was set meanwhile are all UNKNOWN, with the reason. A
check may be accompanied by what is measured over repetitions of a scenario (`measures`). Checks
live in the topic modules of the packages below; they are imported at first need.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from checks.engine.obligations import Obligations
from checks.engine.requirements import catalogue
from checks.engine.verdict import Status, Verdict, unknown
from checks.protocols.spread import spread
from evidence.errors import EvidenceError
from evidence.events.run import HostLatenessUnknown
from evidence.scenario import Evidence

Check = Callable[[Evidence, Obligations], None]
Measure = Callable[[Evidence], Mapping[str, Sequence[float]]]
"""What was measured: seconds by the name of what lasted so long."""

TOPICS = ("checks.multi_node", "checks.failover", "checks.harness")

_checks: dict[str, Check] = {}
_measures: dict[str, Measure] = {}


def check(requirement_id: str) -> Callable[[Check], Check]:
    """Register a function as the check of a requirement.

    Raises UnknownRequirement for an id outside the catalogue, ValueError for a second check.
    """
    catalogue().get(requirement_id)

    def register(function: Check) -> Check:
        present = _checks.get(requirement_id)
        if present is not None and _name(present) != _name(function):
            raise ValueError(f"{requirement_id} is judged by {_name(present)} already")
        _checks[requirement_id] = function
        return function

    return register


def measures(requirement_id: str) -> Callable[[Measure], Measure]:
    """Register what a requirement's repetitions are measured by: the takeovers in one of them."""
    catalogue().get(requirement_id)

    def register(function: Measure) -> Measure:
        _measures[requirement_id] = function
        return function

    return register


def _name(function: Check) -> str:
    return f"{function.__module__}.{function.__qualname__}"


@cache
def _load() -> None:
    for name in TOPICS:
        try:
            package = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            continue
        for module in pkgutil.iter_modules(package.__path__, f"{name}."):
            importlib.import_module(module.name)


def checks() -> Mapping[str, Check]:
    """Return every check by the id of its requirement."""
    _load()
    return MappingProxyType(_checks)


def judge(requirement_id: str, evidence: Evidence) -> Verdict:
    """Judge one requirement by `evidence`.

    Raises UnknownRequirement for an id outside the catalogue; everything else is a verdict.
    """
    requirement = catalogue().get(requirement_id)
    function = checks().get(requirement.id)
    if function is None:
        return unknown(f"no check judges {requirement.id} yet")
    try:
        return _about(evidence.software, _rested_on(evidence, _run(function, evidence)))
    except EvidenceError as error:
        return unknown(f"{_kind(error)} evidence: {error.message}")
    except Exception as error:  # noqa: BLE001 - evidence may come from anywhere
        return unknown(f"what it rests on cannot be told: {type(error).__name__}: {error}")


def _run(function: Check, evidence: Evidence) -> Verdict:
    owed = Obligations()
    try:
        function(evidence, owed)
    except EvidenceError as error:
        owed.open(f"{_kind(error)} evidence: {error.message}")
    except Exception as error:  # noqa: BLE001 - whatever a check trips over is UNKNOWN, not a pass
        at = traceback.extract_tb(error.__traceback__)[-1]
        return unknown(
            f"the check crashed: {type(error).__name__}: {error} ({at.name}, line {at.lineno})"
        )
    for unknown_lateness in evidence.events(HostLatenessUnknown)[:1]:
        owed.forgive(unknown_lateness.reason)
    return owed.verdict()


def _rested_on(evidence: Evidence, verdict: Verdict) -> Verdict:
    """Cap a verdict whose evidence has a hole or is damaged, and name what it rests on."""
    flaws = evidence.flaws()
    if flaws:
        reasons = (*flaws, f"it would be {verdict.status}", *verdict.reasons)
        verdict = replace(verdict, status=Status.UNKNOWN, reasons=reasons, late=False)
    return replace(verdict, digests=evidence.digests())


def _about(software: str, verdict: Verdict) -> Verdict:
    """Say in the verdict which software it is about, where that was noted."""
    if not software:
        return verdict
    return replace(verdict, reasons=(*verdict.reasons, f"software: {software}"))


def _kind(error: EvidenceError) -> str:
    return {"BadEvidence": "bad"}.get(type(error).__name__, type(error).__name__.lower())


def figures(requirement_id: str, series: Iterable[Evidence]) -> list[str]:
    """Put the spread of what was measured over a series into words; none where nothing is.

    A repetition that cannot be measured is left out: its own verdict says why.
    """
    _load()
    measure = _measures.get(requirement_id)
    if measure is None:
        return []
    measured: dict[str, list[float]] = {}
    for evidence in series:
        # Whatever a measure trips over, its check does, too, and says so in the verdict.
        with contextlib.suppress(Exception):
            if not evidence.flaws():
                for what, seconds in measure(evidence).items():
                    measured.setdefault(what, []).extend(seconds)
    return [f"{what}: {spread(seconds)}" for what, seconds in measured.items() if seconds]
