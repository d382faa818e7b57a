"""What was altered in a run since, and what was never judged: found, and named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from checks.cli import main
from checks.engine import integrity as looking
from checks.engine.integrity import integrity
from checks.engine.judging import judge_again, judge_now
from checks.engine.seal import seal, sealed
from checks.engine.verdicts import (
    FILE_NAME,
    Verdicts,
    read_tables,
    read_verdicts,
    record_verdict,
    tables_of,
    write_tables,
)
from evidence.events.run import ScenarioEnded
from evidence.mark import ALIVE
from evidence.moment import NS
from tests import captures
from tests.checks.engine.recorded import (
    SAID,
    SCENARIO,
    SEEN,
    attempt,
    chain_again,
    good_run,
    history,
    lines_of,
    logged,
    rewrite,
    started,
)
from tests.checks.engine.verdicts import GOOD

pytestmark = pytest.mark.usefixtures("own_checks")


def without_seal(directory: Path) -> None:
    tables = read_tables(directory)
    write_tables(directory, {n: t for n, t in tables.items() if n not in ("seal", "sealed")})


def altered(directory: Path) -> str:
    looked = integrity(directory)
    return "\n".join((*looked.altered, *looked.damaged))


def test_a_good_run_has_nothing_altered_and_nothing_open(tmp_path: Path) -> None:
    assert good_run(tmp_path) == sealed(tmp_path)
    looked = integrity(tmp_path)
    assert (looked.altered, looked.damaged, looked.open) == ((), (), ())


def test_an_altered_value_is_named_by_its_line(tmp_path: Path) -> None:
    good_run(tmp_path)
    lines = lines_of(tmp_path)
    lines[1] = lines[1].replace(b'"text":"good"', b'"text":"Good"')
    rewrite(tmp_path, lines)
    assert "history.jsonl:2: it was altered after it had been written" in altered(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda lines: [*lines[:2], lines[2][:20], *lines[3:]],
            "history.jsonl:3: the line is torn",
        ),
        (
            lambda lines: [*lines[:2], *lines[3:]],
            "history.jsonl:3: 1 line(s) before it are missing",
        ),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "it is out of place"),
        (
            lambda lines: [*lines[:3], lines[2], *lines[3:]],
            "history.jsonl:4: the line stands there",
        ),
        (lambda lines: [line for line in lines for _ in "12"], "history.jsonl:2: the line stands"),
    ],
)
def test_what_happened_to_a_line_is_said(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], words: str
) -> None:
    good_run(tmp_path)
    rewrite(tmp_path, change(lines_of(tmp_path)))
    assert words in altered(tmp_path)


def test_the_status_of_a_requirement_is_compared_with_its_parts(tmp_path: Path) -> None:
    attempt(tmp_path, "bad")
    tables = read_tables(tmp_path)
    tables["requirements"][SAID]["status"] = "PASS"
    write_tables(tmp_path, tables)
    assert f"verdicts.json: {SAID} is said to be PASS, and its parts are FAIL" in altered(tmp_path)
    assert main(["verify", str(tmp_path)]) == 1


def test_the_status_of_a_scenario_is_compared_with_its_attempts(tmp_path: Path) -> None:
    attempt(tmp_path, "bad")
    tables = read_tables(tmp_path)
    tables["requirements"][SAID]["scenarios"][SCENARIO]["status"] = "PASS"
    write_tables(tmp_path, tables)
    assert "is said to be PASS, and its attempts are FAIL" in altered(tmp_path)


def test_the_reasons_of_a_requirement_are_compared_with_its_parts(tmp_path: Path) -> None:
    attempt(tmp_path, "bad")
    tables = read_tables(tmp_path)
    tables["requirements"][SAID]["reasons"] = ["nothing to see here"]
    write_tables(tmp_path, tables)
    assert f"{SAID}: what it says is not what its parts say" in altered(tmp_path)


def test_the_list_of_what_was_never_judged_is_compared_too(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"requirements": ["FO-24", "MN-05"]}')
    attempt(tmp_path, "good")
    seal(tmp_path)
    tables = read_tables(tmp_path)
    write_tables(tmp_path, {**tables, "never_judged": []})
    assert "verdicts.json: what it says of the whole run is not what its parts" in altered(tmp_path)


def test_a_verdict_that_was_removed_is_missed_by_its_mark(tmp_path: Path) -> None:
    good_run(tmp_path)
    kept = read_verdicts(tmp_path).attempts
    write_tables(tmp_path, tables_of(Verdicts({SAID: kept[SAID]}, frozenset((SAID,)))))
    assert f"history.jsonl:5: {SEEN} was judged here, and verdicts.json has no" in altered(tmp_path)
    assert any(SEEN in one for one in integrity(tmp_path).open)


def test_a_verdict_that_was_removed_with_its_mark_is_missed_by_the_chain(tmp_path: Path) -> None:
    good_run(tmp_path)
    kept = read_verdicts(tmp_path).attempts
    write_tables(tmp_path, tables_of(Verdicts({SAID: kept[SAID]}, frozenset((SAID,)))))
    lines = lines_of(tmp_path)
    rewrite(tmp_path, [line for line in lines if b'"requirement":"FO-24"' not in line])
    assert "history.jsonl:5: 1 line(s) before it are missing" in altered(tmp_path)


def test_and_by_the_beginning_when_the_chain_was_made_anew(tmp_path: Path) -> None:
    good_run(tmp_path)
    kept = read_verdicts(tmp_path).attempts
    lines = [one for one in lines_of(tmp_path) if b'"requirement":"FO-24"' not in one]
    rewrite(tmp_path, chain_again(lines))
    write_tables(tmp_path, tables_of(Verdicts({SAID: kept[SAID]}, frozenset((SAID,)))))
    seal(tmp_path)
    looked = integrity(tmp_path)
    assert (looked.altered, looked.damaged) == ((), ())
    assert f"history.jsonl:1: {SEEN} was to be judged, and never was" in looked.open
    assert main(["verify", str(tmp_path)]) != 0


def test_a_requirement_that_the_run_was_for_is_missed(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"requirements": ["FO-24", "MN-05"]}')
    attempt(tmp_path, "good")
    seal(tmp_path)
    assert read_tables(tmp_path)["to_judge"] == [SEEN, SAID]
    assert read_tables(tmp_path)["never_judged"] == [SEEN]
    assert f"run.json: {SEEN} was to be judged, and never was" in integrity(tmp_path).open
    assert main(["verify", str(tmp_path)]) == 2


def test_a_requirement_that_no_scenario_speaks_of_was_never_judged(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"requirements": ["FO-24", "MN-05"]}')
    attempt(tmp_path, "good")
    said = read_verdicts(tmp_path).attempts
    write_tables(tmp_path, tables_of(Verdicts({**said, SEEN: {}}, frozenset((SAID, SEEN)))))
    seal(tmp_path)
    assert read_tables(tmp_path)["never_judged"] == [SEEN]
    assert f"run.json: {SEEN} was to be judged, and never was" in integrity(tmp_path).open
    assert main(["verify", str(tmp_path)]) == 2


def test_an_attempt_that_was_never_judged_is_missed(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    attempt(tmp_path, "good", number=2, judged=False)
    seal(tmp_path)
    (left,) = integrity(tmp_path).open
    assert left.startswith("history.jsonl:5: attempt 2 of ")
    assert main(["verify", str(tmp_path)]) == 2


def test_attempts_that_are_counted_twice_are_told(tmp_path: Path) -> None:
    attempt(tmp_path, "bad")
    attempt(tmp_path, "good")
    assert "began as attempt 1, after attempt 1 at history.jsonl:1" in altered(tmp_path)


def test_a_capture_that_was_altered_is_named_whoever_used_it(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    (tmp_path / "wire").mkdir()
    unused = tmp_path / "wire" / "unused.pcapng"
    unused.write_bytes(b"octets")
    seal(tmp_path)
    unused.write_bytes(b"octetz")
    assert "wire/unused.pcapng: it was altered after it had been sealed" in altered(tmp_path)
    assert main(["verify", str(tmp_path)]) == 2


def test_the_capture_of_a_lab_that_is_kept_may_grow_but_not_change(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    (tmp_path / "wire").mkdir()
    path = tmp_path / "wire" / "kept.pcapng"
    marks = captures.marks_of(NS, 4 * NS, ended=False)
    grown = captures.capture([], marks=[*marks, captures.mark(ALIVE, 5 * NS)])
    path.write_bytes(captures.capture([], marks=marks))
    seal(tmp_path)
    path.write_bytes(grown)
    assert main(["verify", str(tmp_path)]) == 0
    path.write_bytes(grown.replace(b'"late_ns":0', b'"late_ns":9', 1))
    assert "wire/kept.pcapng: it was altered after it had been sealed" in altered(tmp_path)


def test_what_the_marks_of_a_capture_say_is_told(tmp_path: Path, monkeypatch) -> None:
    good_run(tmp_path)
    monkeypatch.setattr(looking, "verify", lambda _: "the mark of 12:00:01 differs")
    assert altered(tmp_path) == "wire/lab.pcapng: the mark of 12:00:01 differs"


@pytest.mark.parametrize(
    "name",
    ["run.json", "transcripts/lab/node-a.log", "wire/lab.pcapng", "guest-secondary-17.pcap"],
)
def test_every_file_that_a_verdict_may_rest_on_is_sealed(tmp_path: Path, name: str) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "transcripts" / "lab").mkdir(parents=True)
    (tmp_path / "transcripts" / "lab" / "node-a.log").write_text("typed")
    (tmp_path / "guest-secondary-17.pcap").write_bytes(b"octets")
    good_run(tmp_path)
    path = tmp_path / name
    good = path.read_bytes()
    path.write_bytes(good + b" ")
    assert f"{name}: something was added after" in altered(tmp_path)
    path.write_bytes(good[:-1] + b"?")
    assert f"{name}: it was altered after it had been sealed" in altered(tmp_path)
    path.unlink()
    assert f"{name}: it was sealed, and is not there any more" in altered(tmp_path)


def test_a_file_that_was_added_is_told(tmp_path: Path) -> None:
    good_run(tmp_path)
    (tmp_path / "wire" / "more.pcapng").write_bytes(b"")
    assert "wire/more.pcapng: it was not there when the run was sealed" in altered(tmp_path)


def test_a_run_without_a_seal_did_not_end(tmp_path: Path) -> None:
    good_run(tmp_path)
    without_seal(tmp_path)
    looked = integrity(tmp_path)
    assert looked.altered == ()
    assert [one for one in looked.open if "no seal" in one]
    assert main(["verify", str(tmp_path)]) == 2


def test_what_is_judged_after_the_sealing_breaks_no_seal_but_takes_it_away(tmp_path: Path) -> None:
    good_run(tmp_path)
    record_verdict(tmp_path, "MN-06", "another", GOOD)
    assert sealed(tmp_path) == ""


def test_nothing_is_sealed_where_nothing_was_recorded(tmp_path: Path) -> None:
    assert seal(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def edit_history_and_verdicts_alike(directory: Path) -> None:
    """Turn a FAIL into a PASS: in the history, whose chain is made anew, and in the verdicts."""
    lines = [one.replace(b'"text":"bad"', b'"text":"good"') for one in lines_of(directory)]
    rewrite(directory, chain_again(lines))
    verdicts = Verdicts(to_judge=read_verdicts(directory).to_judge)
    for one in judge_again(directory):
        verdicts = verdicts.including(one.requirement, one.scenario, one.again, one.attempt)
    tables = {n: t for n, t in read_tables(directory).items() if n in ("seal", "sealed")}
    write_tables(directory, {**tables_of(verdicts), **tables})


def test_history_and_verdicts_edited_alike_break_the_seal(tmp_path: Path) -> None:
    attempt(tmp_path, "bad")
    seal(tmp_path)
    edit_history_and_verdicts_alike(tmp_path)
    assert "verdicts.json: it was altered after it had been sealed" in altered(tmp_path)
    assert "history.jsonl: it was altered after it had been sealed" in altered(tmp_path)
    assert main(["verify", str(tmp_path)]) == 2


def test_and_made_anew_altogether_only_the_seal_that_was_kept_tells(tmp_path: Path) -> None:
    attempt(tmp_path, "bad")
    kept = seal(tmp_path)
    assert main(["verify", str(tmp_path), "--seal", kept]) == 1  # it is a FAIL
    edit_history_and_verdicts_alike(tmp_path)
    new = seal(tmp_path)
    assert main(["verify", str(tmp_path)]) == 0
    assert main(["verify", str(tmp_path), "--seal", new.upper()]) == 0
    assert main(["verify", str(tmp_path), "--seal", kept]) == 2
    assert f"the seal is {new}, and another one was kept" in integrity(tmp_path, kept).altered[0]


def test_only_a_verdict_of_a_history_made_anew_rests_on_other_lines(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    rewrite(tmp_path, chain_again([one.replace(b"good", b"GOOD") for one in lines_of(tmp_path)]))
    (again,) = judge_again(tmp_path)
    assert again.altered == ["history.jsonl:3"]


def test_a_retry_in_the_same_directory_leaves_the_failure(tmp_path: Path, capsys) -> None:
    attempt(tmp_path, "bad")
    attempt(tmp_path, "good", number=2)
    seal(tmp_path)
    assert integrity(tmp_path).altered == ()
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"{SAID}  FAIL, as recorded: {SCENARIO}\n" in said
    assert f"{SAID}  PASS, as recorded: {SCENARIO}, attempt 2\n" in said
    assert said.splitlines()[-1].endswith("all in all FAIL")


def test_what_was_recorded_between_two_scenarios_is_looked_at_too(tmp_path: Path) -> None:
    with history(tmp_path, "") as written:
        written.record(logged("of nobody"))
        written.record(logged("of nobody else"))
    with history(tmp_path) as written:
        written.record(started())
        written.record(logged("good"))
        judge_now(tmp_path, written, SAID)
        written.record(ScenarioEnded(source="pytest", events=written.recorded))
    seal(tmp_path)
    assert main(["verify", str(tmp_path)]) == 0
    rewrite(
        tmp_path, [one.replace(b"of nobody else", b"of somebody") for one in lines_of(tmp_path)]
    )
    assert main(["verify", str(tmp_path)]) == 2
    assert "history.jsonl:2: it was altered" in altered(tmp_path)


def test_a_file_of_verdicts_that_is_gone_leaves_every_mark_without_one(tmp_path: Path) -> None:
    good_run(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    assert altered(tmp_path).count("and verdicts.json has no verdict of it") == 2
    assert main(["verify", str(tmp_path)]) == 2


def test_what_a_process_that_died_has_torn_is_damage_and_no_alteration(tmp_path: Path) -> None:
    attempt(tmp_path, "good")
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(b'{"number":')
    seal(tmp_path)
    looked = integrity(tmp_path)
    assert looked.altered == ()
    assert looked.damaged == ("history.jsonl:5: the line is torn: its end is missing",)
    assert main(["verify", str(tmp_path)]) == 2
