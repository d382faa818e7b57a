"""Where verdicts turn is found to the last unit, and a limit that moves is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine import registry
from checks.engine.obligations import Obligations
from checks.engine.verdict import Status
from evidence.events.run import HostLate
from evidence.scenario import Evidence
from tests.score import turning
from tests.score.healthy import Healthy, healthy
from tests.score.recording import Recording
from tests.score.renamed import other_names, renamed
from tests.score.turning import Knob, moved, turn_of, turns

LIMIT_MS = 1234


@pytest.fixture
def good() -> Healthy:
    return healthy("FO-24")


@pytest.fixture
def lately(good: Healthy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let FO-24 promise that the host was not kept for long."""

    def check(evidence: Evidence, owed: Obligations) -> None:
        kept_ms = sum(one.kept_ns for one in evidence.events(HostLate)) // turning.MS
        owed.tell(f"{kept_ms} ms")
        owed.require(kept_ms <= LIMIT_MS, "no lateness", "it was late", evidence.capture_place)

    monkeypatch.setattr(registry, "_checks", {**registry.checks(), "FO-24": check})


def kept(good: Healthy, most: int) -> Knob:
    def at(number: int) -> Recording:
        end_ns = good.recording.end_ns
        late = HostLate(source="host", of="wire", from_ns=0, at_ns=end_ns, kept_ns=number * 10**6)
        return replace(good.recording, events=(*good.recording.events, late))

    return Knob("FO-24", "the host late", most, " ms", at)


@pytest.mark.usefixtures("lately")
@pytest.mark.parametrize("most", [LIMIT_MS + 1, 5000])
def test_the_turn_is_found_to_the_last_unit(good: Healthy, most: int) -> None:
    turn = turn_of(kept(good, most))
    assert turn is not None
    assert (turn.last, turn.first) == (LIMIT_MS, LIMIT_MS + 1)
    assert (turn.before.status, turn.after.status) == (Status.PASS, Status.FAIL)
    assert f"up to {LIMIT_MS} ms: PASS: {LIMIT_MS} ms" in str(turn)
    assert f"from {LIMIT_MS + 1} ms: FAIL: it was late; {LIMIT_MS + 1} ms" in str(turn)


@pytest.mark.usefixtures("lately")
def test_what_turns_nothing_is_no_turn(good: Healthy) -> None:
    assert turn_of(kept(good, LIMIT_MS)) is None


def test_a_takeover_turns_where_the_guide_says_and_a_busy_host_excuses_it(good: Healthy) -> None:
    found = {turn.knob.name: turn for turn in turns(good)}
    late = found["what comes in at secondary/wire0, later"]
    assert late.after.status is Status.FAIL
    excused = found[f"{late.knob.name} by {late.first + 1500} ms, and the host late"]
    assert excused.after.status is Status.UNKNOWN
    assert excused.after.late


def told(recording: Recording) -> list[object]:
    return [one.model_dump() for one in recording.events]


@pytest.mark.parametrize("requirement", ["FO-46", "MN-15"])
def test_what_cannot_be_recorded_is_no_knob(requirement: str) -> None:
    good = healthy(requirement)
    found = list(turning.numbers(good))
    assert found
    as_it_was = told(good.recording)
    for knob in found:
        assert told(knob.at(0)) == as_it_was
        assert told(knob.at(knob.most)) != as_it_was


def test_other_names_stand_in_another_order(good: Healthy) -> None:
    names = other_names(good.recording)
    assert len(names) == 2
    assert sorted(names.values()) == [names[name] for name in sorted(names, reverse=True)]
    told = repr(renamed(good).recording.events)
    assert all(name in told for name in names.values())
    assert len(renamed(good).cited) == len(good.cited)
    without = healthy("MN-15")
    assert renamed(without) is without


def test_a_limit_that_moved_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "TURNS", tmp_path)
    assert list(moved({"FO-24": "a knob\n  up to 1 ms\n"}, write=True)) == []
    assert list(moved({"FO-24": "a knob\n  up to 1 ms\n"}, write=False)) == []
    told = list(moved({"FO-24": "a knob\n  up to 2 ms\n"}, write=False))
    assert "turns: FO-24: -  up to 1 ms" in told
    assert "turns: FO-24: +  up to 2 ms" in told
    assert any("FO-25" in one for one in moved({"FO-25": "a knob\n"}, write=False))
