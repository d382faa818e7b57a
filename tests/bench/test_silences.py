"""How long a heartbeat was silent, counted from the wire's recordings, scenario by scenario."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.silences import silences_s
from evidence.capture import Frame
from evidence.events.run import ClockOffset, LabThawed, ScenarioEnded, ScenarioStarted
from evidence.history import FILE_NAME, History
from tests.captures import capture
from tests.checks.protocols.encoder import carp

NS = 10**9


def scenario(folder: Path, name: str, begins_s: float, ends_s: float, *, lab: str = "pair") -> None:
    with History(folder / FILE_NAME, name) as history:
        history.record(ScenarioStarted(source="pytest", at_ns=int(begins_s * NS), lab=lab))
        history.record(ScenarioEnded(source="pytest", at_ns=int(ends_s * NS), events=1))


def thawed(folder: Path, at_s: float) -> None:
    with History(folder / FILE_NAME, "any") as history:
        clock = ClockOffset(behind_ns=0)
        history.record(
            LabThawed(source="lab", at_ns=int(at_s * NS), lab="pair", generation=1, clock=clock)
        )


def recording(folder: Path, beats_s: Sequence[float], lab: str = "pair") -> None:
    frames = [Frame(int(at * NS), "a/wire0", carp(counter=n)) for n, at in enumerate(beats_s)]
    (folder / "wire").mkdir(exist_ok=True)
    (folder / "wire" / f"{lab}.pcapng").write_bytes(capture(frames))


def test_a_run_without_a_history_was_never_silent(tmp_path: Path) -> None:
    assert silences_s(tmp_path) == {}


def test_a_lab_without_a_recording_was_never_silent(tmp_path: Path) -> None:
    scenario(tmp_path, "one", 0, 10)
    assert silences_s(tmp_path) == {"one": 0}


def test_a_takeovers_silence_counts_and_a_steady_heartbeat_does_not(tmp_path: Path) -> None:
    recording(tmp_path, [0.0, 1.0, 2.0, 5.5, 6.5, 7.5])
    scenario(tmp_path, "takeover", 0, 6)
    scenario(tmp_path, "steady", 6, 8)
    assert silences_s(tmp_path) == {"takeover": 3.5, "steady": 0}


def test_a_silence_over_the_end_of_a_scenario_counts_as_far_as_it_lies_within(
    tmp_path: Path,
) -> None:
    recording(tmp_path, [0.0, 1.0, 11.0])
    scenario(tmp_path, "earlier", 0, 5)
    scenario(tmp_path, "later", 7, 20)
    assert silences_s(tmp_path) == {"earlier": 4, "later": 4}


def test_what_a_thaw_takes_is_no_silence(tmp_path: Path) -> None:
    recording(tmp_path, [0.0, 1.0, 4.0, 5.0, 7.0])
    thawed(tmp_path, 2.5)
    scenario(tmp_path, "one", 0, 10)
    assert silences_s(tmp_path) == {"one": 2}


def test_the_labs_of_two_workers_are_told_apart(tmp_path: Path) -> None:
    recording(tmp_path, [0.0, 1.0, 5.0], "pair-gw0")
    recording(tmp_path, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "pair-gw1")
    scenario(tmp_path, "silent", 0, 5, lab="pair-gw0")
    scenario(tmp_path, "steady", 0, 5, lab="pair-gw1")
    assert silences_s(tmp_path) == {"silent": 4, "steady": 0}
