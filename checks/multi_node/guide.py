"""What the multi-node guide says in numbers: its table of hosts, its profiles, its merged name.

Constants only. The two machines the guide takes for granted (a DNS server, a client) have the
names and addresses of the lab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evidence.events.multi_node import Family, RecordType, Transport


@dataclass(frozen=True)
class GuideHost:
    """A machine of the guide's table of hosts: its DNS name and static addresses."""

    name: str
    ipv4: str
    ipv6: str

    def address(self, family: int) -> str:
        """Return its IPv4 (4) or IPv6 (6) address."""
        return self.ipv4 if family == 4 else self.ipv6


# section "Requirements": the table of hosts; services and client are the lab's own
HOSTS: Mapping[str, GuideHost] = {
    "controller": GuideHost("frkovpn.tuxed.net", "145.0.6.71", "2001:610:188:418:145:0:6:71"),
    "node-a": GuideHost("node-a.frkovpn.tuxed.net", "145.0.6.72", "2001:610:188:418:145:0:6:72"),
    "node-b": GuideHost("node-b.frkovpn.tuxed.net", "145.0.6.73", "2001:610:188:418:145:0:6:73"),
    "services": GuideHost("ns.tuxed.net", "145.0.6.10", "2001:610:188:418:145:0:6:10"),
    "client": GuideHost("client.tuxed.net", "145.0.6.20", "2001:610:188:418:145:0:6:20"),
}
NODES = ("node-a", "node-b")
FAMILIES: tuple[Family, ...] = (4, 6)
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp")
RECORD_TYPE: Mapping[int, RecordType] = {4: "A", 6: "AAAA"}
PORT = 1194

# section "Load Balancing"
SHARED_NAME = "nodes.frkovpn.tuxed.net"

# section "Controller": the table of options
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "node-a": {
        "managementIp": "145.0.6.72",
        "profileNumber": 1,
        "hostName": "node-a.frkovpn.tuxed.net",
        "displayName": "Node A",
        "range": "10.1.0.0/25",
        "range6": "fd00:1:1:1::/64",
    },
    "node-b": {
        "managementIp": "145.0.6.73",
        "profileNumber": 2,
        "hostName": "node-b.frkovpn.tuxed.net",
        "displayName": "Node B",
        "range": "10.2.0.0/25",
        "range6": "fd00:2:2:2::/64",
    },
}

# section "Load Balancing": what merging changes in that table
MERGED_PROFILES: Mapping[str, Mapping[str, Any]] = {
    "node-a": {
        **PROFILES["node-a"],
        "hostName": SHARED_NAME,
        "displayName": "Secure Internet",
    },
    "node-b": {**PROFILES["node-b"], "hostName": SHARED_NAME, "hideProfile": True},
}


# What an installed profile has beside that (vpn-server-api 2.1.5), with the values that change
# nothing: as installed, or as if it were not there. Without values: it depends on the machine.
INSTALLED: Mapping[str, tuple[Any, ...]] = {
    "listen": ("::",),
    "defaultGateway": (True,),
    "blockLan": (True,),
    "dns": (),
    "vpnProtoPorts": (["udp/1194", "tcp/1194"],),
    "tlsProtection": ("tls-crypt",),
    "hideProfile": (False,),
    "clientToClient": (False,),
    "enableLog": (False,),
    "enableAcl": (False,),
    "routes": ([],),
    "dnsSuffix": ([],),
    "aclPermissionList": ([],),
    "exposedVpnProtoPorts": ([],),
}


def node_of(address: str) -> str | None:
    """Return the node that has `address`; None when neither has."""
    return next((node for node in NODES if address in _addresses(node)), None)


def _addresses(machine: str) -> tuple[str, str]:
    return HOSTS[machine].ipv4, HOSTS[machine].ipv6


def owner_of(address: str) -> str:
    """Name the machine that has `address`, for a reason."""
    owners = (machine for machine in HOSTS if address in _addresses(machine))
    return next(owners, "no machine of the lab")
