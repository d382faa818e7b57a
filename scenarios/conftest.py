"""What scenarios of every kind share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lab.errors import ConformanceFailure, LabError
from scenarios.mutants import plugin as mutants
from scenarios.mutants.mutant import applied
from scenarios.requirements import requirements_of


@pytest.fixture(autouse=True)
def broken(request: pytest.FixtureRequest) -> Iterator[None]:
    """The deployment of a scenario that is about a mutant, broken before anything is provoked."""
    mutant = mutants.of_item(request.node)
    if mutant is None:
        yield
        return
    pair = request.getfixturevalue("pair") if "pair" in request.fixturenames else None
    lab, history = (request.getfixturevalue(name) for name in ("lab", "history"))
    with applied(mutant, lab, history, pair):
        yield


@pytest.fixture
def judge_each(
    request: pytest.FixtureRequest, judge: Callable[[str], object]
) -> Callable[..., None]:
    """Judge several requirements by one recording: each of them, whatever comes of the others.

    Where none is named: all that the scenario is marked for.
    """

    def each(*named: str) -> None:
        requirements = named or requirements_of(request.node)
        errors: list[Exception] = []
        for requirement in requirements:
            try:
                judge(requirement)
            except (ConformanceFailure, LabError) as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(requirements)} not shown", errors)

    return each
