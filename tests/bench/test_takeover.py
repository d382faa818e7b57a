"""The benchmark of takeovers: what it says of a recording, and what it records itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from bench import __main__ as command_line
from bench import takeover as benchmark
from bench.takeover_series import SOURCE
from evidence.errors import BadEvidence
from evidence.events.run import (
    RepetitionBroken,
    RepetitionsBegan,
    ScenarioEnded,
    ScenarioStarted,
)
from evidence.history import read_history
from lab.errors import LabError
from lab.progress import Progress
from scenarios.failover import faults
from scenarios.run import Run as RunDirectory
from tests.checks.failover import recording
from tests.checks.failover.recording import MAC, Run

FIRST = 13.2  # when the standby of a recording advertises first, its primary gone since 10.3
RAN = {"image": "debian-12", "accelerator": "tcg", "heartbeat": "ucarp"}


def figures(run: Run, fault: str = "power-off", *, tunnel: bool = False) -> Mapping[str, object]:
    """Write the recording as the benchmark would have, and return its figures of it."""
    run.event(0, "repetitions.began", SOURCE, fault=fault, times=1, tunnel=tunnel)
    run.write()
    (run.directory / "run.json").write_text(json.dumps(RAN))
    return benchmark.figures_of(run.directory)


def calm(directory: Path) -> Run:
    """Let the primary go on after a fault."""
    run = Run(directory, 40)
    run.beats("primary", 0, 40)
    run.event(
        10.3, "fault.injected", "scenario", fault="it", node="primary", expects_takeover=False
    )
    run.event(18, "fault.watched", "scenario", node="primary")
    return run


def test_each_stage_has_its_spread_beside_what_the_timers_allow(tmp_path: Path):
    run = recording.takeover(tmp_path)
    found = figures(run)
    silence = {key: x for key, x in found.items() if key.startswith("power_off_silence_")}
    assert silence == {
        "power_off_silence_n": 1,
        "power_off_silence_min_s": 3.2,
        "power_off_silence_median_s": 3.2,
        "power_off_silence_p95_s": 3.2,
        "power_off_silence_max_s": 3.2,
        "power_off_silence_budget_min_s": 3.0,
        "power_off_silence_budget_max_s": 5.0,
    }
    assert found["power_off_takeover_median_s"] == 2.9
    assert found["power_off_announced_n"] == 1


def test_budgets_follow_the_configured_timers(tmp_path: Path):
    slow = {"engine": "ucarp", "advbase": 2, "deadratio": 5}
    nodes = {name: recording.node(name, **slow) for name in MAC}
    found = figures(recording.takeover(tmp_path, nodes=nodes))
    assert found["power_off_silence_budget_min_s"] == 10.0
    assert found["power_off_silence_budget_max_s"] == 13.0


def test_the_service_is_back_when_the_new_node_answers_not_while_the_old_one_does(tmp_path: Path):
    run = recording.takeover(tmp_path)
    run.answer(FIRST + 0.5, 943, mac=MAC["primary"])
    assert figures(run)["power_off_service_median_s"] == 3.9


def test_a_stage_that_was_not_seen_is_null_and_noted(tmp_path: Path):
    found = figures(recording.takeover(tmp_path).without("service.probed"))
    assert found["power_off_service_n"] == 0
    assert found["power_off_service_max_s"] is None
    assert "virtual IP: seen after 0 of 1 takeovers" in str(found["power_off_note"])


def test_a_tunnel_that_nobody_watched_is_no_fault(tmp_path: Path):
    found = figures(recording.takeover(tmp_path))
    assert (found["power_off_tunnel_n"], found["power_off_note"]) == (0, None)


def test_a_tunnel_that_came_back_is_measured(tmp_path: Path):
    run = recording.takeover(tmp_path)
    sent = recording.stamp(FIRST + 19.9)
    back = {"client": "outside", "protocol": "udp"}
    early = {**back, "sent_ns": recording.stamp(10.2)}
    run.event(FIRST + 0.2, "tunnel.carried", "robot-udp", **early)
    run.event(FIRST + 20, "tunnel.carried", "robot-udp", **back, sent_ns=sent)
    run.event(FIRST + 25, "tunnel.carried", "robot-udp", **back)
    found = figures(run, tunnel=True)
    assert found["power_off_tunnel_median_s"] == 22.9
    assert found["power_off_tunnel_budget_max_s"] == 75.0


def test_a_fault_without_a_takeover_is_reported_as_one(tmp_path: Path):
    run = recording.takeover(tmp_path)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    found = figures(run)
    assert (found["power_off_provoked"], found["power_off_takeovers"]) == (1, 0)
    assert found["power_off_silence_median_s"] is None
    assert found["power_off_note"] == "no takeover while it was watched"


def test_a_fault_that_hit_nothing_is_reported_as_one(tmp_path: Path):
    run = calm(tmp_path).changed("fault.injected", expects_takeover=True)
    assert "hit nothing" in str(figures(run)["power_off_note"])


def test_where_no_takeover_may_come_none_is_good(tmp_path: Path):
    found = figures(calm(tmp_path), "kill-openvpn")
    assert (found["kill_openvpn_takeovers"], found["kill_openvpn_note"]) == (0, None)


def test_a_takeover_that_must_not_come_is_noted(tmp_path: Path):
    run = calm(tmp_path)
    run.beats("secondary", 14, 18)
    found = figures(run, "kill-openvpn")
    assert found["kill_openvpn_takeovers"] == 1
    assert "must not" in str(found["kill_openvpn_note"])


def test_a_stop_has_no_budget_from_its_beginning_for_it_has_a_length(tmp_path: Path):
    found = figures(recording.takeover(tmp_path, "service-stop"), "service-stop")
    assert found["service_stop_takeover_budget_max_s"] is None
    assert found["service_stop_silence_budget_max_s"] == 5.0


def test_a_series_that_broke_off_says_where_and_why(tmp_path: Path):
    run = recording.takeover(tmp_path)
    run.event(39.5, "repetition.broken", SOURCE, number=2, reason="the gateway is gone")
    note = str(figures(run)["power_off_note"])
    assert note.startswith("broke off in repetition 2 of 1: the gateway is gone")


def test_a_series_that_broke_before_its_first_fault_has_that_reason_alone(tmp_path: Path):
    run = Run(tmp_path, 40)
    run.event(1, "repetition.broken", SOURCE, number=1, reason="the pair was never ready")
    found = figures(run)
    assert found["power_off_note"] == "broke off in repetition 1 of 1: the pair was never ready"
    assert found["power_off_provoked"] == 0


def test_evidence_of_something_else_is_refused(tmp_path: Path):
    recording.steady(tmp_path).write()
    with pytest.raises(BadEvidence, match="no takeover was measured there"):
        benchmark.figures_of(tmp_path)


def test_the_table_shows_figures_budgets_notes_and_where_to_look(tmp_path: Path):
    found = figures(recording.takeover(tmp_path).without("service.probed"))
    console = Console(width=100, record=True, file=(tmp_path / "shown").open("w"))
    with console.file:
        console.print(benchmark.table(found))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["power-off", "silence", "1", *["3.200"] * 4, "3", "to", "5"] in lines
    assert ["service", "0", "-", "-", "-", "-", "0", "to", "10"] in lines
    assert any(line[:2] == ["evidence:", str(tmp_path)] for line in lines)


def test_the_command_line_prints_a_recordings_figures_as_one_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    expected = figures(recording.takeover(tmp_path))
    monkeypatch.setattr(command_line, "_ROOT", tmp_path)
    assert command_line.main(["takeover", "--json", f"--of={tmp_path}"]) == 0
    assert json.loads(capsys.readouterr().out) == expected


def test_a_directory_without_a_history_is_an_error_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert command_line.main(["takeover", f"--of={tmp_path}"]) == 1
    assert "no history can be read" in capsys.readouterr().err


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    benchmark.add_arguments(parser)
    return parser.parse_args(arguments)


def test_without_options_it_provokes_as_often_as_a_sign_off_run():
    assert parsed().times == 20


def test_faults_are_chosen_by_name_one_or_more():
    assert parsed("--fault=pause", "--fault=link-cut").fault == ["pause", "link-cut"]


@pytest.mark.parametrize("wrong", ["--times=0", "--times=-1", "--times=few", "--fault=boredom"])
def test_what_cannot_be_provoked_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parsed(wrong)
    assert wrong.partition("=")[2] in capsys.readouterr().err


class LabsPlayed:
    """One lab that is none; it counts how often it was thrown away."""

    discarded = 0

    def get(self, _guide: str, **_wish: bool) -> object:
        return SimpleNamespace(wire=None)

    def name(self, guide: str) -> str:
        return guide

    def discard(self, _guide: str) -> None:
        self.discarded += 1


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[benchmark._Recorder]:
    """Three repetitions of faults that do nothing to nobody."""
    pair = SimpleNamespace(active=lambda: "primary", record_configured=lambda _active: None)
    monkeypatch.setattr(benchmark, "Pair", lambda *_: nullcontext(pair))
    monkeypatch.setattr(benchmark, "Probe", lambda *_: nullcontext())
    monkeypatch.setattr(benchmark, "provoke", lambda *_: "primary")
    monkeypatch.setattr(benchmark, "restore", lambda *_: None)
    run = RunDirectory(tmp_path / "run", tmp_path)
    run.directory.mkdir()
    with (tmp_path / "said").open("w") as said:
        progress = Progress(Console(file=said))
        yield benchmark._Recorder(run, LabsPlayed(), progress, times=3, tunnel=False)


def test_a_series_is_told_apart_and_its_lab_thrown_away(recorder: benchmark._Recorder):
    recorder.record(faults.PAUSE)
    started, begun, ended = read_history(recorder.run.files.history)
    assert isinstance(started, ScenarioStarted)
    assert isinstance(begun, RepetitionsBegan)
    assert isinstance(ended, ScenarioEnded)
    assert (begun.fault, begun.times, begun.tunnel) == ("pause", 3, False)
    assert (started.attempt, ended.events) == (1, 2)
    assert recorder.labs.discarded == 1


def test_a_repetition_that_breaks_ends_its_series_and_is_recorded(
    recorder: benchmark._Recorder, monkeypatch: pytest.MonkeyPatch
):
    outcomes = iter(["primary", LabError("the wire is gone", hint="look at it")])

    def provoke(*_: object) -> str:
        outcome = next(outcomes)
        if isinstance(outcome, LabError):
            raise outcome
        return outcome

    monkeypatch.setattr(benchmark, "provoke", provoke)
    recorder.record(faults.PAUSE)
    *_, broken, ended = read_history(recorder.run.files.history)
    assert isinstance(broken, RepetitionBroken)
    assert isinstance(ended, ScenarioEnded)
    assert (broken.number, broken.reason) == (2, "the wire is gone")
    assert recorder.labs.discarded == 1
