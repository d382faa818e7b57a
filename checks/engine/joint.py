"""The seal of a run of a matrix: one hash over the seals of all its combinations.

It is over `matrix.json`, which holds the seal of each combination, what became of it, and the
SHA-256 of `run.json`, which names them. Each combination's own seal is over all of its evidence
(`seal`), so this one is over all there is; what that cannot tell is said there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from checks.engine.seal import sealed
from evidence.combinations import FOLDER, OUTCOMES, Outcome, Outcomes, combinations_of, outcomes_of
from evidence.errors import EvidenceError
from evidence.files import LARGEST_TABLE, read_whole
from evidence.run import RunDirectory


def sealing(run: Path, became: Mapping[str, Outcome]) -> Outcomes:
    """Return what `matrix.json` is to say of a run that is over, with its seal.

    Raises BadEvidence when `run.json` cannot be read.
    """
    each = {
        one.name: became.get(one.name, Outcome()).model_copy(update={"seal": _seal(one.directory)})
        for one in combinations_of(run)
    }
    made = Outcomes(combinations=each, run=_digest(run))
    return made.model_copy(update={"seal": _seal_of(made)})


def broken(run: Path, kept: str = "") -> Iterator[str]:
    """Yield what differs from what was sealed; `kept`: the seal that somebody kept elsewhere.

    What differs within a combination its own seal tells. Raises BadEvidence for what is not read.
    """
    said = outcomes_of(run)
    combinations = combinations_of(run)
    if kept and said.seal != kept.strip().lower():
        yield f"{OUTCOMES}: the seal is {said.seal or 'not there'}, and another one was kept"
    for name in sorted(_folders(run) - {one.name for one in combinations}):
        yield f"{FOLDER}/{name}: is no combination that {RunDirectory(run).facts_file.name} names"
    if not said.seal:
        return
    if said.seal != _seal_of(said):
        yield f"{OUTCOMES}: it was altered after it had been sealed"
    if said.run != _digest(run):
        yield f"{RunDirectory(run).facts_file.name}: it was altered after it had been sealed"
    for one in combinations:
        if _seal(one.directory) != said.combinations.get(one.name, Outcome()).seal:
            yield f"{one.place}: its seal is another than when the run was sealed"


def _seal(directory: Path) -> str:
    try:
        return sealed(directory)
    except EvidenceError:
        return ""


def _seal_of(said: Outcomes) -> str:
    content = said.model_dump(exclude={"seal"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _digest(run: Path) -> str:
    content = read_whole(RunDirectory(run).facts_file, "facts of a run", LARGEST_TABLE)
    return hashlib.sha256(content).hexdigest()


def _folders(run: Path) -> set[str]:
    try:
        return {path.name for path in (run / FOLDER).iterdir() if not path.name.startswith(".")}
    except OSError:
        return set()
