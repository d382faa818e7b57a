"""The preflight names the cause for every row of the guide's platform table."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from checks.preflight.diagnosis import Cause, diagnose
from evidence.events import read_event
from evidence.events.preflight import Observations, PreflightObserved, Probe

ALL, NONE, IDLE = Probe(sent=5, seen=5), Probe(sent=5, seen=0), Probe(sent=0, seen=0)
WORKING = Observations(
    sender="192.168.70.1/24",
    receiver="192.168.70.2/24",
    vhid=94,
    adverts=ALL,
    adverts_own_mac=ALL,
    adverts_broadcast=ALL,
    multicast=ALL,
    unicast=ALL,
    arp_broadcast=ALL,
    source_macs=("00:00:5e:00:00:5e",),
)


def changed(**changes: object) -> Observations:
    return Observations(**{**dict(WORKING), **changes})


def test_a_plain_network_carries_the_heartbeat() -> None:
    assert diagnose(WORKING).works


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"receiver": "192.168.71.2/24"}, Cause.DIFFERENT_NETWORKS),
        ({"adverts": NONE, "unicast": NONE, "arp_broadcast": NONE}, Cause.DIFFERENT_NETWORKS),
        # by their prefix lengths, not by how their addresses look
        ({"sender": "10.0.1.5/22", "receiver": "10.0.2.1/22"}, Cause.NONE),
        ({"sender": "10.0.0.0/31", "receiver": "10.0.0.1/31"}, Cause.NONE),
        ({"sender": "10.0.1.255/23", "receiver": "10.0.0.255/23"}, Cause.NONE),
        ({"sender": "10.0.1.5/24", "receiver": "10.0.2.1/24"}, Cause.DIFFERENT_NETWORKS),
        ({"sender": "192.168.70.1/25", "receiver": "192.168.70.129/25"}, Cause.DIFFERENT_NETWORKS),
        ({"sender": "192.168.70.1/32", "receiver": "192.168.70.2/32"}, Cause.DIFFERENT_NETWORKS),
        ({"sender": "10.0.0.5/23", "receiver": "10.0.1.5/24"}, Cause.DIFFERENT_NETWORKS),
        ({"sender": "10.0.1.5/24", "receiver": "10.0.0.5/23"}, Cause.DIFFERENT_NETWORKS),
        # one LAN, and two opinions of where it ends
        ({"sender": "10.0.0.5/23", "receiver": "10.0.0.6/24"}, Cause.PREFIXES_DIFFER),
        ({"receiver": "192.168.70.2/25"}, Cause.PREFIXES_DIFFER),
        ({"receiver": "192.168.70.2/25", "adverts": NONE}, Cause.MAC_FILTERED),
        (
            {
                "receiver": "192.168.70.2/25",
                "adverts": NONE,
                "unicast": NONE,
                "arp_broadcast": NONE,
            },
            Cause.DIFFERENT_NETWORKS,
        ),
        ({"adverts": NONE}, Cause.MAC_FILTERED),
        ({"adverts": NONE, "adverts_own_mac": NONE}, Cause.VRRP_FILTERED),
        (
            {"adverts": NONE, "adverts_own_mac": NONE, "multicast": NONE},
            Cause.MULTICAST_FILTERED,
        ),
        ({"adverts": Probe(sent=10, seen=4)}, Cause.LOSS),
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
    diagnosis = diagnose(changed(**changes))
    assert diagnosis.cause is cause
    assert diagnosis.works == (cause is Cause.NONE)
    assert diagnosis.works or diagnosis.remedy


def test_filtered_multicast_with_broadcast_left_suggests_nomcast() -> None:
    diagnosis = diagnose(changed(adverts=NONE, adverts_own_mac=NONE, multicast=NONE))
    assert "--nomcast" in diagnosis.remedy


def test_what_was_observed_is_recorded_and_read_as_it_was() -> None:
    event = PreflightObserved.of(WORKING, source="secondary", profile="plain")
    again = read_event(event.model_dump(mode="json"))
    assert again == event
    assert isinstance(again, Observations)
    assert diagnose(again) == diagnose(WORKING)


@pytest.mark.parametrize(
    "field", sorted(Observations.model_fields.keys() - {"source_macs", "foreign_vhids"})
)
def test_an_observation_that_was_not_made_is_refused(field: str) -> None:
    fields = {name: value for name, value in dict(WORKING).items() if name != field}
    with pytest.raises(ValidationError, match=field):
        Observations(**fields)


@pytest.mark.parametrize("address", ["192.168.70.1", "192.168.70/24", ""])
def test_an_address_without_its_prefix_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="sender"):
        changed(sender=address)
