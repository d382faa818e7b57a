"""VPN clients of a scenario: their echoes show a tunnel, and they leave when it ends.

A node answers for its address in the tunnel at every interface that it has, by ARP on the wire too.
Without a tunnel a client's only route leads to the wire, so that a plain echo is answered there: it
shows no tunnel. What is to show one is bound to the tunnel's device, and fails without it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from checks.multi_node.deployment import Deployment
from lab.answers import understood
from lab.lab import Lab
from provision.vpn_clients import Client, VpnClients

DEVICE = "tun0"
"""A client's tunnel, in its own namespace."""
WAIT_S = 8
"""So long an answer is waited for: all clients of one emulated machine ask at once."""
_EACH_S = 2  # that a machine may need to let one of them ask


def echo(target: str, *, device: str = "", sent: int = 1) -> str:
    """Return the command that sends echo requests, from one device alone if it is given."""
    bound = f"-I {device} " if device else ""
    return f"ping {bound}-{6 if ':' in target else 4} -n -q -c {sent} -W {WAIT_S} {target}"


class TunnelClients(VpnClients):
    """VPN clients that ask through their tunnels alone, and remember who was connected."""

    def __init__(self, lab: Lab, site: Deployment) -> None:
        super().__init__(lab[site.client.name], nameserver=site.services.address(4))
        self._connected: list[str] = []

    def connect_all(self, clients: Sequence[Client]) -> None:
        """Start clients, as VpnClients does."""
        self._connected += [client.name for client in clients]
        super().connect_all(clients)

    def ping_all(self, addresses: Mapping[str, str]) -> dict[str, bool]:
        """Let clients ask side by side, each through its tunnel: whose address answered."""
        if not addresses:
            return {}
        each = (
            f"{{ ip netns exec {shlex.quote(name)} {echo(address, device=DEVICE)} >/dev/null 2>&1"
            f" && echo {name} yes || echo {name} no; }} &"
            for name, address in addresses.items()
        )
        within_s = 60 + _EACH_S * len(addresses)
        said = self._machine.run("\n".join([*each, "wait"]), timeout=within_s).stdout
        with understood(self._machine.name, "what its VPN clients' pings say"):
            answered = dict(line.split() for line in said.splitlines())
            return {name: answered[name] == "yes" for name in addresses}

    def leave(self) -> None:
        """End every client that was started."""
        self.disconnect(dict.fromkeys(self._connected))
        self._connected.clear()
