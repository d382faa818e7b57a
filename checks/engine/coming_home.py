"""What came home from the hosts of a run: judged by the evidence that came, and kept as the run's.

A host judges each scenario for itself, as one machine's run does. Home judges again, by what it has
of that host's part and nothing else, so that the run's verdicts rest on the run's own files, and
name them. A FAIL that the host gave stays one, whatever came home. What was begun and not judged is
UNKNOWN once its host is lost, or the run is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from checks.engine.attempts import Attempt, attempts_of, earlier_elsewhere
from checks.engine.judging import judge_attempt, unmarked
from checks.engine.verdict import Status, Verdict, unknown
from checks.engine.verdicts import FILE_NAME, Verdicts, read_verdicts, record_verdict
from evidence.arrivals import hosts_of, since_arrival
from evidence.errors import EvidenceError
from evidence.events.hosts import EvidenceArrived, HostLost
from evidence.events.run import SeriesJudged
from evidence.files import is_there
from evidence.history import read_history
from evidence.parts import Histories, Part, parts_of, prefix_of
from evidence.run import RunDirectory

Key = tuple[str, str, int]
"""Requirement, scenario, number of the attempt over all parts."""


@dataclass(frozen=True)
class CameHome:
    """The verdicts that were made anew of what came home, and what is wrong with what came."""

    verdicts: Mapping[Key, Verdict]
    wrong: tuple[str, ...]


def take_home(directory: Path, host: str = "") -> CameHome:
    """Judge what came home to the run in `directory`, of one host or of all, and keep the verdicts.

    To be called when evidence of a scenario has arrived or its host was recorded as lost, and once
    more for all before series are judged: what was judged already is passed over. What its host has
    not judged may rest on evidence that is still to come, and waits until the run is over. Nothing
    is done to a run without hosts. Of one that is over (no host is named) what was begun and never
    judged is UNKNOWN. wrong: lines of a history that are damaged, but for an end that may yet
    come, and files that are not what their host read.
    """
    if len(parts_of(directory)) == 1 and not is_there(RunDirectory(directory).history):
        return CameHome({}, ())
    histories = _histories(directory, host)
    kept = read_verdicts(directory).attempts
    made: dict[Key, Verdict] = {}
    wrong = list(_since_it_came(directory, histories, host))
    attempts = attempts_of(histories)
    for part, recording in histories:
        if not part.host or (host and part.host != host):
            continue
        wrong += [str(one) for one in recording.damage if not one.is_torn_end]
        try:
            said = _said_there(histories, part)
        except EvidenceError as error:
            said = {}
            wrong.append(error.message)
        own = [one for one in attempts if one.part == part.prefix]
        for key, verdict in _verdicts(histories, own, said, kept, over=not host):
            requirement, scenario, number = key
            made[key] = verdict
            record_verdict(directory, requirement, scenario, verdict, number)
    return CameHome(made, tuple(wrong))


def _since_it_came(directory: Path, histories: Histories, host: str) -> Iterator[str]:
    """Yield what is not as it came any more, of one host, or of all of which some came."""
    arrived = histories.own.of(EvidenceArrived)
    for name in hosts_of(arrived):
        if host in ("", name):
            prefix = prefix_of(name)
            for one in since_arrival(directory / prefix, name, arrived):
                yield prefix + one


def _histories(directory: Path, host: str) -> Histories:
    """Read the run's own history, and those of the host, or of all; of the lost ones always."""
    own = read_history(RunDirectory(directory).history)
    lost = {one.host for one in own.of(HostLost)}
    parts = {
        part.prefix: part
        for part in parts_of(directory)
        if not host or part.host in ("", host, *lost)
    }
    read = {prefix: part.read() for prefix, part in parts.items() if part.host}
    return Histories(parts, {"": own, **read})


def _said_there(histories: Histories, part: Part) -> dict[Key, Verdict]:
    """Return what a host said itself, but for its series: these are judged over all hosts."""
    series = {one.scenario for one in histories.recordings[part.prefix].of(SeriesJudged)}
    return {
        (requirement, scenario, number + earlier): _named(verdict, part.prefix)
        for requirement, scenarios in read_verdicts(part.directory).attempts.items()
        for scenario, attempts in scenarios.items()
        if scenario not in series
        for earlier in (earlier_elsewhere(histories, scenario, part.prefix),)
        for number, verdict in attempts.items()
    }


def _left_open(histories: Histories, attempt: Attempt, *, over: bool) -> str:
    """Say why what a host had begun will not be judged; "" while it may be."""
    host = histories.parts[attempt.part].host
    for lost in histories.own.of(HostLost):
        if lost.host == host and attempt.scenario in lost.cut:
            return f"its host {host} was lost before it was judged: {lost.why}"
    return "it was not judged before the run was over" if over else ""


def _verdicts(
    histories: Histories,
    attempts: list[Attempt],
    said: Mapping[Key, Verdict],
    kept: Mapping[str, Mapping[str, Mapping[int, Verdict]]],
    *,
    over: bool,
) -> Iterator[tuple[Key, Verdict]]:
    left = dict(said)
    for one in attempts:
        for requirement in dict.fromkeys((*one.requirements, *one.judged)):
            key = (requirement, one.scenario, one.number)
            there = left.pop(key, None)
            present = kept.get(requirement, {}).get(one.scenario, {}).get(one.number)
            if requirement in one.judged:
                if there is None and not over:
                    continue
                place = one.at(one.judged[requirement])
                if not _is_settled(present, place, there):
                    yield key, _worse(judge_attempt(one, requirement, histories), there)
            elif there is not None:
                yield key, unmarked(there)
            elif why := _left_open(histories, one, over=over):
                yield key, unknown(why, evidence=(one.place,))
    for key, there in left.items():  # of what broke before it began
        yield key, unmarked(there)


def _is_settled(present: Verdict | None, place: str, there: Verdict | None) -> bool:
    """Whether the run has a verdict of that moment, and its host says nothing else."""
    if present is None or place not in present.digests:
        return False
    return there is None or there.status is present.status


def _worse(here: Verdict, there: Verdict | None) -> Verdict:
    """Return the verdict by what came home, but never let go of a FAIL of the host's."""
    if there is None or there.status is not Status.FAIL or here.status is Status.FAIL:
        return here
    said = f"so its host judged; by what came home it would be {here.status}"
    return replace(there, reasons=(*there.reasons, said))


def _named(verdict: Verdict, prefix: str) -> Verdict:
    """Name the evidence of a host's own verdict as the run names it."""
    return replace(
        verdict,
        evidence=tuple(prefix + place for place in verdict.evidence),
        digests={prefix + place: digest for place, digest in verdict.digests.items()},
    )


def told_otherwise(histories: Histories, verdicts: Verdicts) -> Iterator[str]:
    """Yield where a host said something else of its scenarios than the run does."""
    for part, _ in histories:
        if not part.host:
            continue
        try:
            said = _said_there(histories, part)
        except EvidenceError as error:
            yield error.message
            continue
        for (requirement, scenario, number), there in said.items():
            here = verdicts.attempts.get(requirement, {}).get(scenario, {}).get(number)
            if here is None or here.status is not there.status:
                status = here.status if here else "not there"
                yield (
                    f"{prefix_of(part.host)}{FILE_NAME}: {requirement} by {scenario} was"
                    f" {there.status} on its host, and is {status} in the run's {FILE_NAME}"
                )
