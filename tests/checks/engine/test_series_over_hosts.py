"""Repetitions on several hosts are one series, judged at home."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.coming_home import take_home
from checks.engine.judging import judge_again
from checks.engine.seal import seal
from checks.engine.series import judge_series
from checks.engine.verdict import Status
from evidence.events.hosts import PartsJudged
from evidence.history import read_history
from tests.checks.engine.hosts import at_home, come_home, lost, said, taken, written_on
from tests.checks.engine.recorded import SAID, SERIES, attempt, name

pytestmark = pytest.mark.usefixtures("own_checks")


def test_repetitions_on_two_hosts_are_one_series(run: Path) -> None:
    for number, host in ((1, "alpha"), (2, "beta"), (3, "alpha")):
        attempt(written_on(run, host), "good", scenario=name(number))
    take_home(run)
    (one,) = judge_series(run)
    assert one.verdict.status is Status.PASS
    assert one.verdict.reasons[0] == "3 of 3 repetitions"
    seal(run)
    assert main(["verify", str(run)]) == 0


def test_a_repetition_that_failed_on_another_host_fails_the_series(run: Path) -> None:
    for number, host, word in ((1, "alpha", "good"), (2, "beta", "bad"), (3, "alpha", "good")):
        attempt(written_on(run, host), word, scenario=name(number))
    come_home(run)
    assert "2/3: the controller is bad" in said(run)[SAID][SERIES].reasons
    assert main(["verify", str(run)]) == 1


def test_a_series_is_judged_again_by_what_had_come_home_by_then(run: Path) -> None:
    for number, host in ((1, "alpha"), (2, "beta")):
        attempt(written_on(run, host), "good", scenario=name(number))
    take_home(run)
    (first,) = judge_series(run)
    attempt(written_on(run, "beta"), "good", scenario=name(3))
    take_home(run)
    (second,) = judge_series(run)
    again = {one.attempt: one.again for one in judge_again(run) if one.scenario == SERIES}
    assert again == {1: first.verdict, 2: second.verdict}
    assert (first.verdict.status, second.verdict.status) == (Status.UNKNOWN, Status.PASS)


def test_what_a_host_made_of_its_own_repetitions_is_not_the_series(run: Path) -> None:
    for number, host in ((1, "alpha"), (2, "beta")):
        attempt(written_on(run, host), "good", scenario=name(number, 2))
        judge_series(written_on(run, host))
    come_home(run)
    assert said(run)[SAID][SERIES].reasons[0] == "2 of 2 repetitions"
    assert main(["verify", str(run)]) == 0


def test_a_run_without_repetitions_marks_no_parts(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    assert not read_history(run / "history.jsonl").of(PartsJudged)


def test_a_repetition_that_another_host_took_is_in_the_series(run: Path) -> None:
    attempt(written_on(run, "alpha"), "good", scenario=name(1, 2))
    attempt(written_on(run, "alpha"), scenario=name(2, 2), judged=False)
    at_home(run, lost("alpha", name(2, 2)), taken(name(2, 2), "alpha", "beta"))
    attempt(written_on(run, "beta"), "good", scenario=name(2, 2))
    come_home(run)
    assert said(run)[SAID][SERIES].reasons[0] == "2 of 2 repetitions"
    assert main(["verify", str(run)]) == 0
