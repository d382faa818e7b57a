"""Fixtures: a store of real files, and a lab whose machines are files too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.checkpoint import Store
from tests.checkpoint.pretend import PretendLab


@pytest.fixture(autouse=True)
def private_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test meets this user's own labs or cache."""
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VPNPROOF_LABS", str(tmp_path / "labs"))
    monkeypatch.delenv("VPNPROOF_CHECKPOINTS_GIB", raising=False)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture(scope="session")
def blank_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "1M"], check=True)
    return path


@pytest.fixture
def lab(blank_disk: Path) -> PretendLab:
    return PretendLab(blank_disk)
