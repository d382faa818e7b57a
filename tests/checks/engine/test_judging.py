"""The registry, judging a scenario, and judging it again."""

from pathlib import Path

import pytest

from checks.engine import registry
from checks.engine.integrity import integrity
from checks.engine.judging import broke_off, judge_again, judge_now, never_began, next_attempt
from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
from checks.engine.registry import check, judge
from checks.engine.requirements import UnknownRequirement, catalogue, read_catalogue
from checks.engine.verdict import Status, Verdict, unknown
from checks.engine.verdicts import read_verdicts, record_verdict
from evidence.errors import BadEvidence, Imprecise, Missing
from evidence.events.run import HostLate, HostLatenessUnknown, ScenarioEnded
from evidence.history import FILE_NAME, History
from evidence.scenario import Evidence
from tests.checks.engine.recorded import (
    SAID,
    SCENARIO,
    SEEN,
    attempt,
    capture,
    history,
    logged,
    started,
)
from tests.checks.engine.verdicts import GOOD

pytestmark = pytest.mark.usefixtures("own_checks")


def nothing(evidence: Evidence, owed: Obligations) -> None:
    """Judge nothing."""


def test_a_check_that_crashes_is_unknown(own_checks, tmp_path: Path) -> None:
    def crashes(evidence: Evidence, owed: Obligations) -> None:
        raise ZeroDivisionError("oops")

    own_checks[SAID] = crashes
    verdict = attempt(tmp_path, "good")
    assert verdict.status is Status.UNKNOWN
    assert "crashed: ZeroDivisionError: oops (crashes, line" in verdict.reasons[0]


@pytest.mark.parametrize(("known", "status"), [(True, Status.FAIL), (False, Status.UNKNOWN)])
def test_a_limit_that_was_missed_is_nobodys_fault_where_lateness_is_not_known(
    own_checks, tmp_path: Path, known: bool, status: Status
) -> None:
    def overdue(evidence: Evidence, owed: Obligations) -> None:
        missed(owed.owe("in time"), "took 9 s", 4.0, (0, 9), {"wire"}, evidence.events(HostLate))

    own_checks[SAID] = overdue
    with History(tmp_path / FILE_NAME, SCENARIO) as recording:
        recording.record(started())
        if not known:
            recording.record(HostLatenessUnknown(source="host", reason="no schedstat"))
        recording.record(ScenarioEnded(source="pytest", events=recording.recorded))
    verdict = judge(SAID, Evidence(tmp_path, SCENARIO, SAID))
    assert verdict.status is status
    assert ("is not known: no schedstat" in verdict.text) is not known
    assert not verdict.late


def test_what_is_no_limit_is_broken_whatever_is_known_of_lateness() -> None:
    owed = Obligations()
    one = owed.owe("only one")
    one.missed("took 9 s", "capture:1")
    one.broken("two at once", "capture:2")
    owed.forgive("no schedstat")
    assert (owed.verdict().status, owed.verdict().reasons) == (Status.FAIL, ("two at once",))


def test_a_check_that_owes_nothing_is_unknown(own_checks, tmp_path: Path) -> None:
    own_checks[SAID] = nothing
    assert attempt(tmp_path, "good").status is Status.UNKNOWN


@pytest.mark.parametrize("error", [Missing("gone"), Imprecise("blurred"), BadEvidence("torn")])
def test_evidence_that_does_not_suffice_is_unknown(own_checks, tmp_path: Path, error) -> None:
    def wants_more(evidence: Evidence, owed: Obligations) -> None:
        owed.require(True, "shown", "", "history.jsonl:1")
        raise error

    own_checks[SAID] = wants_more
    verdict = attempt(tmp_path, "good")
    assert verdict.status is Status.UNKNOWN
    assert error.message in verdict.reasons[0]


def test_a_requirement_without_a_check_is_unknown(tmp_path: Path) -> None:
    assert judge("LAB-07", Evidence(tmp_path, SCENARIO)) == unknown("no check judges LAB-07 yet")


def test_an_id_outside_the_catalogue_is_an_error_that_names_close_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownRequirement, match=r"did you mean .*MN-22"):
        judge("MN22", Evidence(tmp_path, SCENARIO))


def test_nothing_is_recorded_of_the_judging_of_a_wrong_id(tmp_path: Path) -> None:
    with history(tmp_path) as written:
        written.record(started())
        before = (tmp_path / "history.jsonl").read_bytes()
        with pytest.raises(UnknownRequirement):
            judge_now(tmp_path, written, "MN-99")
    assert (tmp_path / "history.jsonl").read_bytes() == before


def test_a_second_check_of_a_requirement_is_refused() -> None:
    with pytest.raises(ValueError, match="judged by"):
        check(SAID)(nothing)


def test_a_scenario_that_was_cut_off_is_unknown(tmp_path: Path) -> None:
    attempt(tmp_path, "good", judged=False)
    verdict = judge(SAID, Evidence(tmp_path, SCENARIO, SAID))
    assert verdict.status is Status.UNKNOWN
    assert "cut off" in verdict.reasons[0]


def test_a_verdict_says_what_was_owed_and_what_it_rests_on(tmp_path: Path) -> None:
    verdict = attempt(tmp_path, "good", "dark")
    assert (verdict.status, verdict.owed, verdict.discharged) == (Status.UNKNOWN, 2, 1)
    assert set(verdict.digests) == {"history.jsonl:4"}
    assert read_verdicts(tmp_path).attempts[SAID][SCENARIO][1] == verdict


def test_what_is_recorded_after_judging_does_not_change_the_verdict(tmp_path: Path) -> None:
    with history(tmp_path) as written:
        written.record(started())
        written.record(logged("good"))
        verdict = judge_now(tmp_path, written, SAID)
        written.record(logged("bad"))
        written.record(ScenarioEnded(source="pytest", events=written.recorded))
    (again,) = judge_again(tmp_path)
    assert again.same
    assert again.again == verdict
    assert verdict.status is Status.PASS


def test_each_attempt_is_judged_again_on_its_own_evidence(tmp_path: Path) -> None:
    attempt(tmp_path, "late")
    attempt(tmp_path, "good", number=2)
    again = judge_again(tmp_path)
    assert [(one.attempt, one.again.status) for one in again] == [
        (1, Status.UNKNOWN),
        (2, Status.PASS),
    ]
    assert all(one.same for one in again)


def test_a_verdict_that_was_altered_is_told(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    record_verdict(tmp_path, SAID, SCENARIO, unknown("altered"))
    (again,) = judge_again(tmp_path)
    assert not again.same


def test_a_verdict_on_other_evidence_names_the_line(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    path = tmp_path / "history.jsonl"
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace('"uncertainty_ns":0', '"uncertainty_ns":1')
    path.write_text("\n".join(lines) + "\n")
    (again,) = judge_again(tmp_path)
    assert again.altered == ["history.jsonl:3"]


def test_a_pass_that_nothing_in_the_history_supports_is_not_believed(tmp_path: Path) -> None:
    attempt(tmp_path, "good", judged=False)
    record_verdict(tmp_path, SAID, SCENARIO, GOOD)
    (again,) = judge_again(tmp_path)
    assert again.again.status is Status.UNKNOWN


def test_a_mark_of_what_is_no_requirement_is_unknown(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    path = tmp_path / "history.jsonl"
    path.write_text(path.read_text().replace('"requirement":"MN-05"', '"requirement":"MN-99"'))
    assert {one.again.status for one in judge_again(tmp_path)} == {Status.UNKNOWN}


def test_attempts_are_counted_also_those_that_never_began(tmp_path: Path) -> None:
    assert next_attempt(tmp_path, SCENARIO) == 1
    attempt(tmp_path, "good")
    assert next_attempt(tmp_path, SCENARIO) == 2
    never_began(tmp_path, SCENARIO, [SAID], "no lab")
    assert next_attempt(tmp_path, SCENARIO) == 3
    assert next_attempt(tmp_path, "another") == 1
    assert read_verdicts(tmp_path).of(SAID).status is Status.UNKNOWN


def test_what_a_scenario_that_broke_off_had_not_judged_is_unknown(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    with history(tmp_path) as written:
        written.record(started(2, (SAID, SEEN)))
        written.record(logged("good"))
        judge_now(tmp_path, written, SAID)
    broke_off(tmp_path, SCENARIO)
    verdicts = read_verdicts(tmp_path)
    assert verdicts.of(SAID).status is Status.PASS
    assert verdicts.of(SEEN) == unknown("its process died before it was judged")
    assert list(verdicts.attempts[SEEN][SCENARIO]) == [2]


def test_an_attempt_that_is_begun_again_leaves_nothing_open(tmp_path: Path) -> None:
    """A scenario that judges two requirements ends at the first that a busy host kept from it."""
    with history(tmp_path) as written:
        written.record(started(1, (SAID, SEEN)))
        written.record(ScenarioEnded(source="pytest", events=written.recorded))
    assert any("never was" in one for one in integrity(tmp_path).open)
    broke_off(tmp_path, SCENARIO, "it was begun again before this was judged")
    for requirement in (SAID, SEEN):
        good = Verdict(Status.PASS, ("as told",), ("history.jsonl",))
        record_verdict(tmp_path, requirement, SCENARIO, good, 2)
    assert read_verdicts(tmp_path).of(SEEN).status is Status.PASS
    assert not any("attempt 1" in one for one in integrity(tmp_path).open)


def test_what_never_began_has_nothing_that_broke_off(tmp_path: Path) -> None:
    broke_off(tmp_path, SCENARIO)
    assert read_verdicts(tmp_path).attempts == {}


def test_the_catalogue_holds_both_guides_and_the_harness() -> None:
    ids = {requirement.id for requirement in catalogue()}
    assert {f"MN-{n:02}" for n in range(1, 33)} <= ids
    assert {f"FO-{n:02}" for n in range(1, 50)} <= ids
    assert {f"LAB-{n:02}" for n in range(1, 9)} <= ids
    assert len(catalogue()) == 89


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[requirement]]\nid = 'XX-1'", "id"),
        ("[requirement", "no catalogue"),
        ("", "no catalogue"),
    ],
)
def test_a_wrong_catalogue_is_refused_naming_file_and_key(tmp_path: Path, text, words) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(BadEvidence, match=words):
        read_catalogue(tmp_path / "r.toml")


def test_an_id_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    one = "[[requirement]]\nid='MN-01'\nguide='multi-node'\nsection='s'\nstatement='t'\n"
    (tmp_path / "r.toml").write_text(one * 2)
    with pytest.raises(BadEvidence, match="MN-01 stands there twice"):
        read_catalogue(tmp_path / "r.toml")


def test_measures_are_asked_for_by_no_requirement_that_has_none(tmp_path: Path) -> None:
    assert registry.figures(SAID, [Evidence(tmp_path, SCENARIO)]) == []


def test_the_wire_marks_what_it_covers_after_the_moment_of_judging(tmp_path: Path) -> None:
    frames = [bytes([n]) * 60 for n in range(4)]
    with history(tmp_path) as written:
        begun = written.record(started(requirements=(SEEN,)))
        at_ns = begun.at_ns
        capture(tmp_path, at_ns, *frames, covered_ns=10)
        early = judge_now(tmp_path, written, SEEN)
        late = judge_now(tmp_path, written, SEEN, lambda: capture(tmp_path, at_ns, *frames))
    assert early.status is Status.UNKNOWN
    assert "the wire ended at" in early.text
    assert late.status is Status.PASS
