"""Matches made ready to be asked of thousands of frames a second.

A match becomes one function over the fields that are set; an empty match costs nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TypeAlias

from evidence.packets import Headers
from lab.wire.rules import Match, mac_octets

Test: TypeAlias = Callable[[Headers], bool]
Predicate: TypeAlias = Callable[[str, str, str | None, Headers], bool]
"""Asked with the port a frame came in at, its segment, the port it leaves at (or None), headers."""


def compile_match(match: Match) -> Predicate:
    """Return the function that says whether a frame is one that `match` means."""
    tests = _header_tests(match)
    segment = match.segment
    path = _path_test(match)

    def matches(came: str, its_segment: str, leaves: str | None, headers: Headers) -> bool:
        if segment is not None and segment != its_segment:
            return False
        return path(came, leaves) and all(test(headers) for test in tests)

    return matches


def _path_test(match: Match) -> Callable[[str, str | None], bool]:
    sources, targets = frozenset(match.from_ports), frozenset(match.to_ports)

    def one_way(came: str, leaves: str | None) -> bool:
        return (not sources or came in sources) and (not targets or leaves in targets)

    def both_ways(came: str, leaves: str | None) -> bool:
        if one_way(came, leaves):
            return True
        return leaves is not None and one_way(leaves, came)

    return both_ways if match.both_ways else one_way


def _header_tests(match: Match) -> tuple[Test, ...]:
    tests: list[Test] = []
    if (ethertype := match.ethertype) is not None:
        tests.append(lambda headers: headers.ethertype == ethertype)
    if (protocol := match.protocol) is not None:
        tests.append(lambda headers: headers.protocol == protocol)
    if match.src_mac is not None:
        source = mac_octets(match.src_mac)
        tests.append(lambda headers: headers.source == source)
    if match.dst_mac is not None:
        destination = mac_octets(match.dst_mac)
        tests.append(lambda headers: headers.destination == destination)
    if match.src_ip is not None:
        from_network = _inside(match.src_ip)
        tests.append(lambda headers: from_network(headers.source_ip))
    if match.dst_ip is not None:
        to_network = _inside(match.dst_ip)
        tests.append(lambda headers: to_network(headers.destination_ip))
    if (source_port := match.src_port) is not None:
        tests.append(lambda headers: headers.source_port == source_port)
    if (destination_port := match.dst_port) is not None:
        tests.append(lambda headers: headers.destination_port == destination_port)
    return tuple(tests)


def _inside(address: str) -> Callable[[bytes], bool]:
    network = ipaddress.ip_network(address, strict=False)
    size, mask = len(network.network_address.packed), int(network.netmask)
    wanted = int(network.network_address)
    return lambda packed: len(packed) == size and int.from_bytes(packed, "big") & mask == wanted
