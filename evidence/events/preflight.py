"""What a preflight sees between two hosts, before a pair is deployed, or under a profile."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import AfterValidator

from evidence.event import Count, Event, Mac, Value, Vhid
from evidence.events.pair import Profile


def _with_prefix(address: str) -> str:
    ipaddress.IPv4Interface(address)
    if "/" not in address:
        raise ValueError(f"{address} has no prefix: 192.168.70.1/24 would have")
    return address


AddressWithPrefix = Annotated[str, AfterValidator(_with_prefix)]


class Probe(Value):
    """How many frames of a kind were sent by one node, and seen by the other."""

    sent: Count
    seen: Count

    @property
    def tried(self) -> bool:
        """Whether anything was sent at all."""
        return self.sent > 0

    @property
    def arrives(self) -> bool:
        """Whether at least one came through."""
        return self.seen > 0

    @property
    def share(self) -> float:
        """The part that came through."""
        return self.seen / self.sent if self.sent else 0.0


class Observations(Value):
    """What was seen between two nodes; addresses with their prefix (`192.168.70.1/24`).

    adverts: from the virtual MAC to the group; adverts_own_mac: the same from the NIC's MAC;
    adverts_broadcast: the same to ff:ff:ff:ff:ff:ff; multicast: UDP to 224.0.0.18.
    source_macs: those that the adverts came from; none when none came. foreign_vhids: VHIDs of
    advertisements that neither node sent.
    """

    sender: AddressWithPrefix
    receiver: AddressWithPrefix
    vhid: Vhid
    adverts: Probe
    adverts_own_mac: Probe
    adverts_broadcast: Probe
    multicast: Probe
    unicast: Probe
    arp_broadcast: Probe
    source_macs: tuple[Mac, ...] = ()
    foreign_vhids: tuple[Vhid, ...] = ()


class PreflightObserved(Event, Observations):
    """What a preflight saw from one node to the other while the wire had a profile (FO-42, 48)."""

    kind: Literal["preflight.observed"] = "preflight.observed"
    profile: Profile

    @classmethod
    def of(cls, seen: Observations, *, source: str, profile: Profile) -> Self:
        """Make the event of what was seen on the machine `source`."""
        return cls(source=source, profile=profile, **dict(seen))
