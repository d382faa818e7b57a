"""What tests of judging share: a run over hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.engine.hosts import at_home, joined


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a run over two hosts that has not begun anything."""
    at_home(tmp_path, joined("alpha"), joined("beta"))
    return tmp_path
