"""The provisioned failover pair, frozen with tunnels up, goes on as if nothing had happened.

One thaw and one rewind; `python -m bench continuity --times 20` is the same, more often.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench import continuity

pytestmark = [pytest.mark.vm, pytest.mark.undisturbed]


def test_a_thaw_and_a_rewind_disturb_nobody() -> None:
    seen = continuity.measure(SimpleNamespace(times=1, image="debian-12", accel=None))  # type: ignore[arg-type]
    for kind in ("thaw", "rewind"):
        assert seen[f"{kind}_standby_advertisements"] == 0
        assert seen[f"{kind}_longest_gap_s"] <= 1.2
        assert seen[f"{kind}_first_advertisement_s"] <= 1.2
        assert seen[f"{kind}_lost_pings"] == 0
        assert seen[f"{kind}_handshakes"] == 0
        assert seen[f"{kind}_restarts"] == 0
