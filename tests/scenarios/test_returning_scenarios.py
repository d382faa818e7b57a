"""The order in which nodes are failed, watched and given back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checks.failover.returning import CYCLES
from scenarios.failover import pair as pairs
from scenarios.failover import test_returning
from scenarios.failover.takeover import boot
from tests.scenarios.failover_stage import Stage


def test_a_paused_node_is_resumed_when_its_fault_was_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a resumed node sends before it has heard the other belongs to the repair."""
    told: list[str] = []

    def provoke(_pair: Any, fault: Any, _probe: Any, *meanwhile: Callable[[str, Any], None]) -> str:
        told.append(f"{fault} of secondary")
        for act in meanwhile:
            act("primary", None)
        told.append("watched")
        return "secondary"

    machine = SimpleNamespace(resume=lambda: told.append("resumed"))
    pair = SimpleNamespace(
        make_active=lambda _node: None,
        machine=lambda _node: machine,
        other=lambda _node: "primary",
        active=lambda: "primary",
    )
    monkeypatch.setattr(test_returning, "provoke", provoke)
    monkeypatch.setattr(test_returning, "pause", lambda _seconds: None)
    test_returning.test_a_resumed_node_of_the_higher_address_takes_nothing_back(
        pair,
        None,
        told.append,  # type: ignore[arg-type]
    )
    assert told == ["pause of secondary", "watched", "resumed", "FO-24"]


def test_a_node_that_comes_back_as_master_is_recorded_as_well(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it should is for a check to say, which a scenario that waits for a standby keeps."""
    monkeypatch.setattr(pairs, "_UP_S", 0.2)
    machine = stage.lab.machines["primary"]
    monkeypatch.setattr(machine, "wait_until_up", lambda: None, raising=False)
    boot(stage.pair, "primary")
    assert stage.lab.nodes["primary"].active


def test_a_node_that_is_master_in_its_reboot_loop_goes_on_to_be_rebooted(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    told: list[str] = []
    machine = SimpleNamespace(
        power_on=lambda: told.append("on"),
        reboot=lambda: told.append("reboot"),
        wait_until_up=lambda: None,
    )
    pair = SimpleNamespace(
        lab=SimpleNamespace(directory=tmp_path),
        machine=lambda _node: machine,
        history=SimpleNamespace(record=lambda event: told.append(event.kind)),
        wait_for_role=lambda node: told.append(f"{node} is back"),
        other=lambda _node: "secondary",
        config=lambda _node: {"failover.engine": "ucarp", "ucarp.extra_parms": ""},
    )
    monkeypatch.setattr(test_returning, "provoke", lambda *_: "primary")
    monkeypatch.setattr(test_returning, "pause", lambda s: told.append(f"up for {s} s"))
    addresses = SimpleNamespace(addresses=lambda _pair, node: told.append(f"{node}'s addresses"))
    monkeypatch.setattr(test_returning, "observe", addresses)
    test_returning.test_a_node_that_reboots_over_and_over_moves_nothing(
        pair,
        None,
        told.append,  # type: ignore[arg-type]
    )
    up = ["primary is back", "node.returned", "up for 6.0 s", "primary's addresses"]
    again = ["reboot", *up] * (CYCLES - 1)
    begin, end = ["reboot.loop.began", "on", *up], ["reboot.loop.ended", "FO-29"]
    assert told == [*begin, *again, *end]


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"ucarp.extra_parms": "-b 2 -r 4"}, (8.0, 11.0)),
        ({"failover.engine": "keepalived"}, (3.609, 3.809)),
        ({"failover.engine": "keepalived", "keepalived.version": "3"}, (3.609, 3.809)),
        (
            {
                "failover.engine": "keepalived",
                "keepalived.version": "3",
                "keepalived.advert_int": "0.5",
            },
            (1.805, 2.005),
        ),
    ],
)
def test_how_long_a_node_waits_for_its_peer_is_as_configured(
    changes: dict[str, str], seconds: tuple[float, float]
) -> None:
    config = {"failover.engine": "ucarp", "ucarp.extra_parms": "", **changes}
    found = pairs.silence(config, "secondary")
    assert (round(found.minimum_s, 3), round(found.maximum_s, 3)) == seconds
