"""What is left of a run that was killed: nobody is overlooked because of what he does meanwhile."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.harness.killing import Run


def test_a_process_that_closes_a_file_as_it_is_looked_at_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen: a guardian that was ending its lab, and so read in /proc itself, was not there."""
    readlink = Path.readlink

    def closed(path: Path) -> Path:
        if path.parent.name == "fd" and path.name == "0":
            raise FileNotFoundError(path)
        return readlink(path)

    monkeypatch.setattr(Path, "readlink", closed)
    owner = subprocess.Popen([sys.executable, "-c", ""])
    owner.wait()
    command = [sys.executable, "-c", "input()", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            left = Run(owner, tmp_path).left()
        finally:
            process.kill()
    assert [one for one in left if one.startswith(f"{process.pid}: ")]
