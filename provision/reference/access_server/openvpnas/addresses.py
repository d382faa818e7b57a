"""The IPv4 addresses of this node."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass

from openvpnas.errors import AccessServerError
from openvpnas.shell import Shell


@dataclass(frozen=True)
class LocalAddress:
    """An address of this node with its network, as `ip address` shows it."""

    interface: str
    address: str
    prefix: int

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The network that the address is in."""
        return ipaddress.IPv4Network((self.address, self.prefix), strict=False)


def local_addresses(shell: Shell) -> list[LocalAddress]:
    """Ask the kernel for every address; AccessServerError if `ip` fails."""
    outcome = shell.run(["ip", "-json", "-4", "address", "show"])
    if not outcome.ok:
        raise AccessServerError(f"ip address: {outcome.last_line}")
    return [
        LocalAddress(interface["ifname"], entry["local"], entry["prefixlen"])
        for interface in json.loads(outcome.output)
        for entry in interface.get("addr_info", [])
        if "local" in entry
    ]


def answers(shell: Shell, address: str) -> str:
    """Give the MAC address that answers for an address, or "" if nobody does."""
    shell.run(["ping", "-c", "2", "-W", "1", "-n", address], timeout=10)
    outcome = shell.run(["ip", "-json", "neighbour", "show", "to", address])
    if not outcome.ok:
        return ""
    for entry in json.loads(outcome.output or "[]"):
        if entry.get("lladdr") and "FAILED" not in entry.get("state", []):
            return str(entry["lladdr"])
    return ""
