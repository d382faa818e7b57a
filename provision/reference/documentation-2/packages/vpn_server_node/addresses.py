"""A profile's address ranges, divided among its OpenVPN processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from typing import TypeVar

from vpn_lib_common.profile import Profile, ProfileError

_COUNTS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Share:
    """What one process gives its clients addresses from."""

    range4: IPv4Network
    range6: IPv6Network

    @property
    def gateway4(self) -> str:
        """The process' own IPv4 address in the tunnel."""
        return str(self.range4[1])

    @property
    def gateway6(self) -> str:
        """The process' own IPv6 address in the tunnel."""
        return str(self.range6[1])

    @property
    def clients(self) -> int:
        """How many clients fit: all host addresses but the process' own."""
        return self.range4.num_addresses - 3


_Interface = TypeVar("_Interface", IPv4Interface, IPv6Interface)


def interface(
    profile: Profile, option: str, value: object, kind: Callable[[object], _Interface]
) -> _Interface:
    """Return a value as an address with its network; ProfileError names profile and option."""
    try:
        return kind(value)
    except ValueError as wrong:
        raise ProfileError(f"{profile.profile_id}: {option}: {wrong}") from None


def shares(profile: Profile) -> list[Share]:
    """Return each process' share, in the order of ``vpnProtoPorts``.

    IPv4: equal subnets of ``range``. IPv6: a /112 each, the process' number in the 16 bits above
    the last 16. An address in a range stands for its network. Raises ProfileError when the ranges
    cannot be divided so.
    """
    count = len(profile["vpnProtoPorts"])
    if count not in _COUNTS:
        raise ProfileError("number of vpnProtoPorts MUST be one of 1, 2, 4, 8, 16, 32, 64")
    range4 = interface(profile, "range", profile["range"], IPv4Interface).network
    range6 = interface(profile, "range6", profile["range6"], IPv6Interface).network
    if range6.prefixlen > 112 or range6.prefixlen % 4:
        raise ProfileError("range6 MUST have a prefix of at most 112, divisible by 4")
    bits = count.bit_length() - 1
    if range4.prefixlen + bits > 30 or range6.prefixlen + bits > 112:
        raise ProfileError(f"the ranges are too small for {count} processes")
    first = int(range6.network_address)
    return [
        Share(subnet, IPv6Network((first + (process << 16), 112)))
        for process, subnet in enumerate(range4.subnets(prefixlen_diff=bits))
    ]
