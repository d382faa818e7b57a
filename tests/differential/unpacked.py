"""The genuine sources, for differential tests: unpacked where they can be had, else skipped.

`VPNPROOF_SOURCES` names a directory of git bundles. Nothing of them is kept.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provision.genuine import sources
from provision.genuine.catalogue import read


def unpacked(name: str, place: Path) -> Path:
    """Return a directory in `place` with the files of a source; skips where there is none."""
    source, directory = read()[name], place / name
    if sources.bundles() is None:
        pytest.skip(f"compares with the genuine software: set {sources.DIRECTORY}")
    if not directory.exists():
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(os.environ, "VPNPROOF_CACHE", str(place / "cache"))
            (place / "cache").mkdir(exist_ok=True)
            sources.get(source).unpack(directory)
    return directory


@pytest.fixture(scope="session")
def genuine_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where sources are unpacked, once a session."""
    return tmp_path_factory.mktemp("genuine")
