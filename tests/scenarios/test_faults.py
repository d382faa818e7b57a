"""Faults: each moves its own switch, and moves it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from evidence.moment import Moment
from scenarios.failover import faults
from scenarios.failover.faults import Fault


def test_the_moment_of_a_fault_is_the_middle_of_the_time_it_took() -> None:
    seen: list[Moment] = []
    outer = faults.during(lambda: seen.append(faults.during(lambda: None)))
    (inner,) = seen
    assert abs(inner.at_ns - outer.at_ns) <= outer.uncertainty_ns + inner.uncertainty_ns


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in faults.ALL}) == len(faults.ALL)


class RecordingLab:
    """Notes which of a lab's switches a fault moves."""

    def __init__(self) -> None:
        self.moved: list[str] = []
        self.wire = self
        self.topology = self

    def __getitem__(self, name: str) -> RecordingLab:
        return self

    def port(self, name: str, index: int) -> str:
        return f"{name}/wire{index}"

    def __getattr__(self, switch: str) -> Callable[..., None]:
        def move(*words: object, **more: object) -> None:
            self.moved.append(" ".join([switch, *map(str, (*words, *more.items()))]))

        return move


@pytest.mark.parametrize(
    ("fault", "injected", "undone"),
    [
        (faults.POWER_OFF, "kill", "kill"),
        (faults.PAUSE, "pause", "kill"),
        (faults.LINK_CUT, "cut node/wire0", "kill heal node/wire0"),
        (faults.CARRIER_LOSS, "set_link node 0 ('up', False)", "set_link node 0 ('up', True)"),
        (faults.SERVICE_STOP, "service openvpnas stop", "service openvpnas start"),
        (faults.KILL_UCARP, "pkill -KILL -x 'ucarp|keepalived'", ""),
        (faults.KILL_OPENVPN, "pkill -KILL -x 'openvpn'", ""),
        (faults.GUEST_CRASH, "echo c > /proc/sysrq-trigger", "kill"),
    ],
    ids=str,
)
def test_a_fault_moves_its_own_switch_and_moves_it_back(
    fault: Fault, injected: str, undone: str
) -> None:
    lab = RecordingLab()
    fault.inject(cast(Any, lab), "node")
    assert injected in " ".join(lab.moved)
    lab.moved.clear()
    fault.undo(cast(Any, lab), "node")
    assert undone in " ".join(lab.moved)
