"""Runs whose reports are made: small ones, written as scenarios write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evidence.clock import HostClock
from evidence.events.run import ScenarioEnded
from evidence.moment import NS
from tests.checks.engine import recorded
from tests.checks.engine.recorded import own_checks

__all__ = ["own_checks"]

FACTS = {
    "started": "2026-11-28T20:38:51+0000",
    "revision": {"commit": "768efaa08a832a42dd428dcf053ba70e5625a5cd", "uncommitted_changes": True},
    "command": "pytest scenarios/ --lab=local",
    "host": "Linux-6.1",
    "processors": 2,
    "python": "3.11.7",
    "packages": {"vpnproof": "0.1.0"},
    "requirements": [recorded.SAID, recorded.SEEN],
    "software": "drop-in",
    "image": "debian-12 (2e58)",
    "image_source": "built here",
    "accelerator": "tcg",
    "labs": {"lab": {"clock": {"behind_ns": 1, "uncertainty_ns": 1}}},
}


def facts(directory: Path, **others: object) -> None:
    (directory / "run.json").write_text(json.dumps({**FACTS, **others}))


def cut(path: Path, octets: int) -> None:
    """Let a file lack its end."""
    path.write_bytes(path.read_bytes()[:-octets])


@pytest.fixture
def good_run(tmp_path: Path, own_checks: object) -> Path:
    """Record a run in which two requirements pass, sealed."""
    run = tmp_path / "run"
    run.mkdir()
    facts(run)
    recorded.good_run(run)
    return run


@pytest.fixture
def clock_set(good_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Record another scenario in a good run, in which the host's clock is set a minute on."""
    with recorded.history(good_run, recorded.OTHER) as written:
        written.record(recorded.started())
        set_the_clock(monkeypatch)
        written.record(recorded.logged("good"))
        written.record(ScenarioEnded(source="pytest", events=written.recorded))
    return good_run


def set_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the host's clock be set a minute on."""
    now = HostClock.now()
    later = HostClock(now.epoch_ns + 60 * NS, now.asleep_ns)
    monkeypatch.setattr(HostClock, "now", lambda: later)
