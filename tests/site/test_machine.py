"""The power of a machine that is already there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lab.errors import NotHere
from lab.site.machine import SiteMachine


class Container(SiteMachine):
    """One that says so, and remembers what else it was asked to do."""

    def __init__(self) -> None:
        super().__init__("primary", SimpleNamespace(lab=None))  # type: ignore[arg-type]
        self.asked: list[str] = []

    def run(self, command: str, **_: Any) -> Any:
        self.asked.append(command)
        return SimpleNamespace(status=0)


@pytest.mark.parametrize("power", ["kill", "reboot"])
def test_a_container_is_not_reset(power: str) -> None:
    machine = Container()
    with pytest.raises(NotHere, match="primary is a container"):
        getattr(machine, power)()
    assert not any("sysrq" in one for one in machine.asked)
