"""The guide's platform table: each kind of network, and what the preflight says of it before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import get_args

import pytest

from evidence.events.pair import Profile
from lab.wait import pause
from scenarios.failover import preflight
from scenarios.failover.pair import Pair
from scenarios.failover.test_troubleshooting import (
    a_profile,
    macs_filtered,
    nodes_isolated,
    vrrp_filtered,
    watched,
)

Judge = Callable[[str], object]

PROFILES: tuple[Profile, ...] = get_args(Profile)


def network(pair: Pair, profile: Profile) -> AbstractContextManager[Callable[[], int]]:
    """Make the wire the kind of network that a profile stands for."""
    kinds: dict[Profile, Callable[[], AbstractContextManager[Callable[[], int]]]] = {
        "plain": lambda: nullcontext(lambda: 0),
        "mac-filter": lambda: macs_filtered(pair),
        "vrrp-filter": lambda: vrrp_filtered(pair.lab),
        "two-networks": lambda: nodes_isolated(pair),
    }
    return kinds[profile]()


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.engine("ucarp")  # keepalived sends from the NIC's own MAC, which no filter minds
@pytest.mark.requirement("FO-48")
def test_each_row_of_the_platform_table_behaves_and_is_diagnosed(pair: Pair, judge: Judge) -> None:
    for profile in PROFILES:
        with watched(pair, network(pair, profile), a_profile(profile)):
            preflight.record(pair, profile)
            pause(2)
    judge("FO-48")
