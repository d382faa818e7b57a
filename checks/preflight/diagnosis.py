"""Will this network carry the heartbeat? The cause, named before anything is deployed.

Pure judgement: `diagnose` reads what one node sent and what the other saw of it, and answers in
the words of the guide's platform table. Sending, listening and counting is the caller's work.
Silence alone proves little, so each kind of frame has a control: the same advertisement from the
NIC's own MAC, the same to the Ethernet broadcast, another multicast, and plain unicast.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass

from evidence.events.preflight import Observations

ENOUGH = 0.8
"""The share of advertisements that must arrive: ucarp was seen to flap from 50 % loss on."""


class Cause(enum.StrEnum):
    """What stands in the heartbeat's way."""

    NONE = "carried"
    DIFFERENT_NETWORKS = "nodes in different networks"
    PREFIXES_DIFFER = "prefix lengths differ"
    MAC_FILTERED = "source MAC filtered"
    MAC_REWRITTEN = "source MAC rewritten"
    MULTICAST_FILTERED = "multicast filtered"
    VRRP_FILTERED = "VRRP filtered"
    BROADCAST_FILTERED = "ARP broadcast filtered"
    LOSS = "advertisements lost"
    VHID_IN_USE = "VHID in use"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Diagnosis:
    """The cause, the row of the guide's platform table it belongs to, and what to do."""

    cause: Cause
    platform: str
    explanation: str
    remedy: str = ""

    @property
    def works(self) -> bool:
        """Whether the LAN model can be deployed here as things are."""
        return self.cause is Cause.NONE

    def __str__(self) -> str:
        text = f"{self.cause}: {self.explanation} (guide: {self.platform})"
        return f"{text}\nwhat to do: {self.remedy}" if self.remedy else text


_LAN = "Physical servers should work just fine on physical networks"
_SPOOFING = 'HyperV and ESXi: you may need "MAC spoofing" or "Promiscuous mode"'
_LOCAL = "Other virtualized platforms work where broadcast UCARP/VRRP is possible"
_AWS = "Amazon AWS is not supported, the heartbeat signal is filtered away"
_CLOUD = "Most major cloud networks do not support the UCARP/VRRP traffic"
_NETWORKS = "One node in a different network: almost certainly can not be used"
_PRIVATE = "Typically a private network with 2 servers that each have their own private IP address"
_PAIRS = "Multiple failover pairs in the same network: the VHID must be unique"


def diagnose(seen: Observations) -> Diagnosis:
    """Name what keeps this network from carrying the heartbeat, or that nothing does."""
    return _networks(seen) or _heartbeat(seen) or _surroundings(seen)


Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def _interfaces(seen: Observations) -> tuple[Interface, Interface]:
    """Return the addresses of both nodes, with their networks."""
    return ipaddress.ip_interface(seen.sender), ipaddress.ip_interface(seen.receiver)


def _networks(seen: Observations) -> Diagnosis | None:
    one, other = _interfaces(seen)
    if one.ip not in other.network or other.ip not in one.network:
        return Diagnosis(
            Cause.DIFFERENT_NETWORKS,
            _NETWORKS,
            f"{one.network} and {other.network} are not one network",
            "put both nodes into one network, or use a cluster",
        )
    silent = not (seen.adverts.arrives or seen.unicast.arrives or seen.arp_broadcast.arrives)
    if silent and seen.unicast.tried and seen.arp_broadcast.tried:
        return Diagnosis(
            Cause.DIFFERENT_NETWORKS,
            _NETWORKS,
            f"both are in {other.network}, but no frame passes between them: two segments",
            "connect both to one segment; look for port isolation between them",
        )
    return None


def _heartbeat(seen: Observations) -> Diagnosis | None:
    """Judge whether advertisements arrive, and by the controls why not."""
    if not seen.adverts.tried:
        return _undecided("no advertisement was sent")
    if seen.adverts.arrives:
        return None
    if seen.adverts_own_mac.arrives:
        return Diagnosis(
            Cause.MAC_FILTERED,
            _SPOOFING,
            "advertisements arrive from the NIC's own MAC but not from the virtual one "
            f"(00:00:5e:00:00:{seen.vhid:02x})",
            "allow MAC spoofing (Hyper-V), or forged transmits and MAC changes (ESXi)",
        )
    if not seen.adverts_own_mac.tried or not seen.multicast.tried:
        return _undecided("no advertisement arrives, and the controls were not sent")
    if seen.multicast.arrives:
        return Diagnosis(
            Cause.VRRP_FILTERED,
            _AWS,
            "other multicast to 224.0.0.18 arrives, IP protocol 112 does not",
            "let IP protocol 112 pass on the wire between the nodes (not on the nodes: ucarp "
            "reads below their firewall), or use a cluster",
        )
    remedy = "use a cluster"
    if seen.adverts_broadcast.arrives:
        remedy = "ucarp --nomcast works here: it sends to the Ethernet broadcast"
    return Diagnosis(
        Cause.MULTICAST_FILTERED,
        _CLOUD if not seen.adverts_broadcast.arrives else _LOCAL,
        "no multicast arrives at all",
        remedy,
    )


def _surroundings(seen: Observations) -> Diagnosis:
    """Judge what else a pair needs once advertisements arrive."""
    sender, receiver = _interfaces(seen)
    if sender.network != receiver.network:
        return Diagnosis(
            Cause.PREFIXES_DIFFER,
            _PRIVATE,
            f"{sender} and {receiver} reach each other, and do not agree where their network ends: "
            "a virtual IP may be inside for one of them only",
            "give both nodes the same prefix length",
        )
    virtual_mac = f"00:00:5e:00:00:{seen.vhid:02x}"
    other = sorted(mac for mac in seen.source_macs if mac != virtual_mac)
    if other:
        return Diagnosis(
            Cause.MAC_REWRITTEN,
            _SPOOFING,
            f"advertisements sent from {virtual_mac} arrive from {', '.join(other)}",
            "allow MAC spoofing; ucarp works so, but switches learn the wrong port",
        )
    if seen.adverts.share < ENOUGH:
        return Diagnosis(
            Cause.LOSS,
            _LOCAL,
            f"only {seen.adverts.seen} of {seen.adverts.sent} advertisements arrive",
            "find the loss: at 50 % a standby was seen to take over without cause",
        )
    if seen.vhid in seen.foreign_vhids:
        return Diagnosis(
            Cause.VHID_IN_USE,
            _PAIRS,
            f"somebody else advertises VHID {seen.vhid} here",
            "choose another: sacli --key ucarp.vhid --value N ConfigPut on the primary, then "
            "restart the service on both",
        )
    if not seen.arp_broadcast.tried:
        return _undecided("whether ARP broadcasts arrive was not tried")
    if not seen.arp_broadcast.arrives:
        return Diagnosis(
            Cause.BROADCAST_FILTERED,
            _LOCAL,
            "advertisements arrive but ARP broadcasts do not: clients would not move",
            "let broadcasts pass between the nodes and their clients",
        )
    return Diagnosis(Cause.NONE, _LAN, "advertisements and ARP broadcasts arrive unchanged")


def _undecided(why: str) -> Diagnosis:
    return Diagnosis(Cause.UNDECIDED, _LOCAL, why, "run the preflight again, whole")
