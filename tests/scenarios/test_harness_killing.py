"""What is left of a run that was killed: nobody is overlooked because of what he does meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from checks.harness.killing import WATCHED_S
from scenarios.harness import test_killing
from scenarios.harness.host import daemons
from scenarios.harness.killing import Run, place_of_labs
from scenarios.harness.test_host import of_labs


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


def test_what_a_killed_run_leaves_for_a_moment_is_no_service_of_the_host() -> None:
    """Seen: libvirtd of a run that LAB-03 killed, on a host without systemd, spoiled LAB-01."""
    with place_of_labs() as place:
        daemon = shutil.copy(cast("str", shutil.which("sleep")), place / "sleep-vpk")
        told = subprocess.run(
            ["sh", "-c", 'cd /; setsid "$0" 60 </dev/null >/dev/null 2>&1 & echo $!', daemon],
            env=os.environ | {"VPNPROOF_LABS": str(place)},
            stdout=subprocess.PIPE,
            check=True,
        )
        pid = int(told.stdout)
        try:
            assert pid in of_labs()
            assert "sleep-vpk" in daemons(tuple)
            assert "sleep-vpk" not in daemons(of_labs)
            for answers in (((), {pid}), ({pid}, ())):  # it began meanwhile, or ended
                assert "sleep-vpk" not in daemons(iter(answers).__next__)
        finally:
            os.kill(pid, signal.SIGKILL)


class Leaving:
    """A run of which something is left for a while."""

    def __init__(self, gone_s: float | None, left: list[str]) -> None:
        self.gone_s, self._left, self.watched_s = gone_s, left, 0.0

    def nothing_left_within(self, seconds: float) -> float | None:
        self.watched_s = seconds
        return self.gone_s

    def left(self) -> list[str]:
        return self._left


@pytest.mark.parametrize(
    ("gone_s", "left", "told"),
    [
        (25.0, [], (25.0, [])),  # longer than is allowed, and known by how much
        (None, ["7: qemu"], (None, ["7: qemu"])),
        (None, [], (WATCHED_S, [])),  # gone when it was to be named
        (0.0, [], (0.0, [])),
    ],
)
def test_what_is_left_is_watched_for_longer_than_it_may_be(
    gone_s: float | None, left: list[str], told: tuple[float | None, list[str]]
) -> None:
    run = Leaving(gone_s, left)
    assert test_killing.gone(cast(Any, run)) == told
    assert run.watched_s == WATCHED_S
