"""Evidence, the registry, verdict files and judging again."""

import json
from pathlib import Path

import pytest

from checks.engine import registry
from checks.engine.judging import judge_again, judge_now
from checks.engine.registry import check, judge
from checks.engine.requirements import catalogue, read_catalogue
from checks.engine.verdict import Status, Verdict, passed, unknown
from checks.engine.verdicts import read_verdicts, record_verdict
from evidence.errors import BadEvidence, Imprecise, Missing, UnknownRequirement
from evidence.history import History
from evidence.scenario import Evidence
from tests.checks.factories import SCENARIO, SECOND, START_NS, Run, good_config, pcapng


def with_check(monkeypatch: pytest.MonkeyPatch, function: registry.Check) -> None:
    registry.checks()
    monkeypatch.setitem(registry._checks, "LAB-08", function)


def test_a_check_that_crashes_is_unknown(monkeypatch, tmp_path: Path) -> None:
    def crashes(evidence: Evidence) -> Verdict:
        raise ZeroDivisionError("oops")

    with_check(monkeypatch, crashes)
    verdict = Run().judge("LAB-08", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert "crashed: ZeroDivisionError: oops (crashes, line" in verdict.reasons[0]


@pytest.mark.parametrize("error", [Missing("gone"), Imprecise("blurred"), BadEvidence("torn")])
def test_evidence_that_does_not_suffice_is_unknown(monkeypatch, tmp_path: Path, error) -> None:
    def wants_more(evidence: Evidence) -> Verdict:
        raise error

    with_check(monkeypatch, wants_more)
    verdict = Run().judge("LAB-08", tmp_path)
    assert verdict.status is Status.UNKNOWN
    assert error.message in verdict.reasons[0]


def test_a_requirement_without_a_check_is_unknown(tmp_path: Path) -> None:
    verdict = Run().judge("LAB-07", tmp_path)
    assert verdict == unknown("no check judges LAB-07 yet")


def test_an_id_outside_the_catalogue_is_an_error_that_names_close_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownRequirement, match=r"did you mean .*MN-22"):
        judge("MN22", Evidence(tmp_path, SCENARIO))


def test_a_second_check_of_a_requirement_is_refused() -> None:
    registry.checks()
    with pytest.raises(ValueError, match="judged by"):
        check("MN-22")(lambda _: passed())


def test_a_scenario_that_was_cut_off_is_unknown(tmp_path: Path) -> None:
    with History(tmp_path / "history.jsonl", SCENARIO) as history:
        history.record("scenario.start", "pytest", lab="lab")
        history.record("controller.config", "controller", **good_config())
    verdict = judge("MN-05", Evidence(tmp_path, SCENARIO, "MN-05"))
    assert verdict.status is Status.UNKNOWN
    assert "cut off" in verdict.reasons[0]


def test_events_and_frames_of_other_times_and_scenarios_are_no_evidence(tmp_path: Path) -> None:
    run = Run(events=[("seen", "client", {})])
    run.write(tmp_path)
    late = (START_NS + 101 * SECOND, b"too late")
    frames = [(START_NS - 1, b"too early"), (START_NS + 2, b"within"), late]
    (tmp_path / "wire" / "lab.pcapng").write_bytes(pcapng(frames))
    with History(tmp_path / "history.jsonl", "another") as history:
        history.record("seen", "client", at_ns=START_NS + 1)
    evidence = Evidence(tmp_path, SCENARIO)
    assert len(evidence.events("seen")) == 1
    assert [frame.data for frame in evidence.frames()] == [b"within"]


def test_a_capture_that_is_not_there_is_missing_evidence(tmp_path: Path) -> None:
    Run().write(tmp_path)
    (tmp_path / "wire" / "lab.pcapng").unlink()
    with pytest.raises(Missing, match=r"wire/lab\.pcapng"):
        list(Evidence(tmp_path, SCENARIO).frames())


def test_transcripts_are_found_by_lab_and_machine(tmp_path: Path) -> None:
    Run().write(tmp_path)
    place = tmp_path / "transcripts" / "lab"
    place.mkdir(parents=True)
    (place / "node-a.log").write_text("typed")
    assert Evidence(tmp_path, SCENARIO).transcript("node-a") == "typed"
    with pytest.raises(Missing, match=r"node-b\.log"):
        Evidence(tmp_path, SCENARIO).transcript("node-b")


def recorded_run(directory: Path) -> Verdict:
    with History(directory / "history.jsonl", SCENARIO) as history:
        history.record("scenario.start", "pytest", lab="lab")
        history.record("controller.config", "controller", **good_config())
        verdict = judge_now(directory, history, "MN-05")
        broken = good_config()
        broken["config"]["vpnProfiles"]["node-b"]["range"] = "10.1.0.0/25"
        history.record("controller.config", "controller", **broken)
        history.record("scenario.end", "pytest")
    return verdict


def test_what_is_recorded_after_judging_does_not_change_the_verdict(tmp_path: Path) -> None:
    verdict = recorded_run(tmp_path)
    (again,) = judge_again(tmp_path)
    assert again.same
    assert again.again == verdict
    assert verdict.status is Status.PASS


def test_a_verdict_that_was_altered_is_told(tmp_path: Path) -> None:
    recorded_run(tmp_path)
    record_verdict(tmp_path, "MN-05", SCENARIO, unknown("altered"))
    (again,) = judge_again(tmp_path)
    assert not again.same


def test_a_pass_that_nothing_in_the_history_supports_is_not_believed(tmp_path: Path) -> None:
    Run().write(tmp_path)
    record_verdict(tmp_path, "MN-05", SCENARIO, passed("trust me"))
    (again,) = judge_again(tmp_path)
    assert again.again.status is Status.UNKNOWN


def test_verdicts_add_up_over_scenarios_and_the_worst_counts(tmp_path: Path) -> None:
    record_verdict(tmp_path, "MN-05", "one", passed("fine"))
    record_verdict(tmp_path, "MN-05", "two", unknown("dark"))
    verdicts = record_verdict(tmp_path, "MN-05", "one", passed("fine again"))
    assert verdicts == read_verdicts(tmp_path)
    assert verdicts.of("MN-05") == unknown("dark")
    table = json.loads((tmp_path / "verdicts.json").read_text())["requirements"]["MN-05"]
    assert table["status"] == "UNKNOWN"
    assert table["scenarios"]["one"]["reasons"] == ["fine again"]


def test_a_damaged_verdict_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "verdicts.json").write_text('{"requirements": {"MN-05": {"scen')
    with pytest.raises(BadEvidence, match=r"verdicts\.json"):
        read_verdicts(tmp_path)


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
