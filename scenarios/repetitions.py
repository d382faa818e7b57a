"""Repetitions of a fault as items of their own: `test_power_off[3/20]`.

They run on any worker, fail one by one, and can be run again alone. Each judges what it shows by
itself; the requirement is judged over all of them when the run is over
(`checks.engine.series`), and that verdict counts: a run in which every item passed fails when it
is not PASS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest

from checks.engine.repetition import Repetition, identity
from checks.engine.series import SeriesVerdict
from checks.engine.verdict import Status

TIMES, FULL_TIMES = 3, 20


def repetitions(full: bool) -> int:
    """Return how often a fault is provoked: in a sign-off run, or in a quick one."""
    return FULL_TIMES if full else TIMES


def repeat(metafunc: pytest.Metafunc, full: bool) -> None:
    """Make an item of each repetition of a scenario that is marked `repeated`.

    `repeated(full=10)`: so many in a sign-off run.
    """
    mark = metafunc.definition.get_closest_marker("repeated")
    if mark is None:
        return
    of = mark.kwargs.get("full", FULL_TIMES) if full else TIMES
    numbers = range(1, of + 1)
    metafunc.fixturenames.append("repetition")  # no scenario has to ask which one it is
    metafunc.parametrize("repetition", numbers, ids=[identity(number, of) for number in numbers])


def fail_the_run(verdicts: Iterable[SeriesVerdict], arguments: Sequence[str]) -> bool:
    """Whether a run is no success by what its series came to, whatever became of its items.

    A series of which the user chose single repetitions, by name, may be incomplete.
    """
    return any(
        one.verdict.status is not Status.PASS
        and not (one.only_incomplete and _is_chosen(one.series.name, arguments))
        for one in verdicts
    )


def _is_chosen(series: str, arguments: Sequence[str]) -> bool:
    test = _test(series)
    named = (Repetition.named(argument) for argument in arguments)
    return any(one is not None and _test(one.series) == test for one in named)


def _test(series: str) -> str:
    """Return the name of a series without its path, which may be written in many ways."""
    return series.partition("::")[2]


def in_words(verdicts: Iterable[SeriesVerdict], requirement: str) -> Iterator[str]:
    """Yield lines on the series that a requirement was judged over: how many, and how fast."""
    for one in verdicts:
        if one.series.requirement == requirement:
            count, *reasons = one.verdict.reasons
            yield f"{_test(one.series.name)}: {count}"
            yield from (f"  {reason}" for reason in reasons)
