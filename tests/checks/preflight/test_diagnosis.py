"""The preflight names the cause for every row of the guide's platform table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.preflight.diagnosis import Cause, Observations, Probe, diagnose
from evidence.errors import Missing
from tests.checks.failover.test_splits import WORKING

ALL, NONE, IDLE = Probe(5, 5), Probe(5, 0), Probe()


def test_a_plain_network_carries_the_heartbeat() -> None:
    assert diagnose(WORKING).works


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"receiver": "192.168.71.2/24"}, Cause.DIFFERENT_NETWORKS),
        ({"adverts": NONE, "unicast": NONE, "arp_broadcast": NONE}, Cause.DIFFERENT_NETWORKS),
        ({"adverts": NONE}, Cause.MAC_FILTERED),
        ({"adverts": NONE, "adverts_own_mac": NONE}, Cause.VRRP_FILTERED),
        (
            {"adverts": NONE, "adverts_own_mac": NONE, "multicast": NONE},
            Cause.MULTICAST_FILTERED,
        ),
        ({"adverts": Probe(10, 4)}, Cause.LOSS),
        ({"source_macs": ("02:00:00:00:00:01",)}, Cause.MAC_REWRITTEN),
        ({"foreign_vhids": (94,)}, Cause.VHID_IN_USE),
        ({"foreign_vhids": (95,)}, Cause.NONE),
        ({"arp_broadcast": NONE}, Cause.BROADCAST_FILTERED),
        ({"arp_broadcast": IDLE}, Cause.UNDECIDED),
        ({"adverts": IDLE}, Cause.UNDECIDED),
        ({"adverts": NONE, "adverts_own_mac": IDLE}, Cause.UNDECIDED),
    ],
)
def test_each_observation_names_its_cause(changes, cause: Cause) -> None:
    diagnosis = diagnose(replace(WORKING, **changes))
    assert diagnosis.cause is cause
    assert diagnosis.works == (cause is Cause.NONE)
    assert diagnosis.works or diagnosis.remedy


def test_filtered_multicast_with_broadcast_left_suggests_nomcast() -> None:
    diagnosis = diagnose(replace(WORKING, adverts=NONE, adverts_own_mac=NONE, multicast=NONE))
    assert "--nomcast" in diagnosis.remedy


def test_observations_survive_being_recorded() -> None:
    assert Observations.read(WORKING.as_record()) == WORKING


def test_observations_without_a_field_say_which() -> None:
    record = WORKING.as_record()
    del record["unicast"]
    with pytest.raises(Missing, match="unicast"):
        Observations.read(record)
