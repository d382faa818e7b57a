"""LAB-06: a lab file or an image that is wrong is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evidence.history import History
from scenarios.harness.refusals import record_refusals


@pytest.mark.requirement("LAB-06")
def test_wrong_lab_files_and_images_are_refused_in_clear_words(
    history: History, judge: Callable[[str], object]
) -> None:
    record_refusals(history)
    judge("LAB-06")
