"""Judge again what a run has said so far, by its files: `python -m scenarios.harness.again RUN`.

Imports checks and nothing of a lab. Prints how many verdicts there were and how many of them rest
on frames, and each that differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from checks.engine.judging import judge_again
from checks.engine.verdicts import read_verdicts


def main(run: Path) -> None:
    """Print two counts, and a line for each verdict that is not the same again."""
    known = {
        (requirement, scenario, number)
        for requirement, scenarios in read_verdicts(run).attempts.items()
        for scenario, attempts in scenarios.items()
        for number in attempts
    }
    found = [
        one
        for one in judge_again(run)
        if (one.requirement, one.scenario, one.attempt) in known  # others are being judged now
    ]
    on_capture = sum(any(file.endswith(".pcapng") for file in one.again.digests) for one in found)
    print(len(found), on_capture)  # noqa: T201 - it is asked for
    for one in found:
        if not one.same:
            was = one.recorded.status if one.recorded else "nothing"
            said = f"{one.requirement} of {one.scenario}: was {was}, is {one.again.status}"
            print(said)  # noqa: T201 - it is asked for


if __name__ == "__main__":
    main(Path(sys.argv[1]))
