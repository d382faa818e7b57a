"""What a wire's process leaves in its log when it fails."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.errors import LabError
from lab.wire import process
from lab.wire.process import Settings, run


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Undo what a wire does with signals: here it runs in the test's process."""
    ours = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    signal.set_wakeup_fd(-1)
    for number, ours_before in ours.items():
        signal.signal(number, ours_before)


def test_what_a_wire_failed_by_is_in_its_log_though_its_machines_could_not_be_ended(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("the wire's own mistake")

    def does_not_end(*_: object, **__: object) -> None:
        assert "the wire's own mistake" in capsys.readouterr().err
        raise LabError("a machine did not end")

    monkeypatch.setattr(process._Wire, "serve", fails)
    monkeypatch.setattr(process, "end_processes_of", does_not_end)
    monkeypatch.setattr(process, "_watch_guardian", lambda *_: None)
    monkeypatch.setattr(process, "hold", lambda _: None)
    guardian: Any = SimpleNamespace(kept=lambda: None)
    owner, wire = socket.socketpair()
    with closing(owner), pytest.raises(LabError, match="a machine did not end"):
        run(Settings(short_directory, short_directory / "wire.pcapng", [], 0, guardian), wire)
