"""The power of a machine that is already there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lab.errors import NotHere
from lab.site.machine import SiteMachine


@pytest.mark.parametrize("power", ["kill", "reboot"])
def test_a_container_is_not_reset_nor_said_to_be(power: str) -> None:
    announced: list[str] = []
    machine = SiteMachine("primary", SimpleNamespace(lab=None), announced.append)  # type: ignore[arg-type]
    machine.is_container = True
    with pytest.raises(NotHere, match="primary is a container"):
        getattr(machine, power)()
    assert announced == []
