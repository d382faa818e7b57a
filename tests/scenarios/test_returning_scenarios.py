"""The order in which nodes are failed, watched and given back."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from scenarios.failover import test_returning


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
