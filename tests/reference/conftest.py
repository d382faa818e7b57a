"""The drop-in software installed into a folder, as `packages/install` does on a machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference.drop_in import SOFTWARE, Machine, guide_config, serving
from tests.reference.portals import add_users


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Everything installed and the controller initialised, once; copied by `machine`."""
    if shutil.which("php") is None:
        pytest.skip("the drop-in software reads its configuration through PHP: install php-cli")
    root = tmp_path_factory.mktemp("installed")
    packages = ("vpn-ca", "vpn-daemon", "vpn-server-api", "vpn-server-node", "vpn-user-portal")
    subprocess.run(
        [SOFTWARE / "packages/install", "--root", root, "--python", sys.executable, *packages],
        check=True,
    )
    machine = Machine(root)
    machine.write_config("vpn-server-api", guide_config())
    done = machine.run("/usr/bin/vpn-server-api-init")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return machine


@pytest.fixture(scope="module")
def with_users(installed: Machine, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Copy the installation, once for all tests of a module, with users who can log in."""
    root = tmp_path_factory.mktemp("portal") / "machine"
    shutil.copytree(installed.root, root, symlinks=True)
    add_users(Machine(root))
    return Machine(root)


@pytest.fixture
def machine(installed: Machine, tmp_path: Path) -> Machine:
    """Copy the installation: controller, node and portal in one, for one test."""
    root = tmp_path / "machine"
    shutil.copytree(installed.root, root, symlinks=True)
    return Machine(root)


@pytest.fixture
def api_uri(machine: Machine) -> Iterator[str]:
    """Serve the API of `machine` on the loopback."""
    with serving(machine.root) as uri:
        yield uri
