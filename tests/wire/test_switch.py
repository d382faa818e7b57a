"""The switch forwards as IEEE 802.1D says a learning bridge does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import WireError
from lab.wire.switch import Switch

BROADCAST = b"\xff" * 6
MULTICAST = b"\x01\x00\x5e\x00\x00\x12"


def mac(number: int) -> bytes:
    return bytes((0x52, 0x54, 0, 0, number >> 8, number & 255))


def lan(*ports: str, **limits: int) -> Switch[str]:
    switch: Switch[str] = Switch(**limits)
    for port in ports:
        switch.plug(port, "lan")
    return switch


def test_an_unknown_address_is_flooded_to_all_other_ports():
    assert lan("a", "b", "c").destinations("a", mac(2), mac(1), 0) == ("b", "c")


def test_a_learned_address_leaves_at_its_port_only():
    switch = lan("a", "b", "c")
    switch.destinations("b", BROADCAST, mac(2), 0)
    assert switch.destinations("a", mac(2), mac(1), 1) == ("b",)


def test_multicast_is_flooded_even_when_somebody_sends_from_it():
    switch = lan("a", "b", "c")
    switch.destinations("b", BROADCAST, MULTICAST, 0)
    assert switch.destinations("a", MULTICAST, mac(1), 1) == ("b", "c")


def test_an_address_that_moves_is_found_at_its_new_port_at_once():
    switch = lan("a", "b", "c")
    virtual = b"\x00\x00\x5e\x00\x00\x5e"
    switch.destinations("a", BROADCAST, virtual, 0)
    switch.destinations("b", BROADCAST, virtual, 1)
    assert switch.destinations("c", virtual, mac(3), 2) == ("b",)


def test_a_frame_for_its_own_port_leaves_nowhere():
    switch = lan("a", "b")
    switch.destinations("a", BROADCAST, mac(2), 0)
    assert switch.destinations("a", mac(2), mac(1), 1) == ()


def test_a_silent_address_ages_out():
    switch = lan("a", "b", "c", ageing_ns=100)
    switch.destinations("b", BROADCAST, mac(2), 0)
    assert switch.destinations("a", mac(2), mac(1), 101) == ("b", "c")


def test_an_address_behind_an_unplugged_port_is_forgotten():
    switch = lan("a", "b", "c")
    switch.destinations("b", BROADCAST, mac(2), 0)
    switch.unplug("b")
    assert switch.destinations("a", mac(2), mac(1), 1) == ("c",)


def test_a_full_table_floods_instead_of_growing():
    switch = lan("a", "b", "c", most_addresses=2)
    for number in range(10):
        switch.destinations("b", BROADCAST, mac(number), 0)
    assert switch.destinations("a", mac(9), mac(99), 1) == ("b", "c")


def test_a_full_table_makes_room_by_ageing():
    switch = lan("a", "b", "c", most_addresses=2, ageing_ns=100)
    for number in range(2):
        switch.destinations("b", BROADCAST, mac(number), 0)
    switch.destinations("b", BROADCAST, mac(9), 200)
    assert switch.destinations("a", mac(9), mac(99), 201) == ("b",)


def test_a_port_is_plugged_in_once():
    with pytest.raises(WireError, match="plugged in twice"):
        lan("a", "a")


addresses = st.one_of(st.integers(0, 5).map(mac), st.sampled_from([BROADCAST, MULTICAST]))
ports = st.sampled_from(["lan0", "lan1", "lan2", "out0", "out1"])


@given(st.lists(st.tuples(ports, addresses, addresses, st.integers(0, 1000)), max_size=60))
def test_frames_never_come_back_cross_segments_or_leave_twice(frames):
    switch: Switch[str] = Switch(ageing_ns=300, most_addresses=3)
    for port in ("lan0", "lan1", "lan2", "out0", "out1"):
        switch.plug(port, port[:3])
    last_seen: dict[tuple[str, bytes], str] = {}
    now = 0
    for port, destination, source, later in frames:
        now += later
        leaves_at = switch.destinations(port, destination, source, now)
        others = set(switch.ports(port[:3])) - {port}
        assert set(leaves_at) <= others
        assert len(set(leaves_at)) == len(leaves_at)
        if not source[0] & 1:
            last_seen[port[:3], source] = port
        if destination[0] & 1 or (port[:3], destination) not in last_seen:
            assert set(leaves_at) == others
        elif set(leaves_at) != others:  # known: then where it was last seen, and nowhere else
            assert set(leaves_at) == {last_seen[port[:3], destination]} - {port}
