"""A lab changes nothing on the machine it runs on (LAB-01): before against during and after.

While the lab runs, home, temporary and runtime directory are empty ones of the test's own, so that
what lies there afterwards is the lab's doing, and not a browser's. What other programs change on
the system meanwhile would be counted against the lab: see that none does.
"""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.accelerator import choose
from lab.cache import cache_root
from lab.checkpoint import cold_start
from lab.image import prepare
from lab.wire import processes_of
from scenarios.harness.host import Host
from scenarios.harness.network import off_loopback
from tests.vm.alone import TOPOLOGY

pytestmark = [pytest.mark.vm, pytest.mark.undisturbed]

SYSTEM = tuple(map(Path, ("/etc", "/usr", "/var/lib/libvirt", "/run")))
HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)  # some programs ask for it here
WATCHED_AT_HOME = (".ssh", ".config/libvirt", ".cache/libvirt", ".local/share/libvirt", ".libvirt")


@dataclass(frozen=True)
class Visit:
    """A lab that came, was used and went; `reachable` are its sockets that are not on loopback."""

    before: Host
    during: Host
    after: Host
    processes: int
    reachable: list[str]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    image, accelerator = prepare("debian-12"), choose()
    with private_directories(tmp_path_factory.mktemp("private")) as private:
        watched = (*SYSTEM, *(HOME / name for name in WATCHED_AT_HOME), private)
        before = Host.now(watched)
        with cold_start(TOPOLOGY, image, accelerator) as lab:
            machine = lab["alone"]
            machine.put("content", "/srv/file")
            machine.run("ping -c 1 -W 1 192.0.2.9", check=False)
            machine.reboot()
            machine.wait_until_up()
            lab.wire.flush()
            running = [process.pid for process in processes_of(lab.directory)]
            during = Host.now(but=lambda: running)
            reachable = off_loopback(running)
        yield Visit(before, during, Host.now(watched), len(running), reachable)


@contextmanager
def private_directories(place: Path) -> Iterator[Path]:
    """Give this process a home, temporary and runtime directory in `place` while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VPNPROOF_CACHE", str(cache_root().absolute()))  # the lab's own stays
        for name in [name for name in os.environ if name.startswith("XDG_")]:
            patch.delenv(name)
        for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR"):
            (place / name).mkdir(mode=0o700)
            patch.setenv(name, str(place / name))
        patch.setattr(tempfile, "tempdir", None)  # where Python remembers it
        yield place


def test_while_a_lab_runs_the_network_and_the_services_are_as_before(visit: Visit):
    assert visit.before.changes_until(visit.during, but=("file",)) == []


def test_nobody_else_can_reach_a_socket_of_a_running_lab(visit: Visit):
    assert visit.processes >= 3, "wire, libvirt and QEMU"
    assert visit.reachable == []


def test_after_a_lab_everything_is_as_before(visit: Visit):
    assert visit.before.changes_until(visit.after) == []
