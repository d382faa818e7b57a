"""A pair on machines that are already there: whether it may be disturbed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.errors import NotHere
from scenarios.failover import whole

AGE = {"term": 3, "serial": 41}
ACTIVE: dict[str, Any] = {"state": "MASTER", "live": AGE, "staged": None}
STANDBY: dict[str, Any] = {"state": "BACKUP", "live": None, "staged": AGE}


def require(monkeypatch: pytest.MonkeyPatch, *said: dict[str, Any]) -> None:
    nodes = [SimpleNamespace(name=name) for name in ("primary", "secondary")]
    told = dict(zip((one.name for one in nodes), said, strict=True))
    monkeypatch.setattr(whole.cast.Site, "of", lambda _topology: SimpleNamespace(nodes=nodes))
    monkeypatch.setattr(whole, "_said", lambda node: told[node.name])
    monkeypatch.setattr(whole, "_SYNCED_S", 0.0)

    class Site(dict[str, Any]):
        topology = None

    whole.require_whole(Site({one.name: one for one in nodes}))  # type: ignore[arg-type]


def test_a_pair_that_can_take_over_may_be_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    require(monkeypatch, ACTIVE, STANDBY)
    require(monkeypatch, STANDBY, ACTIVE)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((ACTIVE, {**STANDBY, "state": None}), "secondary: None"),
        ((ACTIVE, ACTIVE), "not one MASTER and one BACKUP"),
        ((ACTIVE, {**STANDBY, "staged": {**AGE, "serial": 40}}), "standby"),
        ((ACTIVE, {**STANDBY, "staged": None}), "standby"),
    ],
)
def test_a_pair_of_which_one_would_be_missed_is_not_disturbed(
    monkeypatch: pytest.MonkeyPatch, said: tuple[dict[str, Any], ...], why: str
) -> None:
    with pytest.raises(NotHere, match=why):
        require(monkeypatch, *said)
