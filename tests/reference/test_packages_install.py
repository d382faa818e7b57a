"""`packages/install` run again: it mends what differs, and leaves alone what does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference.drop_in import SOFTWARE, Machine

LIBRARY = Path("usr/share/vpn-drop-in")


def install(machine: Machine, package: str) -> None:
    program = [SOFTWARE / "packages/install", "--root", machine.root, "--python", sys.executable]
    subprocess.run([*program, package], check=True)


def files(machine: Machine) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in (machine.root / LIBRARY).rglob("*.py*")}


def test_what_is_there_as_it_should_be_stays(machine: Machine) -> None:
    before = files(machine)
    install(machine, "vpn-server-node")
    assert files(machine) == before


@pytest.mark.parametrize("act", [Path.unlink, lambda path: path.write_text("x = 1\n")])
def test_what_differs_is_replaced_and_compiled(machine: Machine, act) -> None:
    name = "vpn_server_node/node.py"
    path = machine.root / LIBRARY / name
    act(path)
    install(machine, "vpn-server-node")
    assert path.read_bytes() == (SOFTWARE / "packages" / name).read_bytes()
    assert list(path.parent.glob("__pycache__/node.*.pyc"))


def test_what_is_too_much_goes(machine: Machine) -> None:
    path = machine.root / LIBRARY / "vpn_server_node/former.py"
    path.touch()
    install(machine, "vpn-server-node")
    assert not path.exists()
