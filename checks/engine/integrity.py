"""Whether a run's evidence and verdicts are what they were, and all that was to be judged was.

Four things hold a run together: each line of the history has the hash of the one before; captures
have marks with digests; verdicts name the hashes of what they rest on; and the seal is made over
all of it. A fifth holds parts of hosts to the run: its own history has the hash of what came home.
Every file is looked at, also what no verdict uses. Judging again is another matter
(`judging`), and what a hash cannot tell stands in `seal`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from checks.engine.attempts import Attempt, attempts_of, begun_twice, counted_twice
from checks.engine.coming_home import told_otherwise
from checks.engine.seal import SEAL, SEALED, broken, sealed, to_judge
from checks.engine.series import left_unjudged
from checks.engine.verdicts import FILE_NAME, read_tables, read_verdicts, tables_of
from evidence.arrivals import hosts_of, other_than_arrived, since_arrival, wrong_at_arrival
from evidence.capture import verify
from evidence.errors import EvidenceError
from evidence.events.hosts import EvidenceArrived, HostJoined, HostLost
from evidence.files import inside
from evidence.parts import Histories, Part, prefix_of, read_histories
from evidence.pcapng import CUT
from evidence.recording import Recording

_Wrong = Literal["altered", "damaged", "cut"]
"""As in `Integrity`."""


@dataclass(frozen=True)
class Integrity:
    """What is wrong with a run as it lies there.

    altered: what cannot have come about by itself. damaged: lines and captures that are not as
    they were written, be it by a process that died or by somebody; the seal tells which. open:
    what was never judged, or never closed.
    """

    altered: tuple[str, ...]
    damaged: tuple[str, ...]
    open: tuple[str, ...]
    cut: tuple[str, ...] = ()
    """What ends in the middle because its host was lost: told, and no reason to doubt the rest."""


def integrity(directory: Path, seal: str = "", histories: Histories | None = None) -> Integrity:
    """Look at every file of a run; `seal`: what was printed when it ended, if somebody kept it.

    histories: the run's, for who has read them already. Raises BadEvidence when its own history or
    its verdicts cannot be read at all.
    """
    if histories is None:
        histories = read_histories(directory)
    attempts = attempts_of(histories)
    other = _other_than_it_came(directory, histories)
    altered = (
        *_without_verdict(directory, attempts),
        *begun_twice(histories, attempts),
        *other["altered"],
        *_unheard_of(histories),
        *_summary(directory),
        *broken(directory, seal),
    )
    damaged: list[str] = []
    cut: list[str] = []
    lost = {prefix_of(host) for host in _lost(histories)}
    for part, recording in histories:
        for one in _damaged(part, recording):
            (cut if one.is_end and part.prefix in lost else damaged).append(one.what)
    damaged += _wrong_when_it_came(histories)
    damaged += other["damaged"]
    damaged += told_otherwise(histories, read_verdicts(directory))
    cut += other["cut"]
    still_open = tuple(_open(directory, histories, attempts))
    return Integrity(altered, tuple(damaged), still_open, tuple(cut))


def _without_verdict(directory: Path, attempts: list[Attempt]) -> Iterator[str]:
    yield from counted_twice(attempts)
    said = read_verdicts(directory).attempts
    for one in attempts:
        for requirement, line in one.judged.items():
            if one.number not in said.get(requirement, {}).get(one.scenario, {}):
                yield (
                    f"{one.at(line)}: {requirement} was judged here,"
                    f" and {FILE_NAME} has no verdict of it"
                )


def _other_than_it_came(directory: Path, histories: Histories) -> dict[_Wrong, list[str]]:
    """Return what is not as it came last, of each host, by what that makes it.

    It is altered, unless its host was lost: what was on its way then came in part. That may be more
    than what came before, and is cut; what is less than that is damaged.
    """
    found: dict[_Wrong, list[str]] = {"altered": [], "damaged": [], "cut": []}
    arrived, lost = histories.own.of(EvidenceArrived), _lost(histories)
    for host in hosts_of(arrived):
        prefix = prefix_of(host)
        sure = {*since_arrival(directory / prefix, host, arrived)} if host in lost else set()
        for one in other_than_arrived(directory / prefix, host, arrived):
            if host not in lost:
                found["altered"].append(prefix + one)
            else:
                found["damaged" if one in sure else "cut"].append(prefix + one)
    return found


def _lost(histories: Histories) -> set[str]:
    return {one.host for one in histories.own.of(HostLost)}


def _unheard_of(histories: Histories) -> Iterator[str]:
    known = {one.host for one in histories.own.of(HostJoined)}
    known.update(hosts_of(histories.own.of(EvidenceArrived)))
    for part, _ in histories:
        if part.host and part.host not in known:
            yield f"{part.prefix}: the history of the run knows of no such host"


def _wrong_when_it_came(histories: Histories) -> Iterator[str]:
    arrived = histories.own.of(EvidenceArrived)
    for host in hosts_of(arrived):
        for told in wrong_at_arrival(host, arrived):
            yield f"what came from {host}: {told}"


@dataclass(frozen=True)
class _Damage:
    """Damage of a part's file. is_end: whether all that is wrong is that its end is missing."""

    what: str
    is_end: bool


def _damaged(part: Part, recording: Recording) -> Iterator[_Damage]:
    for one in recording.damage:
        yield _Damage(str(one), one.is_torn_end)
    for path in sorted(part.directory.glob("wire/*.pcapng")):
        try:
            why = verify(inside(part.directory, part.files.place(path)))
        except EvidenceError as error:
            why = error.message
        if why:
            yield _Damage(f"{part.place(path)}: {why}", why.startswith(CUT))


def _summary(directory: Path) -> Iterator[str]:
    """Compare what the file says of each requirement with what its parts make of it."""
    tables = read_tables(directory)
    if not tables:
        return
    made = tables_of(read_verdicts(directory))
    for requirement, right in made["requirements"].items():
        said = tables["requirements"][requirement]
        where = f"{FILE_NAME}: {requirement}"
        if said.get("status") != right["status"]:
            yield f"{where} is said to be {said.get('status')}, and its parts are {right['status']}"
        for scenario, part in right["scenarios"].items():
            status = said["scenarios"][scenario].get("status")
            if status != part["status"]:
                yield (
                    f"{where} by {scenario} is said to be {status},"
                    f" and its attempts are {part['status']}"
                )
        if said != right:
            yield f"{where}: what it says is not what its parts say"
    own = ("requirements", SEAL, SEALED)
    if any(tables.get(name) != made.get(name) for name in {*tables, *made}.difference(own)):
        yield f"{FILE_NAME}: what it says of the whole run is not what its parts say"


def _open(directory: Path, histories: Histories, attempts: list[Attempt]) -> Iterator[str]:
    said = read_verdicts(directory)
    try:
        wanted = to_judge(directory, attempts)
    except EvidenceError as error:
        yield error.message
        wanted = {}
    for requirement, place in wanted.items():
        if not said.attempts.get(requirement):
            yield f"{place}: {requirement} was to be judged, and never was"
    for requirement in said.never_judged:
        yield f"{FILE_NAME}: {requirement} was to be judged, and never was"
    for one in attempts:
        for requirement in one.requirements:
            if one.number not in said.attempts.get(requirement, {}).get(one.scenario, {}):
                yield (
                    f"{one.place}: attempt {one.number} of {one.scenario} was to be judged"
                    f" for {requirement}, and never was"
                )
    for series in left_unjudged(histories, attempts):
        yield (
            f"{FILE_NAME}: {series.requirement} was to be judged over the repetitions of"
            f" {series.name}, and never was over all that began"
        )
    yield from _lost_and_not_taken(histories, attempts)
    if not sealed(directory):
        yield f"{FILE_NAME}: no seal: the run did not end, or the seal was removed"


def _lost_and_not_taken(histories: Histories, attempts: list[Attempt]) -> Iterator[str]:
    begun = {one.scenario for one in attempts}
    for lost in histories.own.of(HostLost):
        for scenario in lost.cut:
            if scenario not in begun:
                yield (
                    f"{lost.place}: {scenario} was cut with {lost.host}:"
                    " nothing of it came home, and nobody took it"
                )
