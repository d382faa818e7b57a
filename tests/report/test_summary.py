"""The first screen says what became of a run in a sentence, and what was not shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.engine.requirements import catalogue
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import Verdicts, tables_of, write_tables
from report.matrix import Row, matrix
from report.reading import read_run
from report.summary import NOT_RECORDED, Summary, stamp, summary
from tests.checks.engine import recorded
from tests.report.conftest import facts

SERIES = "scenarios/failover/test_takeover.py::test_the_standby_takes_over"


def of(directory: Path) -> Summary:
    material = read_run(directory)
    return summary(material, matrix(material))


def rows(directory: Path) -> dict[str, Row]:
    return {row.id: row for row in matrix(read_run(directory))}


def values(directory: Path) -> dict[str, str]:
    return {fact.name: fact.value for fact in of(directory).tested}


def run_of(directory: Path, *said: str) -> Summary:
    recorded.attempt(directory, *said)
    facts(directory, requirements=[recorded.SAID])
    return of(directory)


def test_a_good_run_is_pass_in_one_sentence(good_run: Path) -> None:
    told = of(good_run)
    assert told.status is Status.PASS
    assert told.sentence == "All 2 requirements of this run were shown to be kept."
    assert told.counts == {"PASS": 2, "FAIL": 0, "UNKNOWN": 0}


def test_a_broken_requirement_is_named_in_the_sentence(tmp_path: Path, own_checks: object) -> None:
    told = run_of(tmp_path, "bad")
    assert told.status is Status.FAIL
    assert told.sentence == "1 of the 1 requirement of this run was seen to be broken: MN-05."


def test_what_could_not_be_shown_is_named_in_the_sentence(
    tmp_path: Path, own_checks: object
) -> None:
    told = run_of(tmp_path, "dark")
    assert told.status is Status.UNKNOWN
    assert "Nothing was seen to be broken, but 1 of the 1 requirement" in told.sentence
    assert "MN-05" in told.sentence


def test_a_run_with_no_verdict_at_all_shows_nothing(tmp_path: Path) -> None:
    facts(tmp_path)
    told = of(tmp_path)
    assert told.status is Status.UNKNOWN
    assert told.sentence == "Nothing was judged: this run shows nothing."
    assert any("verdicts.json" in one.what for one in told.lacks)
    assert any("never was" in one.why for one in told.unshown)


def test_evidence_that_was_altered_keeps_a_run_from_being_pass(good_run: Path) -> None:
    facts(good_run, image="another")
    told = of(good_run)
    assert told.status is Status.UNKNOWN
    assert told.sentence.endswith("but the evidence was altered since.")


def test_evidence_that_is_damaged_keeps_a_run_from_being_pass(good_run: Path) -> None:
    tables = json.loads((good_run / "verdicts.json").read_text())
    del tables["seal"]
    (good_run / "verdicts.json").write_text(json.dumps(tables))
    told = of(good_run)
    assert told.status is Status.UNKNOWN
    assert told.sentence.endswith("but the evidence is not whole.")


def test_what_was_tested_is_told(good_run: Path) -> None:
    told = values(good_run)
    assert told["Guide"] == "failover, multi-node"
    assert told["Software"] == "drop-in"
    assert told["Host"] == "Linux-6.1, 2 processors"
    assert told["Revision"].endswith("5625a5cd, with uncommitted changes")
    assert told["Command line"] == "pytest scenarios/ --lab=local"
    assert told["Seed"] == NOT_RECORDED
    assert told["Labs"] == "1"


def test_what_is_not_recorded_is_said_to_be_so(tmp_path: Path) -> None:
    told = values(tmp_path)
    names = ("Guide", "Software", "Image", "Revision", "Command line", "Seed", "Last event")
    assert {told[name] for name in names} == {NOT_RECORDED}


def test_what_somebody_has_to_look_at_is_told_apart(good_run: Path) -> None:
    doubtful = {fact.name for fact in of(good_run).tested if fact.doubtful}
    assert doubtful == {"Revision", "Seed", "Software", "Scenarios", "Secrets"}


def test_a_stand_in_is_named_in_the_sentence_and_in_what_is_not_shown(good_run: Path) -> None:
    facts(good_run, software={"multi_node": {"name": "drop-in", "reason": "", "commits": []}})
    told = of(good_run)
    assert "For the multi-node guide, this project's stand-in (drop-in) was tested" in told.sentence
    assert any("For the multi-node guide a stand-in" in one for one in told.limits)
    facts(good_run, software={"multi_node": {"name": "genuine", "reason": "", "commits": []}})
    told = of(good_run)
    assert "stand-in" not in told.sentence
    assert not any("stand-in" in one for one in told.limits)


def test_what_a_run_could_not_have_shown_is_said(good_run: Path) -> None:
    asked = {"scenarios": {recorded.SCENARIO: 1}, "full": False, "deselected": 0}
    tcg = {"image": "debian-12 (2e58)", "accelerator": "tcg (asked for)"}
    facts(good_run, **tcg, command="pytest x --full", collected=asked)
    said = "\n".join(of(good_run).limits)
    assert (
        "Only guests of debian-12 (2e58) were tested; the multi-node guide is written for" in said
    )
    assert "real ones take other times" in said
    assert "This is no sign-off run (--full)" in said
    facts(good_run, **{**tcg, "accelerator": "kvm (x)"}, collected={**asked, "full": True})
    said = "\n".join(of(good_run).limits)
    assert "real ones take other times" not in said
    assert "This is no sign-off run" not in said
    facts(good_run, accelerator="alpha: kvm (x); beta: tcg (y)")
    assert "real ones take other times" in "\n".join(of(good_run).limits)
    facts(good_run, image="none of ours: what the machines run", site={"a": "root@a"})
    said = "\n".join(of(good_run).limits)
    assert "Only the machines of this site were tested" in said
    assert "none of ours" not in said


def test_a_run_that_does_not_say_what_it_was_to_carry_out_is_taken_for_no_sign_off(
    good_run: Path,
) -> None:
    facts(good_run, command="pytest scenarios/ --full")
    assert any("may be no sign-off run (--full)" in one for one in of(good_run).limits)


def test_a_sign_off_run_of_a_selection_is_none_of_the_whole(good_run: Path) -> None:
    every = len(catalogue())
    asked = {"scenarios": {recorded.SCENARIO: 1}, "full": True, "deselected": 41}
    facts(good_run, collected=asked)
    said = "\n".join(of(good_run).limits)
    assert f"{every - 2} of the catalogue's {every} requirements were not part of this" in said
    assert "41 scenarios were deselected" in said
    facts(good_run, requirements=[one.id for one in catalogue()], collected=asked)
    assert "41 scenarios were deselected" in "\n".join(of(good_run).limits)
    whole = {**asked, "deselected": 0}
    facts(good_run, requirements=[one.id for one in catalogue()], collected=whole)
    assert "sign-off run" not in "\n".join(of(good_run).limits)


def test_scenarios_that_never_began_keep_a_run_from_being_pass(
    tmp_path: Path, own_checks: object
) -> None:
    names = {f"scenarios/test_it.py::test_{number}": 1 for number in range(7)}
    asked = {"scenarios": {recorded.SCENARIO: 1, SERIES: 20}, "full": True, "deselected": 0}
    facts(tmp_path, collected=asked)
    recorded.good_run(tmp_path)
    told = of(tmp_path)
    assert told.status is Status.UNKNOWN
    assert told.sentence.endswith("but the evidence is not whole.")
    (lack,) = told.lacks
    assert str(lack) == f"scenarios: 20 of 21 never began: {SERIES} (20)"
    facts(tmp_path, collected={**asked, "scenarios": names})
    (why,) = [one.why for one in of(tmp_path).lacks if one.what == "scenarios"]
    assert why.startswith("7 of 7 never began: scenarios/test_it.py::test_0, ")
    assert why.endswith("scenarios/test_it.py::test_4 and 2 more")


def test_requirements_that_were_provoked_less_often_than_they_ask_for_are_named(
    tmp_path: Path,
) -> None:
    verdict = {1: Verdict(Status.PASS, ("as it should be",), ("history.jsonl:1",), 1, 1)}
    names = [SERIES, *(f"{SERIES}[{number}/20]" for number in range(1, 21))]
    said = {
        "FO-24": {f"{SERIES}[pause-3/20]": verdict, f"{SERIES}[kill-1/20]": verdict},
        "FO-25": dict.fromkeys(names[:4], verdict),
        "FO-26": dict.fromkeys(names, verdict),
        "FO-27": {SERIES: verdict},
    }
    facts(tmp_path, requirements=sorted(said))
    write_tables(tmp_path, tables_of(Verdicts(said, frozenset(said))))
    limits = of(tmp_path).limits
    assert "FO-24 asks for 20 repetitions; at most 1 was judged of any fault." in limits
    assert "FO-25 asks for 20 repetitions; at most 3 were judged of any fault." in limits
    assert not [one for one in limits if "FO-26" in one or "FO-27" in one]


def test_scenarios_that_did_not_pass_are_named(good_run: Path) -> None:
    each = {"a::test_one": "passed", "a::test_two": "failed", "a::test_three": "skipped"}
    table = [{"scenario": name, "outcome": outcome} for name, outcome in each.items()]
    table.append({"scenario": "a::test_two", "outcome": "passed"})  # it was begun again
    (good_run / "timings.json").write_text(json.dumps(table))
    assert (
        values(good_run)["Scenarios"]
        == "2 passed, 1 skipped (by timings.json, which is not sealed)"
    )
    assert any("a::test_three (skipped)" in one for one in of(good_run).limits)


def test_secrets_in_the_evidence_make_a_run_unknown(tmp_path: Path, own_checks: object) -> None:
    told = {"files": 3, "secrets": ["x"]}
    for shareable, status in ((True, Status.PASS), (False, Status.UNKNOWN)):
        run = tmp_path / str(shareable)
        run.mkdir()
        facts(run)
        (run / "leaks.json").write_text(json.dumps({"shareable": shareable, **told}))
        recorded.good_run(run)
        assert of(run).status is status
        assert ("not to be shared" in of(run).sentence) is not shareable
    assert values(tmp_path / "True")["Secrets"] == "looked for 1 in 3 files, found none"


def test_a_revision_without_its_flag_is_said_to_be_without(good_run: Path) -> None:
    facts(good_run, revision={"commit": "abc"})
    assert values(good_run)["Revision"] == "abc, whether dirty is not recorded"


def test_software_of_many_parts_is_written_out(good_run: Path) -> None:
    commits = [["vpn-daemon", "d90b1a119ca4d839b8e57d74825f3587367ddf16"], ["vpn-ca", "2ca6"]]
    genuine = {"name": "genuine", "reason": "as asked for", "commits": commits}
    drop_in = {"name": "drop-in", "reason": "", "commits": []}
    facts(good_run, software={"multi_node": genuine, "failover": drop_in})
    said = "multi_node: genuine, as asked for, vpn-daemon d90b1a119ca4, vpn-ca 2ca6"
    assert values(good_run)["Software"] == f"{said}; failover: drop-in (this project's stand-in)"


@pytest.mark.parametrize(
    "told", [{"a": {"commits": 7}}, {"a": {"commits": [7, [1]]}}, [1], "x", {}]
)
def test_software_of_any_shape_is_told_somehow(good_run: Path, told: object) -> None:
    facts(good_run, software=told)
    assert values(good_run)["Software"]


def test_every_requirement_of_the_catalogue_is_shown_or_said_not_to_be(good_run: Path) -> None:
    left = {one for unshown in of(good_run).unshown for one in unshown.ids}
    assert left | {recorded.SAID, recorded.SEEN} == {one.id for one in catalogue()}


def test_a_guide_that_was_not_run_is_told_as_a_whole(good_run: Path) -> None:
    assert "harness: no requirement was part of this run" in {
        one.why for one in of(good_run).unshown
    }


def test_a_verdict_tells_its_scenarios_and_what_it_rests_on(good_run: Path) -> None:
    row = rows(good_run)[recorded.SEEN]
    assert (row.status, row.judged, row.guide) == (Status.PASS, True, "failover")
    (part,) = row.parts
    assert part.scenario == recorded.SCENARIO
    assert part.evidence == ("wire/lab.pcapng",)
    assert dict(part.digests)["wire/lab.pcapng"]


def test_a_requirement_of_no_catalogue_is_shown_as_such(tmp_path: Path) -> None:
    facts(tmp_path, requirements=["XX-99"])
    assert rows(tmp_path)["XX-99"].statement.startswith("no requirement of this")


def test_facts_of_any_shape_are_told_somehow(tmp_path: Path) -> None:
    odd = {"revision": [1], "labs": 7, "packages": "x", "image": {"a": [None, 2]}}
    facts(tmp_path, requirements=[["nested"], 7], **odd)
    told = values(tmp_path)
    assert (told["Revision"], told["Labs"], told["Image"]) == (NOT_RECORDED, "0", "a: , 2")


@pytest.mark.parametrize(
    ("at_ns", "said"),
    [(1_700_000_000_123_000_000, "2023-11-14 22:13:20.123 UTC"), (10**40, f"{10**40} ns")],
)
def test_a_moment_is_a_date_if_it_can_be(at_ns: int, said: str) -> None:
    assert stamp(at_ns) == said
