"""Rules: faults of the network, as values.

A rule is a match, an action, and how often it applies. Rules without `to_ports` (and not
`both_ways`) look at a frame once, as it comes in; the others look at each copy that is about to
leave at a port, so that a broadcast may be lost to one machine only. Loss is `Drop()` with a
probability. Rules apply in the order of their ids; delays add up; a drop ends it. How a rule is
carried out stands in `ruleset.py`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from lab.errors import ScenarioError

MOST_DELAY = 60.0
"""Longest delay of one rule, in seconds."""

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_STRICT = {"extra": "forbid"}  # of a value that comes as JSON: see rule_json.py


@dataclass(frozen=True)
class Match:
    """Which frames: every field that is set must hold; none set means every frame.

    `from_ports` are ports a frame came in at, `to_ports` ports a copy leaves at, by name
    ("node-a/wire0"); with `both_ways` the opposite direction matches too. `ethertype` is a number
    (`frame.ARP`), `protocol` that of IPv4 or IPv6 (112 is VRRP and CARP). IP addresses may be
    networks ("145.0.6.0/24"); an ARP frame has those of its sender and target. `src_port` and
    `dst_port` are those of TCP or UDP.
    """

    __pydantic_config__ = _STRICT

    from_ports: tuple[str, ...] = ()
    to_ports: tuple[str, ...] = ()
    both_ways: bool = False
    segment: str | None = None
    ethertype: int | None = None
    protocol: int | None = None
    src_mac: str | None = None
    dst_mac: str | None = None
    src_ip: str | None = None
    dst_ip: str | None = None
    src_port: int | None = None
    dst_port: int | None = None

    def __post_init__(self) -> None:
        _within("ethertype", self.ethertype, 0xFFFF)
        _within("protocol", self.protocol, 255)
        _within("src_port", self.src_port, 65535)
        _within("dst_port", self.dst_port, 65535)
        for field, mac in (("src_mac", self.src_mac), ("dst_mac", self.dst_mac)):
            if mac is not None:
                mac_octets(mac, field)
        for field, address in (("src_ip", self.src_ip), ("dst_ip", self.dst_ip)):
            if address is not None:
                _network(field, address)

    @property
    def looks_at_copies(self) -> bool:
        """Whether this is asked for each copy that leaves, not once as a frame comes in."""
        return bool(self.to_ports) or self.both_ways


@dataclass(frozen=True)
class Drop:
    """The frame ends here."""

    __pydantic_config__ = _STRICT
    kind: Literal["drop"] = "drop"


@dataclass(frozen=True)
class Delay:
    """The frame leaves `seconds` later (exact to about 1 ms)."""

    __pydantic_config__ = _STRICT
    seconds: float
    kind: Literal["delay"] = "delay"

    def __post_init__(self) -> None:
        _duration(self.seconds)


@dataclass(frozen=True)
class Jitter:
    """The frame leaves up to `seconds` later, drawn evenly; frames may overtake each other."""

    __pydantic_config__ = _STRICT
    seconds: float
    kind: Literal["jitter"] = "jitter"

    def __post_init__(self) -> None:
        _duration(self.seconds)


@dataclass(frozen=True)
class Duplicate:
    """The frame leaves 1 + `copies` times."""

    __pydantic_config__ = _STRICT
    copies: int = 1
    kind: Literal["duplicate"] = "duplicate"

    def __post_init__(self) -> None:
        _within("copies", self.copies, 16, least=1)


@dataclass(frozen=True)
class Reorder:
    """The frame is held back `seconds`, so that those after it overtake it.

    Only some frames should be: give the rule a probability or a limit.
    """

    __pydantic_config__ = _STRICT
    seconds: float = 0.02
    kind: Literal["reorder"] = "reorder"

    def __post_init__(self) -> None:
        _duration(self.seconds)


@dataclass(frozen=True)
class Corrupt:
    """`bits` bits behind the Ethernet header are flipped; where is drawn."""

    __pydantic_config__ = _STRICT
    bits: int = 1
    kind: Literal["corrupt"] = "corrupt"

    def __post_init__(self) -> None:
        _within("bits", self.bits, 64, least=1)


Action: TypeAlias = Drop | Delay | Jitter | Duplicate | Reorder | Corrupt


@dataclass(frozen=True)
class Rule:
    """One fault: `action` on frames that `match`.

    It applies with `probability`, to the first `limit` frames at most (None: no end). Draws come
    from a generator of its own, seeded with `seed` (None: from the wire's seed and the rule's
    id), so that a run can be repeated.
    """

    __pydantic_config__ = _STRICT
    match: Match
    action: Action
    probability: float = 1.0
    limit: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.probability <= 1.0:
            raise ScenarioError(
                f"rule: probability must be from 0 to 1, not {self.probability}",
                hint="give the share of frames that the rule is to hit",
            )
        if self.limit is not None and self.limit < 1:
            raise ScenarioError(
                f"rule: limit must be at least 1 frame, not {self.limit}",
                hint="leave it out to hit every frame",
            )


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """Return `rule` as JSON's types; `rule_json` reads them again."""
    return asdict(rule)


def mac_octets(mac: str, field: str = "MAC address") -> bytes:
    """Return the 6 octets of "52:54:00:..."; ScenarioError names `field` when it is none."""
    if not _MAC.fullmatch(mac):
        raise ScenarioError(f"{field}: {mac!r} is not a MAC", hint="write 52:54:00:12:34:56")
    return bytes.fromhex(mac.replace(":", ""))


def _within(field: str, value: int | None, most: int, *, least: int = 0) -> None:
    if value is not None and not least <= value <= most:
        raise ScenarioError(
            f"{field} must be {least} to {most}, not {value}", hint="correct the rule's number"
        )


def _duration(seconds: float) -> None:
    if not 0.0 <= seconds <= MOST_DELAY:
        raise ScenarioError(f"seconds: {seconds}", hint=f"give seconds from 0 to {MOST_DELAY:.0f}")


def _network(field: str, address: str) -> None:
    try:
        ipaddress.ip_network(address, strict=False)
    except ValueError as error:
        raise ScenarioError(f"{field}: {error}", hint="write 192.0.2.1 or 192.0.2.0/24") from None
