"""Who is active is asked of the wire: also of one that a guest floods."""

from __future__ import annotations

import time
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from evidence.moment import NS
from scenarios.failover.pair import NODES, Pair, timers


class Flooded:
    """A subscription to a wire on which a node never ceases to advertise."""

    lost = 0

    def take(self, _: float) -> Any:
        return SimpleNamespace(at_ns=time.time_ns(), port="primary/wire0")


def test_a_node_that_floods_keeps_nobody_from_asking_who_is_active() -> None:
    pair = object.__new__(Pair)
    topology = SimpleNamespace(port=lambda node, _: f"{node}/wire0")
    pair.lab = SimpleNamespace(topology=topology)  # type: ignore[assignment]
    pair._advertisements = Flooded()  # type: ignore[assignment]
    pair._heard = deque()
    pair._since_ns = time.time_ns() - 60 * NS
    assert pair.active() == NODES[0]


@pytest.mark.parametrize("extra", ["-b much", "-b", "'", "x" * 5000])
def test_options_that_ucarp_would_refuse_are_an_error_and_end_no_interpreter(extra: str) -> None:
    with pytest.raises(ValueError, match=r"ucarp\.extra_parms|No closing quotation"):
        timers({"failover.engine": "ucarp", "ucarp.extra_parms": extra}, "primary")
