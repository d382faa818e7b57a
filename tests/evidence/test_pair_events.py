"""A pair whose addresses are none cannot be recorded."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from evidence.events import read_event

TIMERS = {"engine": "ucarp", "advbase": 1}


def pair(virtual_ip: str = "192.168.70.222", address: str = "192.168.70.1") -> Any:
    nodes = {
        name: {"address": own, "mac": f"02:00:00:00:00:0{number}", "port": name, "timers": TIMERS}
        for number, (name, own) in enumerate((("primary", address), ("secondary", "192.168.70.2")))
    }
    fields = {"virtual_ip": virtual_ip, "vhid": 94, "engine": "ucarp", "password": "x"}
    event = {"kind": "pair.configured", "source": "scenario", "at_ns": 1, "nodes": nodes, **fields}
    return read_event(event)


def test_a_pair_keeps_its_addresses() -> None:
    assert pair().virtual_ip == "192.168.70.222"


@pytest.mark.parametrize(
    "wrong", ["292.168.70.222", "", "the virtual IP", "fd00::1", "10.0.0.1/24"]
)
@pytest.mark.parametrize("which", ["virtual_ip", "address"])
def test_what_is_no_ipv4_address_is_refused(which: str, wrong: str) -> None:
    with pytest.raises(ValidationError):
        pair(**{which: wrong})
