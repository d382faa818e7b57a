"""Events of the failover pair: its configuration, and spans in which something is watched.

Node names are those of the configuration ("primary", "secondary"). A span is a `...Began` and
the next `...Ended`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from evidence.event import Count, Event, Ipv4, Mac, Name, Value, Vhid
from evidence.secret import SecretReference


class UcarpTimers(Value):
    """advbase in s, advskew in 1/256 s, deadratio in periods."""

    engine: Literal["ucarp"] = "ucarp"
    advbase: int = Field(ge=1)
    advskew: int = Field(default=0, ge=0, le=255)
    deadratio: int = Field(default=3, ge=1)


class KeepalivedTimers(Value):
    """advert_int in s; priority as RFC 5798 counts it."""

    engine: Literal["keepalived"] = "keepalived"
    advert_int: float = Field(gt=0)
    priority: int = Field(ge=1, le=255)


class NodeConfigured(Value):
    """One node: its own address, its NIC's MAC, the port of the wire it is plugged into."""

    address: Ipv4
    mac: Mac
    port: Name
    timers: Annotated[UcarpTimers | KeepalivedTimers, Field(discriminator="engine")]


class PairConfigured(Event):
    """The pair as it is set up; `nodes` in the order primary, secondary.

    password: how ucarp's is referred to; runs of before have it itself here. version and
    virtual_mac: keepalived's (VRRP 2 or 3; whether it uses the virtual router's MAC). Read by every
    check of the wire.
    """

    kind: Literal["pair.configured"] = "pair.configured"
    virtual_ip: Ipv4
    vhid: Vhid
    engine: Literal["ucarp", "keepalived"]
    nodes: Mapping[Name, NodeConfigured]
    password: SecretReference | str = ""
    version: Literal[2, 3] = 2
    virtual_mac: bool = True

    @model_validator(mode="after")
    def _is_a_pair(self) -> Self:
        if len(self.nodes) != 2:
            raise ValueError(f"a pair has two nodes, not {len(self.nodes)}")
        for name, node in self.nodes.items():
            if node.timers.engine != self.engine:
                raise ValueError(f"{name} has the timers of {node.timers.engine}: {self.engine}")
        if self.engine == "ucarp" and not self.password:
            raise ValueError("a pair of ucarp has a password")
        return self


class SteadyBegan(Event):
    """From now on nothing is provoked, and `active` is the active node (FO-13 to 20, 47)."""

    kind: Literal["steady.began"] = "steady.began"
    active: Name


class SteadyEnded(Event):
    """The end of such a span; `says`: the state that each node says it is in then, if it was asked.

    "" is that of a node that says none.
    """

    kind: Literal["steady.ended"] = "steady.ended"
    active: Name
    says: Mapping[Name, str] = Field(default_factory=dict)


class HandoverBegan(Event):
    """The active role is moved away from `node` by hand, in preparation (FO-24, 28, 47)."""

    kind: Literal["handover.began"] = "handover.began"
    node: Name


class HandoverEnded(Event):
    """The role has moved."""

    kind: Literal["handover.ended"] = "handover.ended"
    node: Name


class VhidMoved(Event):
    """Both nodes have been restarted with another VHID (FO-22)."""

    kind: Literal["vhid.moved"] = "vhid.moved"
    vhid: Vhid


class NeighboursBegan(Event):
    """Another pair begins to advertise on the same LAN; VHIDs of the two (FO-23)."""

    kind: Literal["neighbours.began"] = "neighbours.began"
    vhids: tuple[Vhid, Vhid]


class NeighboursEnded(Event):
    """The other pair ended; lines about a bad digest that the nodes logged meanwhile."""

    kind: Literal["neighbours.ended"] = "neighbours.ended"
    vhids: tuple[Vhid, Vhid]
    bad_digest_lines: Count


class TcpdumpPrinted(Event):
    """What the guide's tcpdump command printed in `seconds` on the node `source`.

    May be empty: it heard nothing. service_stopped: whether the node's service was (FO-21, 41).
    """

    kind: Literal["tcpdump.printed"] = "tcpdump.printed"
    text: str
    seconds: float = Field(gt=0)
    service_stopped: bool


Filter = Literal["vrrp", "source-mac", "isolation", "guest-firewall"]
Profile = Literal["plain", "mac-filter", "vrrp-filter", "two-networks"]


class FilterBegan(Event):
    """The wire, or a guest's firewall, begins to drop (FO-42 to 45)."""

    kind: Literal["filter.began"] = "filter.began"
    filter: Filter


class FilterEnded(Event):
    """It ended, having dropped so many frames."""

    kind: Literal["filter.ended"] = "filter.ended"
    filter: Filter
    hits: Count


class ProfileBegan(Event):
    """The wire begins to behave as one row of the guide's platform table (FO-48)."""

    kind: Literal["profile.began"] = "profile.began"
    profile: Profile


class ProfileEnded(Event):
    """It ended; frames that it dropped (none for "plain")."""

    kind: Literal["profile.ended"] = "profile.ended"
    profile: Profile
    hits: Count
