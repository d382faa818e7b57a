"""What is wrong between the values of a topology, each of which is right by itself.

Names and addresses that are used twice, networks that lie in each other, addresses that are no
machine's. Only looks; `lab.topology` says it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.topology import Network, Nic, Topology

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network

#: Every machine's own way out to this host: no network of a lab may lie in it.
MANAGEMENT_NETWORK = IPv4Network("10.0.2.0/24")
MANAGEMENT_MAC = "52:54:00:00:00:01"

#: What events and ports call what is no machine: a machine of that name would be taken for it.
_NOT_MACHINES = {
    "host": "this host",
    "probe": "the virtual port that frames are injected at",
    "scenario": "the process that asks and watches",
    "wire": "the switch between the machines",
}

#: From here up a network has no room for two machines.
_TOO_SMALL = {4: 31, 6: 127}


def contradictions(topology: Topology) -> list[str]:
    """Return what is wrong, each with its key, its value, and what was expected."""
    machines = topology.machines
    problems = _twice("name", (machine.name for machine in machines))
    problems += [
        f"machines.{machine.name}: the name is what evidence calls {_NOT_MACHINES[machine.name]}, "
        "expected another"
        for machine in machines
        if machine.name in _NOT_MACHINES
    ]
    problems += _twice("fqdn", (machine.fqdn for machine in machines))
    names = sorted({machine.name for machine in machines})
    if topology.nameserver is not None and topology.nameserver not in names:
        problems.append(f"nameserver: {topology.nameserver!r}, expected one of {names}")
    problems += _networks(topology)
    if not problems:  # MAC addresses are made of names
        problems += _same_mac(topology)
    seen: dict[Address, str] = {}
    for machine in machines:
        for index, nic in enumerate(machine.nics):
            where = f"machines.{machine.name}.nics.{index}"
            network = topology.networks.get(nic.network)
            if network is None:
                known = ", ".join(topology.networks)
                problems.append(f"{where}.network: {nic.network!r}, expected one of: {known}")
                continue
            problems += _nic(where, nic, network, seen)
    return problems


def _twice(what: str, values: Iterable[str]) -> list[str]:
    return [
        f"machines.{value}: {what} used {n} times, expected once"
        for value, n in Counter(values).items()
        if n > 1
    ]


def _same_mac(topology: Topology) -> list[str]:
    seen = {MANAGEMENT_MAC: "every machine's mgmt0"}
    problems = []
    for machine in topology.machines:
        for index, _ in enumerate(machine.nics):
            where, mac = f"machines.{machine.name}.nics.{index}", topology.mac(machine.name, index)
            if mac in seen:
                problems.append(
                    f"{where}: its MAC address {mac} is also that of {seen[mac]}, expected one of "
                    "its own: it is made of the names, so change one"
                )
            seen[mac] = where
    return problems


def _networks(topology: Topology) -> list[str]:
    found = [
        (f"networks.{name}.{key}", prefix)
        for name, network in topology.networks.items()
        for key, prefix in (("ipv4", network.ipv4), ("ipv6", network.ipv6))
        if prefix is not None
    ]
    problems = [
        f"{where}: {prefix}, expected {wrong}"
        for where, prefix in found
        for wrong in _wrong(prefix)
    ]
    problems += [
        f"{where}: {prefix} overlaps {other_where} ({other}), expected none in another"
        for (other_where, other), (where, prefix) in combinations(found, 2)
        if prefix.version == other.version and prefix.overlaps(other)
    ]
    return problems


def _wrong(prefix: Prefix) -> Iterator[str]:
    if prefix.prefixlen >= _TOO_SMALL[prefix.version]:
        yield "a network with room for two machines"
    special = prefix.is_multicast or prefix.is_loopback or prefix.is_link_local
    if special or prefix.is_unspecified or prefix.prefixlen < 8 or _is_kept(prefix):
        yield "a network that machines may have addresses in"
    if prefix.version == 4 and prefix.overlaps(MANAGEMENT_NETWORK):
        yield f"one beside {MANAGEMENT_NETWORK}, which each machine is reached by from this host"


def _is_kept(prefix: Prefix) -> bool:
    """Whether it lies in what the standards keep: "this network", and beyond multicast."""
    if isinstance(prefix, IPv6Network):
        return prefix.overlaps(IPv6Network("::/8"))
    return prefix.is_reserved or prefix.overlaps(IPv4Network("0.0.0.0/8"))


def _nic(where: str, nic: Nic, network: Network, seen: dict[Address, str]) -> list[str]:
    problems: list[str] = []
    for address, gateway, prefix, version in (
        (nic.ipv4, nic.gateway4, network.ipv4, 4),
        (nic.ipv6, nic.gateway6, network.ipv6, 6),
    ):
        for key, value in ((f"ipv{version}", address), (f"gateway{version}", gateway)):
            if value is not None:
                place = f"{where}.{key}: {value}"
                problems += [f"{place}, expected {text}" for text in _unfit(value, prefix, nic)]
        if address is not None:
            if address in seen:
                also = f"{address} is also {seen[address]}"
                problems.append(f"{where}.ipv{version}: {also}, expected one of its own")
            seen[address] = f"{where}.ipv{version}"
        if gateway is not None and gateway == address:
            problems.append(f"{where}.gateway{version}: {gateway}, expected another machine's")
        if gateway is not None and address is None:
            problems.append(
                f"{where}.gateway{version}: {gateway}, expected an ipv{version} beside it"
            )
    return problems


def _unfit(address: Address, prefix: Prefix | None, nic: Nic) -> Iterator[str]:
    if prefix is None:
        yield f"none: {nic.network} has no such network"
    elif address not in prefix:
        yield f"an address inside {prefix} ({nic.network})"
    elif address == prefix.network_address:
        yield f"a machine's address, not the network's own ({prefix})"
    elif prefix.version == 4 and address == prefix.broadcast_address:
        yield f"a machine's address, not the broadcast address of {prefix}"
