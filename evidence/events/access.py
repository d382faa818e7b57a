"""What reaches a node, and what goes through it: vpn-daemon's peers, knocks, the firewall."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.event import Count, Event, Name, Port, Value
from evidence.events.multi_node import Address, Family, Transport

Shown = Literal["client", "none", "other-ca", "server", "plain"]
"""What a peer of vpn-daemon shows: the certificate it should; none; one of another CA; the
daemon's own; or no TLS at all."""
Said = Literal["open", "reset", "prohibited", "silent"]
"""How a knock was answered, by what the knocking machine was told."""
Way = Literal["out", "to a client of the same process", "to a client of another", "in", "through"]
"""Where packets were to be forwarded to: from a client to the outside, or to another client; from
outside to a client, or to somewhere else outside."""
Phase = Literal["loaded", "rebooted", "applied"]
"""After what the firewall was looked at: its rules were loaded, the node was rebooted,
apply_changes.sh was run."""


class DaemonTried(Event):
    """A connection to vpn-daemon from the machine `source` (MN-10).

    tls: the one version that was offered, "" for plain text. sent: octets that went out. answer:
    what LIST was answered, "" for nothing. detail: why there was no more.
    """

    kind: Literal["daemon.tried"] = "daemon.tried"
    node: Name
    family: Family
    port: Port
    shown: Shown
    tls: Literal["", "1.1", "1.2"]
    connected: bool
    sent: Count
    answer: str
    detail: str


class Knock(Value):
    """How a port answered."""

    port: Port
    said: Said


class PortsKnocked(Event):
    """The machine `source` knocked at ports of a node, from `began_ns` on (MN-11, MN-28)."""

    kind: Literal["ports.knocked"] = "ports.knocked"
    node: Name
    family: Family
    transport: Transport
    began_ns: Count
    knocks: tuple[Knock, ...] = Field(min_length=1)


class FirewallShown(Event):
    """The node `source` as its firewall stands (MN-28, MN-29).

    ipv4, ipv6: `iptables-save -c` and `ip6tables-save -c`, "" for no rules. sockets: `ss -Hltnup`.
    boot: what the kernel calls this boot. interface: the one with the node's address.
    """

    kind: Literal["firewall.shown"] = "firewall.shown"
    phase: Phase
    ipv4: str
    ipv6: str
    sockets: Name
    boot: Name
    interface: Name


class ChangesApplied(Event):
    """apply_changes.sh was run on the node `source`; output: the end of what it said."""

    kind: Literal["changes.applied"] = "changes.applied"
    status: int
    output: str


class GuideTextTried(Event):
    """A text of the guide as it is printed, tried on `source` (MN-28); nothing was changed by it.

    erratum: what is said to be wrong with it. status, output: of the program that reads it.
    """

    kind: Literal["guide.text"] = "guide.text"
    erratum: Name
    status: int
    output: str


class ForwardTried(Event):
    """Echo requests that a node was to forward, sent by the machine or client `source` (MN-28, 29).

    began_ns: when the first was sent. received: how many were answered.
    """

    kind: Literal["forward.tried"] = "forward.tried"
    node: Name
    family: Family
    way: Way
    target: Address
    began_ns: Count
    sent: int = Field(ge=1)
    received: Count
