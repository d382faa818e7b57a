"""What there is of a run is read; what is not is named, and nothing of it stops a report."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from evidence.errors import BadEvidence
from evidence.events.run import ScenarioEnded
from report.lacks import Lack
from report.matrix import matrix
from report.reading import Departure, read_run
from report.summary import summary
from tests.checks.engine import recorded
from tests.report.conftest import cut, set_the_clock


def whats(directory: Path) -> list[str]:
    return [one.what for one in read_run(directory).lacks]


def test_a_whole_run_lacks_nothing(good_run: Path) -> None:
    material = read_run(good_run)
    assert material.lacks == ()
    assert material.altered == ()
    assert material.facts["image"] == "debian-12 (2e58)"
    assert set(material.verdicts.attempts) == {recorded.SAID, recorded.SEEN}
    assert len(material.seal) == 64


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadEvidence, match="no such directory") as wrong:
        read_run(tmp_path / "gone")
    assert "runs/latest" in wrong.value.hint


def test_an_empty_directory_lacks_everything_and_is_read(tmp_path: Path) -> None:
    assert {"run.json", "history.jsonl", "verdicts.json"} <= set(whats(tmp_path))


@pytest.mark.parametrize("name", ["run.json", "history.jsonl", "verdicts.json"])
def test_a_file_that_is_gone_is_named(good_run: Path, name: str) -> None:
    (good_run / name).unlink()
    lacks = read_run(good_run).lacks
    assert name in [one.what for one in lacks]
    assert not [one for one in lacks if str(good_run) in one.why]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *product(("run.json", "verdicts.json"), (b"", b"{", b"[]", b"\xff\xfe", b"null")),
        ("verdicts.json", b'{"format": 2}'),
        ("verdicts.json", b'{"format": 1}'),
    ],
)
def test_a_file_that_holds_something_else_is_named(
    good_run: Path, name: str, content: bytes
) -> None:
    (good_run / name).write_bytes(content)
    assert name in whats(good_run)


def test_a_history_that_was_cut_short_is_damaged(good_run: Path) -> None:
    cut(good_run / "history.jsonl", 40)
    lacks = read_run(good_run).lacks
    assert any("torn" in one.why for one in lacks)


def test_a_capture_with_a_damaged_tail_is_named_by_file_and_place(good_run: Path) -> None:
    cut(good_run / "wire" / "lab.pcapng", 10)
    assert any(
        one.what == "damaged" and "wire/lab.pcapng: is cut" in one.why
        for one in read_run(good_run).lacks
    )


def test_what_was_altered_since_it_was_sealed_is_named(good_run: Path) -> None:
    facts = good_run / "run.json"
    facts.write_text(facts.read_text().replace("tcg", "kvm"))
    assert any("run.json" in one for one in read_run(good_run).altered)


def test_a_scenario_that_never_ended_was_cut_off(tmp_path: Path, own_checks: object) -> None:
    recorded.attempt(tmp_path, "good", judged=False)
    assert Lack(
        recorded.SCENARIO, "began at history.jsonl:1 and never ended: it was cut off"
    ) in set(read_run(tmp_path).lacks)


def test_a_scenario_that_was_begun_again_and_ended_was_not(
    tmp_path: Path, own_checks: object
) -> None:
    recorded.attempt(tmp_path, "good", judged=False)
    recorded.attempt(tmp_path, "good", number=2)
    assert recorded.SCENARIO not in whats(tmp_path)


def test_much_damage_is_counted_not_listed(good_run: Path) -> None:
    path = good_run / "history.jsonl"
    path.write_bytes(
        path.read_bytes()
        + b"no event\nnor this\n"
        + b"".join(b"%d\n" % number for number in range(30))
    )
    damaged = [one.why for one in read_run(good_run).lacks if one.what == "damaged"]
    assert len(damaged) == 6
    assert damaged[-1].startswith("and ")


def test_errata_are_read_by_guide(good_run: Path) -> None:
    row = {"name": "n", "kind": "erratum", "guide": "says", "happens": "h", "fix": "f"}
    (good_run / "errata-multi_node.json").write_text(json.dumps([row]))
    (found,) = read_run(good_run).departures
    assert found == Departure("multi-node", "erratum", "n", "says", "h", "f")


def test_errata_that_cannot_be_read_are_named(good_run: Path) -> None:
    (good_run / "errata-failover.json").write_text("[{")
    assert "errata-failover.json" in whats(good_run)


def test_a_clock_that_was_set_in_the_middle_is_named(clock_set: Path) -> None:
    assert "clock" in whats(clock_set)


def test_a_clock_that_was_set_between_two_scenarios_is_a_note(
    tmp_path: Path, own_checks: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `checks verify` has it: no scenario's times go across it."""
    recorded.attempt(tmp_path, "good")
    set_the_clock(monkeypatch)
    recorded.attempt(tmp_path, "good", scenario=recorded.OTHER)
    material = read_run(tmp_path)
    assert "clock" not in whats(tmp_path)
    (note,) = material.notes
    assert note.startswith("the host's clock was set by +60")
    limits = summary(material, matrix(material)).limits
    assert any(one.startswith("Between scenarios") and note in one for one in limits)


def test_a_clock_that_was_set_while_two_ran_is_named_once(
    tmp_path: Path, own_checks: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        recorded.history(tmp_path) as one,
        recorded.history(tmp_path, recorded.OTHER) as other,
    ):
        for written in (one, other):
            written.record(recorded.started())
        set_the_clock(monkeypatch)
        for written in (one, other):
            written.record(recorded.logged("good"))
            written.record(ScenarioEnded(source="pytest", events=written.recorded))
    assert whats(tmp_path).count("clock") == 1
    assert read_run(tmp_path).notes == ()


def test_trouble_with_labs_is_read(good_run: Path) -> None:
    (good_run / "trouble.log").write_text("one lab hung\n\nanother\n")
    assert read_run(good_run).trouble == ("one lab hung", "another")
