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
from scenarios.harness.killing import processes_of_runs
from scenarios.harness.network import off_loopback
from scenarios.harness.visit import make_private, visiting

SYSTEM = tuple(map(Path, ("/etc", "/usr", "/var/lib/libvirt", "/run")))
HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)  # some programs ask for it here
AT_HOME = (".ssh", ".config/libvirt", ".cache/libvirt", ".local/share/libvirt", ".libvirt")
VISITS = 2
"""At most: what is other after the first is looked for in another."""


@pytest.mark.sign_off
@pytest.mark.requirement("LAB-01")
def test_a_lab_needs_no_privilege_and_leaves_the_host_as_it_was(
    lab: Lab, history: History, tmp_path: Path, judge: Callable[[str], object]
) -> None:
    make_private(tmp_path)
    first, other = look(tmp_path), dict[str, str]()
    for _ in range(VISITS):
        visited = visit(lab, tmp_path, first, other)
        history.record(visited)
        if not (visited.during or visited.after):
            break
    judge("LAB-01")


def look(place: Path) -> Host:
    """Look at the host, and at what a visitor has in `place`."""
    watched = (*SYSTEM, *(HOME / name for name in AT_HOME), place)
    return Host.now(watched, but=of_labs)


def visit(lab: Lab, place: Path, first: Host, other: dict[str, str]) -> HostVisited:
    """Look at the host before another lab comes, while it runs, and when it is gone.

    first: the host before the first visit. other: what was other after visits so far, by what it is
    about; what is other after this one is added.
    """
    before = look(place)
    with visiting(place, lab.image.name, lab.accelerator.name) as visitor:
        during = Host.now(but=of_labs)
        reachable = off_loopback(visitor.pids)
    after = look(place)
    left, since_first = before.changed_until(after), first.changed_until(after)
    still = tuple(line for thing, line in other.items() if thing in since_first)
    other |= left
    return HostVisited(
        source="host",
        uid=visitor.uid,
        capabilities=visitor.capabilities,
        processes=len(visitor.pids),
        during=tuple(before.changes_until(during, but=("file",))),
        after=tuple(left.values()),
        reachable=tuple(reachable),
        still=still,
        at_home=tuple(line for thing, line in left.items() if thing.startswith(f"file {place}/")),
    )


def of_labs() -> set[int]:
    """Return the processes of all labs that other scenarios may be using, or killing, right now."""
    of_user = {one.pid for directory in lab_directories() for one in processes_of(directory)}
    return of_user | processes_of_runs()
