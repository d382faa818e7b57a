"""What scenarios of every kind share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.errors import ConformanceFailure, LabError


@pytest.fixture
def judge_each(judge: Callable[[str], object]) -> Callable[..., None]:
    """Judge several requirements by one recording: each of them, whatever comes of the others."""

    def each(*requirements: str) -> None:
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
