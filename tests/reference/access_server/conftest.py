"""A node below a temporary directory, and shells that answer as a network would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "provision/reference/access_server"
sys.path.insert(0, str(SOURCE))

from access_network import FakeNetwork, sound_network  # noqa: E402
from openvpnas import initialise  # noqa: E402
from openvpnas.config import Config  # noqa: E402
from openvpnas.paths import Paths  # noqa: E402
from openvpnas.users import Users  # noqa: E402


@pytest.fixture
def network() -> FakeNetwork:
    """Give a network in which everything is as a pair needs it."""
    return sound_network()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("node")
    initialise.make_primary(Paths(root), "vpn.example.org")
    return root


@pytest.fixture
def paths(template: Path, tmp_path: Path) -> Paths:
    """Give an initialised primary node."""
    root = tmp_path / "primary"
    shutil.copytree(template, root)
    return Paths(root)


@pytest.fixture
def standby(tmp_path: Path) -> Paths:
    """Give a node after ovpn-init --secondary."""
    paths = Paths(tmp_path / "standby")
    initialise.make_secondary(paths)
    return paths


@pytest.fixture
def config(paths: Paths) -> Config:
    return Config.at(paths)


@pytest.fixture
def users(paths: Paths) -> Users:
    return Users.at(paths)


@pytest.fixture
def carry() -> Callable[[Paths, Paths], None]:
    """Rsync's part of a sync, on this machine: bring the outgoing snapshot to `incoming`."""

    def bring(source: Paths, target: Paths) -> None:
        shutil.rmtree(target.staging / "incoming", ignore_errors=True)
        shutil.copytree(source.outgoing / "complete", target.staging / "incoming")

    return bring


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the software as install.sh does, below a directory of its own."""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run([SOURCE / "install.sh", "--root", root], check=True, capture_output=True)
    for program in (root / "usr/local/openvpn_as/libexec").rglob("*"):
        if program.is_file():  # the packages they need are this interpreter's here
            text = program.read_text().replace("#!/usr/bin/python3", f"#!{sys.executable}", 1)
            program.write_text(text)
    return root


@pytest.fixture
def command(installed: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Give what runs an installed program on a fresh node below a temporary directory."""

    def run(
        program: str, *arguments: str, stdin: int | str | None = None
    ) -> subprocess.CompletedProcess[str]:
        given = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin}
        return subprocess.run(
            [installed / "usr/local/openvpn_as" / program, *arguments],
            env={**os.environ, "OPENVPN_AS_ROOT": str(tmp_path / "root")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **given,
        )

    return run
