"""A learning Ethernet switch: which ports a frame leaves at.

Pure: no sockets, no clock of its own, no rules. Each port belongs to one segment and frames never
cross segments; there is no spanning tree, because every port ends in a single NIC.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from lab.errors import WireError

P = TypeVar("P", bound=Hashable)

AGEING_NS = 300_000_000_000
"""How long a silent address stays learned: 300 s, the default of IEEE 802.1Q (8.8.3)."""

MOST_ADDRESSES = 4096
"""Addresses learned a segment; further ones are flooded, so a MAC flood costs no memory."""


class _Station(Generic[P]):
    """Where an address was last seen, and when."""

    __slots__ = ("alone", "at_ns", "port")

    def __init__(self, port: P, at_ns: int) -> None:
        self.port = port
        self.alone = (port,)
        self.at_ns = at_ns


class Switch(Generic[P]):
    """Segments of ports with learned addresses. `P` is whatever the caller calls a port."""

    def __init__(self, *, ageing_ns: int = AGEING_NS, most_addresses: int = MOST_ADDRESSES) -> None:
        self._ageing_ns = ageing_ns
        self._most = most_addresses
        self._segment_of: dict[P, str] = {}
        self._stations: dict[P, dict[bytes, _Station[P]]] = {}
        self._tables: dict[str, dict[bytes, _Station[P]]] = {}
        self._others: dict[P, tuple[P, ...]] = {}

    def plug(self, port: P, segment: str) -> None:
        """Add `port` to `segment`. Raises WireError when it is plugged in already."""
        if port in self._segment_of:
            raise WireError(f"port {port} is plugged in twice", hint="name every NIC once")
        self._segment_of[port] = segment
        self._stations[port] = self._tables.setdefault(segment, {})
        self._find_others(segment)

    def unplug(self, port: P) -> None:
        """Take `port` out, with every address learned behind it."""
        self.forget(port)
        segment = self._segment_of.pop(port)
        del self._stations[port], self._others[port]
        self._find_others(segment)

    def forget(self, port: P) -> None:
        """Forget the addresses learned behind `port` (its machine is another one now)."""
        table = self._stations[port]
        for address in [mac for mac, station in table.items() if station.port == port]:
            del table[address]

    def ports(self, segment: str) -> tuple[P, ...]:
        """Return the ports of `segment`, in the order they were plugged in."""
        return tuple(port for port, its in self._segment_of.items() if its == segment)

    def destinations(
        self, port: P, destination: bytes, source: bytes, now_ns: int
    ) -> tuple[P, ...]:
        """Learn `source` behind `port`, and return the ports the frame leaves at.

        Addresses are 6 octets. A group address, or one that is not (or no longer) known, leaves at
        all other ports of the segment; one behind `port` itself leaves nowhere.
        """
        table = self._stations[port]
        station = table.get(source)
        if station is not None:
            station.at_ns = now_ns
            if station.port != port:  # the address moved: this is what a takeover looks like
                station.port, station.alone = port, (port,)
        elif not source[0] & 1:
            self._learn(table, source, port, now_ns)
        if destination[0] & 1:
            return self._others[port]
        target = table.get(destination)
        if target is None or now_ns - target.at_ns > self._ageing_ns:
            return self._others[port]
        return () if target.port == port else target.alone

    def _learn(self, table: dict[bytes, _Station[P]], source: bytes, port: P, now_ns: int) -> None:
        if len(table) >= self._most:
            self._expire(table, now_ns)
        if len(table) < self._most:
            table[source] = _Station(port, now_ns)

    def _expire(self, table: dict[bytes, _Station[P]], now_ns: int) -> None:
        """Make room in a full table; the oldest stands first only by chance, so look at all."""
        too_old = now_ns - self._ageing_ns
        for address in [mac for mac, station in table.items() if station.at_ns < too_old]:
            del table[address]

    def _find_others(self, segment: str) -> None:
        ports = self.ports(segment)
        for port in ports:
            self._others[port] = tuple(other for other in ports if other != port)
