"""FO-02: a configuration recorded file by file is compared as a whole."""

from __future__ import annotations

from pathlib import Path

from tests.checks.failover.recording import Run, passes, rejects, unsure
from tests.checks.failover.test_setup import prepared

SEEDED = {"config.db": "a", "userprop.db": "b"}
WIPED = {"config.db": "c", "userprop.db": "absent"}


def by_file(run: Run) -> Run:
    """Record each file's own hash before and after each answer."""
    for event in run.events:
        if event[1] == "init.asked":
            wiped = event[3]["before"] != event[3]["after"]
            event[3].update(before=SEEDED, after=WIPED if wiped else SEEDED)
    return run


def test_a_configuration_recorded_file_by_file_passes(tmp_path: Path) -> None:
    passes(by_file(prepared(tmp_path)).judge("FO-02"))


def test_a_wipe_of_one_file_by_another_word_is_rejected(tmp_path: Path) -> None:
    run = by_file(prepared(tmp_path))
    left = {**SEEDED, "userprop.db": "absent"}
    run.event(1, "init.asked", "secondary", answer="Yes", status=0, before=SEEDED, after=left)
    rejects(run.judge("FO-02"), "'Yes' wiped the configuration")


def test_an_answer_where_no_file_was_left_to_wipe_says_nothing(tmp_path: Path) -> None:
    run = by_file(prepared(tmp_path))
    run.event(2.5, "init.asked", "secondary", answer="no", status=1, before=WIPED, after=WIPED)
    unsure(run.judge("FO-02"), "nothing was left to wipe")
