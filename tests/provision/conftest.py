"""Fixtures of the provisioning tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provision.notes import Notes
from provision.transcript import Session, Transcript
from tests.provision.machines import ShellMachine


@pytest.fixture
def shell() -> ShellMachine:
    return ShellMachine()


@pytest.fixture
def session(shell: ShellMachine, tmp_path: Path) -> Session:
    return Session(shell, Notes(), Transcript(tmp_path / "transcripts" / "here.log"))


@pytest.fixture
def stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("provision.action.STAMPS", str(tmp_path / "stamps"))
    return tmp_path / "stamps"


@pytest.fixture(scope="session")
def php() -> str:
    """Return PHP's path; a machine without it lacks what lab/setup installs."""
    found = shutil.which("php")
    assert found, "php is missing: run lab/setup (package php-cli)"
    return found
