"""The first screen: the verdict in a sentence, what was tested, counts, and what was not shown."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checks.engine.requirements import catalogue
from checks.engine.verdict import Status, worst
from evidence.events.run import ScenarioStarted
from evidence.moment import NS
from report.kills import broken, is_of_mutants
from report.kills import sentence as of_mutants
from report.lacks import Lack
from report.limits import DROP_IN, limits, on_stand_ins
from report.matrix import Row
from report.outcomes import FOUND_NONE, NOT_SEARCHED
from report.reading import Departure, Material
from report.words import conjoined, listed, table, text

NOT_RECORDED = "not recorded"
_SHORT_COMMIT = 12
"""So much of a commit of the software is on the page; report.json has all of it."""
NOT_SEALED = "none: the run did not end, or was never sealed"
_SOFTWARE, _SCENARIOS, _SECRETS = "Software", "Scenarios", "Secrets"
DIRTY, MAY_BE_DIRTY = "with uncommitted changes", "whether dirty is not recorded"


@dataclass(frozen=True)
class Fact:
    """Something of what was tested; doubtful: it is not recorded, or somebody has to look at it."""

    name: str
    value: str
    doubtful: bool


@dataclass(frozen=True)
class Unshown:
    """Requirements of one kind that this run has not shown: why, and which."""

    why: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """What stands on the first screen. limits: what nothing in this run could have shown."""

    status: Status
    sentence: str
    tested: tuple[Fact, ...]
    counts: Mapping[str, int]
    departures: tuple[Departure, ...]
    limits: tuple[str, ...]
    unshown: tuple[Unshown, ...]
    lacks: tuple[Lack, ...]
    altered: tuple[str, ...]
    trouble: tuple[str, ...]


def summary(material: Material, rows: Sequence[Row]) -> Summary:
    """Put a run into what a first screen holds; `rows`: its requirements."""
    statuses = [row.status for row in rows]
    status = worst(statuses + [Status.UNKNOWN] * bool(material.altered or material.lacks))
    said = sentence(status, rows, material)
    if is_of_mutants(material):  # neither a PASS nor a FAIL of it is one of a deployment
        status, said = Status.UNKNOWN, of_mutants(broken(material))
    counts = {str(one): statuses.count(one) for one in (Status.PASS, Status.FAIL, Status.UNKNOWN)}
    return Summary(
        status,
        said,
        tuple(Fact(*one, _is_doubtful(*one)) for one in tested(material, rows)),
        counts,
        material.departures,
        tuple(limits(material, rows)),
        tuple(unshown(rows)),
        material.lacks,
        material.altered,
        material.trouble,
    )


def sentence(status: Status, rows: Sequence[Row], material: Material) -> str:
    """Say in one sentence what became of the run."""
    judged = [row for row in rows if row.judged]
    if not judged:
        return "Nothing was judged: this run shows nothing."
    said = _sentence(status, rows, material)
    if guides := on_stand_ins(material, rows):
        said += (
            f" For the {conjoined(guides)} guide{'s' * (len(guides) != 1)}, this project's stand-in"
            " (drop-in) was tested, not the software that"
            f" {'this guide is' if len(guides) == 1 else 'these guides are'} about."
        )
    return said


def _sentence(status: Status, rows: Sequence[Row], material: Material) -> str:
    of = f"{len(rows)} requirement{'s' * (len(rows) != 1)} of this run"
    failed = [row.id for row in rows if row.status is Status.FAIL]
    open_ = [row.id for row in rows if row.status is Status.UNKNOWN]
    if status is Status.FAIL:
        said = f"{len(failed)} of the {of} {_were(failed)} seen to be broken: {listed(failed)}"
        return said + (f"; {len(open_)} could not be shown." if open_ else ".")
    if open_:
        return (
            f"Nothing was seen to be broken, but {len(open_)} of the {of} could not be shown:"
            f" {listed(open_)}."
        )
    if material.altered:
        return f"All {of} were judged PASS, but the evidence was altered since."
    if material.outcomes.shareable is False:
        return f"All {of} were judged PASS, but the evidence is not to be shared: see leaks.json."
    if material.lacks:
        return f"All {of} were judged PASS, but the evidence is not whole."
    if len(rows) == 1:
        return "The one requirement of this run was shown to be kept."
    return f"All {of} were shown to be kept."


def _were(ids: Sequence[str]) -> str:
    return "was" if len(ids) == 1 else "were"


def tested(material: Material, rows: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Yield what was tested, on what, and how: a name and a value each."""
    facts = material.facts

    def fact(name: str) -> str:
        return text(facts.get(name)) or NOT_RECORDED

    guides = sorted({row.guide for row in rows})
    yield "Guide", ", ".join(guides) or NOT_RECORDED
    yield _SOFTWARE, _software(facts.get("software")) or NOT_RECORDED
    yield "Image", fact("image")
    yield "Image made from", fact("image_source")
    yield "Accelerator", fact("accelerator")
    processors = f", {facts['processors']} processors" if facts.get("processors") else ""
    yield "Host", fact("host") + processors
    yield "Revision", _revision(facts.get("revision"))
    yield "Command line", fact("command")
    yield "Seed", fact("seed")
    yield "Versions", _versions(facts)
    yield "Started", fact("started")
    yield "Last event", _last(material) or NOT_RECORDED
    yield "Labs", _labs(material) or NOT_RECORDED
    yield _SCENARIOS, material.outcomes.counted or NOT_RECORDED
    yield "Repeated", _repeated(material)
    yield _SECRETS, material.outcomes.secrets
    yield "Evidence", str(material.directory.absolute())
    yield "Seal", material.seal or NOT_SEALED


def _is_doubtful(name: str, value: str) -> bool:
    if value in (NOT_RECORDED, NOT_SEALED, NOT_SEARCHED):
        return True
    if name == _SECRETS:
        return FOUND_NONE not in value
    if name == _SCENARIOS:
        return any(word in value for word in (" failed", " skipped"))
    return (name == _SOFTWARE and DROP_IN in value) or value.endswith((DIRTY, MAY_BE_DIRTY))


def _repeated(material: Material) -> str:
    """Say how many attempts were begun again: a reader should know that there were others."""
    most = Counter[str]()
    for one in material.attempts:
        most[one.scenario] = max(most[one.scenario], one.number)
    again = [number - 1 for number in most.values() if number > 1]
    if not again:
        return "none"
    return (
        f"{sum(again)} attempt{'s' * (sum(again) != 1)} of {len(again)}"
        f" scenario{'s' * (len(again) != 1)}; the last one counts, unless one was FAIL"
    )


def _software(told: object) -> str:
    """Write what software followed the guides: its name, why that one, and its commits."""
    guides = table(told)
    if not guides or not all(isinstance(one, dict) for one in guides.values()):
        return text(told)
    return "; ".join(f"{guide}: {_of_guide(one)}" for guide, one in guides.items())


def _of_guide(told: Mapping[str, Any]) -> str:
    commits = told.get("commits")
    pairs = commits if isinstance(commits, list) else []
    each = [
        f"{one[0]} {str(one[1])[:_SHORT_COMMIT]}"
        for one in pairs
        if isinstance(one, list) and len(one) == 2
    ]
    others = [text(told[name]) for name in told if name != "commits"]
    if told.get("name") == DROP_IN:
        others[0] = f"{DROP_IN} (this project's stand-in)"
    return ", ".join([*filter(None, others), *each])


def _revision(told: object) -> str:
    revision = table(told)
    if not revision:
        return NOT_RECORDED
    dirty = revision.get("uncommitted_changes")
    state = MAY_BE_DIRTY
    if isinstance(dirty, bool):
        state = DIRTY if dirty else "no uncommitted changes"
    return f"{revision.get('commit', 'unknown')}, {state}"


def _versions(facts: Mapping[str, Any]) -> str:
    packages = [f"{name} {version}" for name, version in table(facts.get("packages")).items()]
    python = [f"Python {facts['python']}"] if facts.get("python") else []
    return ", ".join([*python, *packages]) or NOT_RECORDED


def _last(material: Material) -> str:
    times = [line.event.at_ns for line in material.histories.own.lines]
    told = " (home's)" if material.histories.over_hosts else ""
    return stamp(max(times)) + told if times else ""


def _labs(material: Material) -> str:
    """Count the labs of a run: those that its facts name, of hosts those that scenarios ran in."""
    if not material.histories.over_hosts:
        told = material.facts.get("labs")
        return str(len(table(told))) if told else ""
    labs = {
        (part.host, event.lab)
        for part, recording in material.histories
        for event in recording.of(ScenarioStarted)
    }
    return str(len(labs))


def stamp(at_ns: int) -> str:
    """Write a moment as a date."""
    seconds, rest = divmod(at_ns, NS)
    try:
        at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at_ns} ns"
    return f"{at:%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d} UTC"


def unshown(rows: Sequence[Row]) -> Iterator[Unshown]:
    """Yield what this run has not shown: judged UNKNOWN, never judged, or not part of it."""
    yield from _kind("UNKNOWN: the evidence cannot show it", rows, judged=True)
    yield from _kind("to be judged by this run, and never was", rows, judged=False)
    here = {row.id for row in rows}
    for guide in dict.fromkeys(one.guide for one in catalogue()):
        own = [one.id for one in catalogue() if one.guide == guide]
        left = tuple(one for one in own if one not in here)
        if len(left) == len(own):
            yield Unshown(f"{guide}: no requirement was part of this run", left)
        elif left:
            yield Unshown(f"{guide}: not part of this run", left)


def _kind(why: str, rows: Sequence[Row], *, judged: bool) -> Iterator[Unshown]:
    ids = [row.id for row in rows if row.status is Status.UNKNOWN and row.judged is judged]
    if ids:
        yield Unshown(why, tuple(ids))
