"""`python -m checks verify RUN` of a run of a matrix: each combination, and the seal over all.

Each is verified as a run of its own. One that cannot be read, could not run, or did not come to its
end is UNKNOWN at best, and the others are verified all the same: what it had judged by then is not
all that it was to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from checks.engine.joint import broken
from checks.last_line import BROKEN_OFF, UNJUDGED, complain, ended
from evidence.combinations import (
    OUTCOMES,
    Combination,
    Outcome,
    Outcomes,
    combinations_of,
    outcomes_of,
)
from evidence.printable import visible

_WORDS = {0: ("PASS", "green"), 1: ("FAIL", "red")}
_UNKNOWN = ("UNKNOWN", "yellow")


def verify_each(
    run: Path, console: Console, seal: str, verify: Callable[[Path, Console, str], int]
) -> int:
    """Verify a run by `verify`; of a matrix every combination, and what holds them together.

    Return the exit status: 1 when one of them ends so, 0 when all do and nothing was altered.
    """
    combinations = combinations_of(run)
    if not combinations:
        return verify(run, console, seal)
    said = outcomes_of(run)
    ends: dict[str, int] = {}
    for one in combinations:
        _print(console, f"combination {one.name}: ", visible(one.title))
        ends[one.name] = _verified(one, said, console, verify)
        if ends[one.name] == BROKEN_OFF:
            return BROKEN_OFF
    found = [("altered", "red", one) for one in broken(run, seal)]
    if not said.seal:
        why = f"{OUTCOMES}: no seal: the run did not end, or the seal was removed"
        found.append(("open", "yellow", why))
    for word, colour, what in found:
        _print(console, (word, colour), ": ", visible(what))
    if found:
        complain(f"{found[0][0]}: {found[0][2]}")
    for name, status in ends.items():
        _print(console, f"{name}: ", _WORDS.get(status, _UNKNOWN))
    status = _all_in_all(list(ends.values()), sound=not found)
    _print(console, "evidence sealed: ", visible(said.seal or "no"))
    counts = f"combinations: {len(ends)}; all in all "
    _print(console, counts, _WORDS.get(status, _UNKNOWN))
    return status


def _verified(
    one: Combination, said: Outcomes, console: Console, verify: Callable[[Path, Console, str], int]
) -> int:
    outcome = said.combinations.get(one.name, Outcome())
    if not one.recorded:
        _print(console, _UNKNOWN, ": ", visible(outcome.why or "nothing of it was recorded"))
        return UNJUDGED
    status = ended(partial(verify, one.directory, console, ""))
    if why := outcome.cut:
        _print(console, _UNKNOWN, ": ", visible(f"it did not come to its end: {why}"))
        return status or UNJUDGED
    return status


def _all_in_all(ends: Sequence[int], *, sound: bool) -> int:
    if 1 in ends:
        return 1
    return 0 if sound and not any(ends) else UNJUDGED


def _print(console: Console, *parts: str | tuple[str, str]) -> None:
    console.print(Text.assemble(*parts), soft_wrap=True, highlight=False)
