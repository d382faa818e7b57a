"""Fixtures: an SSH server in this process, a machine behind it, a short directory for a lab."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import wait
from lab.machine import Machine
from tests.lab.ssh_server import SshServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    served = SshServer(tmp_path)
    yield served
    served.close()


@pytest.fixture
def machine(server: SshServer) -> Iterator[Machine]:
    reached = Machine("node-a", server.access, console=lambda: "the console's last line")
    yield reached
    reached.disconnect()


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """Make a directory whose name leaves room for libvirt's sockets (107 bytes)."""
    directory = Path(tempfile.mkdtemp(prefix="vp", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(autouse=True)
def _pace() -> Iterator[None]:
    yield
    wait.set_pace(1.0)


@pytest.fixture(autouse=True)
def private_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test meets this user's own labs or cache."""
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "cache"))
    labs = tmp_path / "labs"
    monkeypatch.setenv("VPNPROOF_LABS", str(labs))
    return labs
