"""`python -m bench`: how a benchmark that is broken off ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

import pytest

from bench import takeover
from bench.__main__ import main


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_benchmark_that_is_ended_takes_its_labs_down(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = []

    def measure(_: object) -> Mapping[str, object]:
        try:
            os.kill(os.getpid(), number)
        finally:
            ended.append("labs")
        return {}

    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(takeover, "measure", measure)
    assert main(["takeover"]) == 130
    assert ended == ["labs"]
    assert "broken off" in capsys.readouterr().err
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
