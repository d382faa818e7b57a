"""What one part of the wiring leaves for another, in the stash of pytest's config."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

import pytest

from checks.engine.collected import Collected
from scenarios.run import Run
from scenarios.side_by_side import SideBySide

ROOT = Path(__file__).parents[2]
"""The checkout."""

RUN = pytest.StashKey[Run]()
TERMINAL = pytest.StashKey[TextIO]()
"""What pytest does not capture."""
LABS = pytest.StashKey[SideBySide]()
"""How many labs run side by side; absent where none of ours does."""
TO_BE_JUDGED = pytest.StashKey[frozenset[str]]()
COLLECTED = pytest.StashKey[Collected]()
LEFT_UP = pytest.StashKey[list[str]]()
"""How to look around in labs that were left up."""
A_WORKER_DIED = pytest.StashKey[bool]()

CONTROLLER, MAY_THAW_AHEAD = "vpnproof_controller", "vpnproof_may_thaw_ahead"
LEFT_UP_BY_WORKER = "vpnproof_left_up"
"""What workers of xdist are told, and what they tell."""
