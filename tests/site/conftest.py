"""Fixtures: two machines of a site, played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site.hosts import Host, hosts


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Host]]:
    monkeypatch.setenv("VPNPROOF_LABS", str(tmp_path / "labs"))
    with hosts(tmp_path) as made:
        yield made
