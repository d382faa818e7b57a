"""A requirement judged over all repetitions of a scenario, now and again later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.cli import main
from checks.engine import series
from checks.engine.integrity import integrity
from checks.engine.judging import begun_again, judge_again
from checks.engine.requirements import Catalogue, catalogue
from checks.engine.seal import seal
from checks.engine.series import judge_series
from checks.engine.verdict import Status, Verdict, unknown
from checks.engine.verdicts import (
    Verdicts,
    read_verdicts,
    record_verdict,
    tables_of,
    write_tables,
)
from evidence.events.run import SeriesJudged
from evidence.history import History, read_history
from tests.checks.engine.recorded import SAID, SERIES, attempt, name
from tests.checks.engine.verdicts import GOOD

pytestmark = pytest.mark.usefixtures("own_checks")


def repetition(
    directory: Path,
    number: int,
    said: str = "good",
    *,
    of: int = 3,
    time: int = 1,
    judged: bool = True,
) -> None:
    attempt(directory, said, number=time, scenario=name(number, of), judged=judged)


def combined(directory: Path) -> Verdict:
    (one,) = judge_series(directory)
    assert (one.series.name, one.series.requirement) == (SERIES, SAID)
    assert read_verdicts(directory).attempts[SAID][SERIES][one.time] == one.verdict
    return one.verdict


def test_a_series_of_which_all_repetitions_pass_passes(tmp_path: Path) -> None:
    for number in (2, 1, 3):
        repetition(tmp_path, number)
    verdict = combined(tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert verdict.reasons == ("3 of 3 repetitions", "the controller is good")
    assert (verdict.owed, verdict.discharged) == (3, 3)
    assert set(verdict.digests) == {f"history.jsonl:{line}" for line in (3, 7, 11)}


@pytest.mark.parametrize(("asked", "said"), [(20, "; the requirement asks for 20"), (3, "")])
def test_a_series_with_fewer_than_the_requirement_asks_for_passes_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int, said: str
) -> None:
    wanted = catalogue().get(SAID).model_copy(update={"repetitions": asked})
    monkeypatch.setattr(series, "catalogue", lambda: Catalogue({SAID: wanted}))
    for number in (1, 2, 3):
        repetition(tmp_path, number)
    verdict = combined(tmp_path)
    assert verdict.status is Status.PASS
    assert verdict.reasons[0] == f"3 of 3 repetitions{said}"


def test_what_was_begun_again_is_counted_over_the_series(tmp_path: Path) -> None:
    assert begun_again(tmp_path, SERIES) == 0
    for number, time in ((1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (3, 2)):
        repetition(tmp_path, number, time=time)
    assert begun_again(tmp_path, SERIES) == 3
    assert begun_again(tmp_path, "scenarios/multi_node/test_it.py::test_other") == 0


def test_one_repetition_that_fails_fails_the_series_and_is_named(tmp_path: Path) -> None:
    for number, said in ((1, "good"), (2, "bad"), (3, "good")):
        repetition(tmp_path, number, said)
    verdict = combined(tmp_path)
    assert verdict.status is Status.FAIL
    assert "2/3: the controller is bad" in verdict.reasons


def test_a_series_with_fewer_than_planned_shows_nothing(tmp_path: Path) -> None:
    for number in (1, 3, 7):
        repetition(tmp_path, number, of=20)
    (one,) = judge_series(tmp_path)
    assert one.only_incomplete
    assert one.verdict.status is Status.UNKNOWN
    assert not one.verdict.late
    assert one.verdict.reasons == ("3 of 20 repetitions; not judged: 2, 4 to 6, 8 to 20",)


def test_a_repetition_whose_worker_died_is_missing(tmp_path: Path) -> None:
    repetition(tmp_path, 1)
    repetition(tmp_path, 2, judged=False)
    repetition(tmp_path, 3)
    verdict = combined(tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert verdict.reasons == ("2 of 3 repetitions; not judged: 2",)


def test_that_none_was_judged_is_unknown(tmp_path: Path) -> None:
    repetition(tmp_path, 2, judged=False)
    assert combined(tmp_path).status is Status.UNKNOWN


def test_a_failure_outweighs_what_is_missing_and_is_no_mere_gap(tmp_path: Path) -> None:
    repetition(tmp_path, 1, "bad")
    (one,) = judge_series(tmp_path)
    assert one.verdict.status is Status.FAIL
    assert not one.only_incomplete
    assert "not judged: 2 to 3" in one.verdict.text


def test_a_run_again_with_more_repetitions_goes_by_those(tmp_path: Path) -> None:
    repetition(tmp_path, 1)
    repetition(tmp_path, 7, of=20)
    assert combined(tmp_path).reasons[0].startswith("1 of 20 repetitions")


def test_a_run_without_repetitions_has_no_series(tmp_path: Path) -> None:
    assert judge_series(tmp_path) == []
    attempt(tmp_path, "good")
    assert judge_series(tmp_path) == []
    assert not read_history(tmp_path / "history.jsonl").of(SeriesJudged)


def test_repetitions_that_were_late_are_repeated_and_counted(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number, "good" if number == 1 else "late")
    for number in (2, 3):
        repetition(tmp_path, number, time=2)
    verdict = combined(tmp_path)
    assert verdict.status is Status.PASS
    count = "3 of 3 repetitions, 2 of them repeated because the host was late"
    assert verdict.reasons[0] == count
    assert read_verdicts(tmp_path).of(SAID) == verdict


def test_late_again_is_unknown_for_lateness_alone(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number, "late" if number == 2 else "good")
    repetition(tmp_path, 2, "late", time=2)
    verdict = combined(tmp_path)
    assert (verdict.status, verdict.late) == (Status.UNKNOWN, True)


def test_late_beside_dark_is_not_lateness_alone(tmp_path: Path) -> None:
    for number, said in ((1, "late"), (2, "dark"), (3, "good")):
        repetition(tmp_path, number, said)
    assert not combined(tmp_path).late


def test_a_failure_is_not_undone_by_repeating_it(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number, "bad" if number == 2 else "good")
    repetition(tmp_path, 2, time=2)
    assert combined(tmp_path).status is Status.FAIL


def test_a_failed_attempt_counts_though_the_next_broke_off(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number, "bad" if number == 2 else "good")
    repetition(tmp_path, 2, time=2, judged=False)
    assert combined(tmp_path).status is Status.FAIL


def test_an_attempt_that_broke_off_after_a_good_one_leaves_it_open(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number)
    repetition(tmp_path, 2, time=2, judged=False)
    assert combined(tmp_path).reasons[0] == "2 of 3 repetitions; not judged: 2"


def test_a_series_that_passed_before_does_not_hide_a_newer_failure(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number)
    assert combined(tmp_path).status is Status.PASS
    repetition(tmp_path, 2, "bad", time=2)
    assert read_verdicts(tmp_path).of(SAID).status is Status.FAIL
    assert combined(tmp_path).status is Status.FAIL


def test_nor_a_newer_doubt(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number)
    combined(tmp_path)
    repetition(tmp_path, 2, "dark", time=2)
    assert read_verdicts(tmp_path).of(SAID).status is Status.UNKNOWN


def test_a_series_that_failed_stays_failed(tmp_path: Path) -> None:
    repetition(tmp_path, 1, "bad", of=1)
    combined(tmp_path)
    repetition(tmp_path, 1, of=2)
    repetition(tmp_path, 2, of=2)
    assert combined(tmp_path).status is Status.PASS
    assert read_verdicts(tmp_path).of(SAID).status is Status.FAIL


def test_a_failure_of_fewer_repetitions_does_not_give_way_to_more(tmp_path: Path) -> None:
    repetition(tmp_path, 1, "bad", of=1)
    repetition(tmp_path, 1, of=2)
    repetition(tmp_path, 2, of=2)
    assert combined(tmp_path).status is Status.PASS
    assert read_verdicts(tmp_path).of(SAID).status is Status.FAIL


def test_a_doubt_about_fewer_repetitions_gives_way_to_more(tmp_path: Path) -> None:
    repetition(tmp_path, 1, "dark", of=1)
    repetition(tmp_path, 1, of=2)
    repetition(tmp_path, 2, of=2)
    combined(tmp_path)
    assert read_verdicts(tmp_path).of(SAID).status is Status.PASS


def test_the_verdict_over_all_stands_for_its_repetitions(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number)
    verdict = combined(tmp_path)
    assert read_verdicts(tmp_path).of(SAID) == verdict
    tables = json.loads((tmp_path / "verdicts.json").read_text())["requirements"][SAID]
    assert tables["reasons"] == list(verdict.reasons)
    assert set(tables["scenarios"]) == {SERIES, *map(name, (1, 2, 3))}


def test_a_series_is_judged_again_by_the_evidence_alone(tmp_path: Path, capsys) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number, "late" if number == 3 else "good")
    repetition(tmp_path, 3, time=2)
    verdict = combined(tmp_path)
    seal(tmp_path)
    again = {one.scenario: one for one in judge_again(tmp_path)}
    assert again[SERIES].again == verdict
    assert all(one.same for one in again.values())
    assert main(["verify", str(tmp_path)]) == 0
    assert f"{SAID}  PASS, as recorded: {SERIES}\n" in capsys.readouterr().out


def test_every_judging_of_a_series_is_made_again(tmp_path: Path) -> None:
    repetition(tmp_path, 1)
    first = combined(tmp_path)
    repetition(tmp_path, 2)
    repetition(tmp_path, 3)
    second = combined(tmp_path)
    again = [one for one in judge_again(tmp_path) if one.scenario == SERIES]
    assert [(one.attempt, one.again) for one in again] == [(1, first), (2, second)]
    assert all(one.same for one in again)


def test_a_series_altered_since_is_told(tmp_path: Path) -> None:
    repetition(tmp_path, 1)
    combined(tmp_path)
    history = tmp_path / "history.jsonl"
    history.write_text(history.read_text().replace("[1/3]", "[1/1]"))
    again = {one.scenario: one for one in judge_again(tmp_path)}
    assert again[SERIES].again.status is not Status.PASS
    assert not again[SERIES].same


def test_a_mark_of_a_series_that_never_began_is_told(tmp_path: Path) -> None:
    repetition(tmp_path, 1, of=1)
    combined(tmp_path)
    history = tmp_path / "history.jsonl"
    history.write_text(history.read_text().replace(name(1, 1), name(1, 1).replace("it", "no")))
    again = {one.scenario: one for one in judge_again(tmp_path)}
    assert again[SERIES].again.status is Status.UNKNOWN


def test_a_repetition_that_was_recorded_by_nobody_counts_for_nothing(tmp_path: Path) -> None:
    for number in (1, 2):
        repetition(tmp_path, number)
    record_verdict(tmp_path, SAID, name(3), unknown("of another time"))
    assert combined(tmp_path).reasons[0] == "2 of 3 repetitions; not judged: 3"


def without_series(directory: Path) -> None:
    """Remove the mark of the series (the last line) and its verdict, and seal the run anew."""
    history = directory / "history.jsonl"
    history.write_bytes(b"".join(history.read_bytes().splitlines(keepends=True)[:-1]))
    attempts = dict(read_verdicts(directory).attempts[SAID])
    del attempts[SERIES]
    write_tables(directory, tables_of(Verdicts({SAID: attempts}, frozenset((SAID,)))))
    seal(directory)


def unjudged(directory: Path) -> list[str]:
    return [one for one in integrity(directory).open if "over the repetitions of" in one]


def test_a_series_whose_verdict_was_removed_with_its_mark_does_not_pass(tmp_path: Path) -> None:
    for number in (1, 2):
        repetition(tmp_path, number)
    assert combined(tmp_path).status is Status.UNKNOWN
    without_series(tmp_path)
    assert read_verdicts(tmp_path).of(SAID).status is Status.UNKNOWN
    assert main(["verify", str(tmp_path)]) == 2


def test_a_series_that_was_judged_by_nobody_is_open_though_all_of_it_is_there(
    tmp_path: Path,
) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number)
    seal(tmp_path)
    (left,) = unjudged(tmp_path)
    assert f"{SAID} was to be judged over the repetitions of {SERIES}" in left
    assert main(["verify", str(tmp_path)]) == 2


def test_a_series_that_went_on_after_it_was_judged_is_open(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        repetition(tmp_path, number)
    combined(tmp_path)
    assert unjudged(tmp_path) == []
    repetition(tmp_path, 1, of=20)
    seal(tmp_path)
    assert len(unjudged(tmp_path)) == 1
    assert main(["verify", str(tmp_path)]) == 2


def test_as_many_repetitions_as_are_planned_need_no_verdict_over_all(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        verdicts = record_verdict(tmp_path, SAID, name(number), GOOD)
        assert verdicts.of(SAID).status is (Status.PASS if number == 3 else Status.UNKNOWN)


def test_the_gaps_of_a_series_are_told_without_counting_to_its_end(tmp_path: Path) -> None:
    for number in (1, 3, 70_000_000):
        repetition(tmp_path, number, of=999_999_999)
    verdict = combined(tmp_path)
    gaps = "not judged: 2, 4 to 69999999, 70000001 to 999999999"
    assert verdict.reasons == (f"3 of 999999999 repetitions; {gaps}",)
    assert verdict.owed == 999_999_999


def test_a_scenario_with_a_number_that_is_none_is_no_repetition(tmp_path: Path) -> None:
    attempt(tmp_path, "good", scenario=f"{SERIES}[1/{'9' * 5000}]")
    with History(tmp_path / "history.jsonl", SERIES) as history:
        history.record(SeriesJudged(source="judge", requirement=SAID))
    seal(tmp_path)
    assert main(["verify", str(tmp_path)]) == 2
