"""Which node of its pair this machine is: the one whose address it has."""

from __future__ import annotations

from openvpnas.addresses import LocalAddress
from openvpnas.errors import AccessServerError
from openvpnas.pair import PRIMARY, SECONDARY, Pair


def find_place(pair: Pair, addresses: list[LocalAddress]) -> tuple[str, LocalAddress] | None:
    """Give which node this one is, and its address; None if it is neither."""
    for name in (PRIMARY, SECONDARY):
        for own in addresses:
            if own.address == pair.node(name).host:
                return name, own
    return None


def own_place(pair: Pair, addresses: list[LocalAddress]) -> tuple[str, LocalAddress]:
    """Give which node this one is, and its address; AccessServerError if it is neither."""
    found = find_place(pair, addresses)
    if found is None:
        raise AccessServerError(
            f"neither {pair.primary.host} nor {pair.secondary.host} is an address of this machine"
        )
    return found
