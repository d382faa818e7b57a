"""What a guest took too much of: in the history, the verdict, and what becomes of its lab."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from checks.engine.judging import judge_again, judge_now
from checks.engine.verdict import Status
from evidence.events.deployment import DeploymentPlanned
from evidence.events.multi_node import DnsAnswer, DnsAnswered
from evidence.events.run import LimitReached, ScenarioEnded, ScenarioStarted
from evidence.history import History, read_history
from lab.errors import WireError
from scenarios.limits import Limits, stopped_recording
from tests.checks.sites import GUIDE, told
from tests.wire.conftest import Bench

ANSWER = DnsAnswer(id=1, status="NOERROR", name="ns", type="A", addresses=("145.0.6.10",))


class Lab:
    """A lab of a wire alone."""

    def __init__(self, wire: Any) -> None:
        self.wire = wire


class Gone:
    """A wire that has ended."""

    def counters(self) -> dict[str, Any]:
        raise WireError("the wire is gone")


@pytest.fixture
def flooded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Flood a wire whose capture may take 20 KiB."""
    monkeypatch.setenv("VPNPROOF_CAPTURE_MIB", "0.02")
    (tmp_path / "run" / "wire").mkdir(parents=True)
    with ExitStack() as held:
        bench = Bench(tmp_path, held, capture=tmp_path / "run" / "wire" / "lab.pcapng")
        lab: Any = Lab(bench.wire)
        assert not stopped_recording(lab)
        for _ in range(40):
            bench.a.send(bench.a.frame(b"x" * 1400))
        bench.wire.flush()
        yield lab


def test_a_limit_that_was_reached_is_recorded_once(flooded: Any, tmp_path: Path) -> None:
    with History(tmp_path / "history.jsonl", "test_it") as history:
        limits = Limits(flooded, "multi_node")
        limits.record(history)
        limits.record(history)
    (event,) = read_history(tmp_path / "history.jsonl")
    assert isinstance(event, LimitReached)
    assert (event.source, event.lab, event.limit) == ("wire", "multi_node", "VPNPROOF_CAPTURE_MIB")
    assert "the wire stopped recording: the capture would take more than 0.02 MiB" in event.what


def test_a_lab_whose_wire_records_no_more_is_known(flooded: Any) -> None:
    assert stopped_recording(flooded)


def test_a_wire_that_is_gone_has_nothing_to_say(tmp_path: Path) -> None:
    gone: Any = Lab(Gone())
    assert not stopped_recording(gone)
    with History(tmp_path / "history.jsonl", "test_it") as history:
        Limits(gone, "multi_node").record(history)
        assert history.recorded == 0


def test_a_verdict_over_what_was_not_recorded_is_unknown_and_names_the_limit(
    flooded: Any, tmp_path: Path
) -> None:
    directory = tmp_path / "run"
    with History(directory / "history.jsonl", "scenarios/x.py::test_it") as history:
        history.record(ScenarioStarted(source="pytest", lab="lab", requirements=("MN-22",)))
        history.record(DeploymentPlanned(source="topology", **told(GUIDE)))
        history.record(DnsAnswered(source="client", type="A", answers=(ANSWER,)))
        verdict = judge_now(directory, history, "MN-22", flooded.wire.flush)
        history.record(ScenarioEnded(source="pytest", events=history.recorded))
    assert verdict.status is Status.UNKNOWN
    assert verdict.reasons[0].startswith("the wire stopped recording after ")
    assert verdict.reasons[0].endswith("more than 0.02 MiB (VPNPROOF_CAPTURE_MIB)")
    (again,) = judge_again(directory)
    assert again.same
