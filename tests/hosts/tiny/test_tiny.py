"""Scenarios that act on nothing; what a test wants to see is done by files beside the host's."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest

PLAY = Path(os.environ.get("TINY_PLAY", "/nonexistent"))


def play(name):
    """Leave a mark of what runs where; do what the test that plays asks for."""
    marks = Path(os.environ["VPNPROOF_LABS"]).parent / "marks"
    marks.mkdir(exist_ok=True)
    (marks / name).write_text(str(os.getpid()))
    asked = PLAY / name
    if not asked.exists():
        return
    what = asked.read_text()
    if what == "die once":
        asked.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "be full once":
        asked.unlink()
        raise OSError(errno.ENOSPC, "No space left on device")
    elif what == "fail":
        raise AssertionError("as asked")
    elif what == "wait":
        while asked.exists():
            time.sleep(0.05)


@pytest.mark.parametrize("number", range(6))
def test_something(history, number):
    play(f"something-{number}")
