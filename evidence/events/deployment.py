"""The multi-node deployment as it was meant to be: what every check of it compares with."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from evidence.event import Event, Ipv4, Name, Value

Ipv6 = Annotated[str, AfterValidator(lambda text: str(ipaddress.IPv6Address(text)))]
"""An IPv6 address, without a prefix."""
Options = Mapping[Name, JsonValue]
"""A profile's options, as the guide's table has them."""

ONCE = ("controller", "services", "client")
"""Roles that one machine has each; any number of machines are nodes."""
KEPT = ("profileNumber", "range", "range6")
"""Options that what a node runs is derived from: the same before and after merging."""


class MachinePlanned(Value):
    """A machine: what it is for, its name in DNS, its static addresses, their prefix lengths."""

    name: Name
    roles: tuple[Name, ...] = Field(min_length=1)
    fqdn: Name
    ipv4: Ipv4
    bits4: int = Field(ge=1, le=32)
    ipv6: Ipv6
    bits6: int = Field(ge=1, le=128)


class DeploymentPlanned(Event):
    """What was to be deployed, by the topology; recorded before anything is provoked.

    machines: all, the nodes in the order of their numbers. shared_name: the round-robin name.
    profiles: what the section "Controller" has for each node; merged_profiles: what "Load
    Balancing" makes of it. A profile bears the name of its node.
    """

    kind: Literal["deployment.planned"] = "deployment.planned"
    machines: tuple[MachinePlanned, ...] = Field(min_length=1)
    shared_name: Name
    profiles: Mapping[Name, Options]
    merged_profiles: Mapping[Name, Options]

    @property
    def nodes(self) -> tuple[MachinePlanned, ...]:
        """The nodes, in order."""
        return self.with_role("node")

    def with_role(self, role: str) -> tuple[MachinePlanned, ...]:
        """Return the machines that have a role, in order."""
        return tuple(one for one in self.machines if role in one.roles)

    @model_validator(mode="after")
    def _is_a_deployment(self) -> Self:
        _refuse_twice("machine", (one.name for one in self.machines))
        _refuse_twice("address", (one.ipv4 for one in self.machines))
        _refuse_twice("address", (one.ipv6 for one in self.machines))
        for role in ONCE:
            if (count := len(self.with_role(role))) != 1:
                raise ValueError(f"one machine has the role {role}, not {count}")
        nodes = [one.name for one in self.nodes]
        if not nodes:
            raise ValueError("at least one machine has the role node")
        for table in (self.profiles, self.merged_profiles):
            if sorted(table) != sorted(nodes):
                raise ValueError(f"each node has a profile of its name: {nodes}, {list(table)}")
        for name, options in self.profiles.items():
            _check_options(name, options)
            for option in KEPT:
                if (merged := self.merged_profiles[name].get(option)) != options[option]:
                    raise ValueError(
                        f"{name}: merging changes no {option}: {options[option]!r}, {merged!r}"
                    )
        return self


def _refuse_twice(what: str, values: Iterable[str]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise ValueError(f"the {what} {value} is used {count} times")


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that what a node runs cannot be derived from."""
    number = options.get("profileNumber")
    if type(number) is not int or number < 1:
        raise ValueError(f"{name}: profileNumber is a number from 1, not {number!r}")
    ipaddress.IPv4Network(options.get("range"))
    ipaddress.IPv6Network(options.get("range6"))
