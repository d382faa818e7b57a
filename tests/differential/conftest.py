"""Genuine software and drop-in, each in a folder of its own, laid out once."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.differential import genuine
from tests.differential.authority import quick_authority
from tests.reference.conftest import installed, machine
from tests.reference.drop_in import Machine

__all__ = ["installed", "machine"]


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Return the genuine software, as it was installed; what it lacks to be run skips the test."""
    if why := genuine.missing():
        pytest.skip(why)
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VPNPROOF_CACHE", str(cache))
        return genuine.lay_out(tmp_path_factory.mktemp("genuine"), compiled=False)


@pytest.fixture
def genuine_machine(laid_out: Machine) -> Iterator[Machine]:
    """Return the genuine software with configuration and state of its own for one test."""
    kept = [laid_out.root / "etc", laid_out.root / "var"]
    for directory in kept:
        shutil.copytree(directory, directory.with_suffix(".before"), symlinks=True)
    yield laid_out
    for directory in kept:
        shutil.rmtree(directory)
        directory.with_suffix(".before").rename(directory)


@pytest.fixture(scope="session")
def quick_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a vpn-ca that draws no keys."""
    return quick_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def own_loopback() -> str:
    """Return an address of the loopback that nobody else uses: the daemon's port is the same."""
    drawn = random.SystemRandom()
    return f"127.{drawn.randrange(1, 255)}.{drawn.randrange(255)}.72"
