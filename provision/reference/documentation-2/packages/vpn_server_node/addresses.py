"""A profile's address ranges, divided among its OpenVPN processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_network
from itertools import combinations
from typing import Any, TypeVar

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


def check_apart(profiles: Iterable[Profile]) -> None:
    """Raise ProfileError when two profiles have one number, or give out one address.

    They would take each other's management ports, and close each other's rows in the log. What is
    no number or network is left to who needs it.
    """
    for one, other in combinations(profiles, 2):
        for option, overlap in (
            ("profileNumber", _same),
            ("range", _overlap),
            ("range6", _overlap),
        ):
            first, second = one.get(option, None), other.get(option, None)
            if first is not None and second is not None and overlap(first, second):
                raise ProfileError(
                    "the controller's /etc/vpn-server-api/config.php: vpnProfiles, "
                    f"{other.profile_id}, {option}: {second} is {one.profile_id}'s as well"
                )


def _same(first: Any, second: Any) -> bool:  # noqa: ANN401 - PHP options are of any type
    return str(first) == str(second)


def _overlap(first: Any, second: Any) -> bool:  # noqa: ANN401 - PHP options are of any type
    try:
        one, other = (ip_network(text, strict=False) for text in (first, second))
    except ValueError:
        return False
    return one.version == other.version and one.overlaps(other)
