"""LAB-01: a lab is made by an ordinary user, and changes nothing on the machine it runs on."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence.events.harness import HostVisited
from evidence.history import History
from lab.lab import Lab
from lab.paths import lab_directories
from lab.wire import processes_of
from scenarios.harness.host import Host
from scenarios.harness.network import off_loopback
from scenarios.harness.visit import visiting

SYSTEM = tuple(map(Path, ("/etc", "/usr", "/var/lib/libvirt", "/run")))
HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)  # some programs ask for it here
AT_HOME = (".ssh", ".config/libvirt", ".cache/libvirt", ".local/share/libvirt", ".libvirt")
VISITS = 2
"""At most: what is other after the first is looked for in another."""


@pytest.mark.requirement("LAB-01")
def test_a_lab_needs_no_privilege_and_leaves_the_host_as_it_was(
    lab: Lab, history: History, tmp_path: Path, judge: Callable[[str], object]
) -> None:
    for _ in range(VISITS):
        visited = visit(lab, tmp_path)
        history.record(visited)
        if not (visited.during or visited.after):
            break
    judge("LAB-01")


def visit(lab: Lab, place: Path) -> HostVisited:
    """Look at the host before another lab comes, while it runs, and when it is gone."""
    watched = (*SYSTEM, *(HOME / name for name in AT_HOME), place)
    before = Host.now(watched, but=of_labs())
    with visiting(place, lab.image.name, lab.accelerator.name) as visitor:
        during = Host.now(but=of_labs())
        reachable = off_loopback(visitor.pids)
    after = Host.now(watched, but=of_labs())
    return HostVisited(
        source="host",
        uid=visitor.uid,
        capabilities=visitor.capabilities,
        processes=len(visitor.pids),
        during=tuple(before.changes_until(during, but=("file",))),
        after=tuple(before.changes_until(after)),
        reachable=tuple(reachable),
    )


def of_labs() -> set[int]:
    """Return the processes of all labs of this user, which other scenarios may be using."""
    return {one.pid for directory in lab_directories() for one in processes_of(directory)}
