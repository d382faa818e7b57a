"""Sites to judge: the guide's own, printed; the same with a third node; one that is quite another.

Written down, not derived: a test compares what provisioning derives with them.
"""

from __future__ import annotations

from typing import Any

from checks.multi_node.deployment import Deployment
from evidence.events.deployment import DeploymentPlanned

Data = dict[str, Any]


def host(name: str, role: str, fqdn: str, last: int) -> Data:
    """Return a machine of the guide's table of hosts, and of its network."""
    return {
        "name": name,
        "roles": [role],
        "fqdn": fqdn,
        "ipv4": f"145.0.6.{last}",
        "bits4": 24,
        "ipv6": f"2001:610:188:418:145:0:6:{last}",
        "bits6": 64,
    }


NODE_A: Data = {
    "managementIp": "145.0.6.72",
    "profileNumber": 1,
    "hostName": "node-a.frkovpn.tuxed.net",
    "displayName": "Node A",
    "range": "10.1.0.0/25",
    "range6": "fd00:1:1:1::/64",
}
NODE_B: Data = {
    "managementIp": "145.0.6.73",
    "profileNumber": 2,
    "hostName": "node-b.frkovpn.tuxed.net",
    "displayName": "Node B",
    "range": "10.2.0.0/25",
    "range6": "fd00:2:2:2::/64",
}
NODE_C: Data = {
    "managementIp": "145.0.6.74",
    "profileNumber": 3,
    "hostName": "node-c.frkovpn.tuxed.net",
    "displayName": "Node C",
    "range": "10.3.0.0/25",
    "range6": "fd00:3:3:3::/64",
}
SHARED = "nodes.frkovpn.tuxed.net"
FIRST, HIDDEN = (
    {"hostName": SHARED, "displayName": "Secure Internet"},
    {"hostName": SHARED, "hideProfile": True},
)

CONTROLLER = host("controller", "controller", "frkovpn.tuxed.net", 71)
NODES = [
    host("node-a", "node", "node-a.frkovpn.tuxed.net", 72),
    host("node-b", "node", "node-b.frkovpn.tuxed.net", 73),
    host("node-c", "node", "node-c.frkovpn.tuxed.net", 74),
]
SERVICES = host("services", "services", "ns.tuxed.net", 10)
CLIENT = host("client", "client", "client.tuxed.net", 20)

GUIDE_DATA: Data = {
    "machines": [CONTROLLER, *NODES[:2], SERVICES, CLIENT],
    "shared_name": SHARED,
    "profiles": {"node-a": NODE_A, "node-b": NODE_B},
    "merged_profiles": {"node-a": {**NODE_A, **FIRST}, "node-b": {**NODE_B, **HIDDEN}},
}
THREE_DATA: Data = {
    "machines": [CONTROLLER, *NODES, SERVICES, CLIENT],
    "shared_name": SHARED,
    "profiles": {"node-a": NODE_A, "node-b": NODE_B, "node-c": NODE_C},
    "merged_profiles": {
        "node-a": {**NODE_A, **FIRST},
        "node-b": {**NODE_B, **HIDDEN},
        "node-c": {**NODE_C, **HIDDEN},
    },
}


def elsewhere(name: str, role: str, fqdn: str, last: int) -> Data:
    """Return a machine of another site, whose networks are no /24 and no /64."""
    return {
        "name": name,
        "roles": [role],
        "fqdn": fqdn,
        "ipv4": f"10.20.3.{last}",
        "bits4": 22,
        "ipv6": f"2001:db8:7::{last}",
        "bits6": 56,
    }


def elsewhere_profile(name: str, number: int, last: int) -> Data:
    return {
        "managementIp": f"10.20.3.{last}",
        "profileNumber": number,
        "hostName": f"{name}.example.org",
        "displayName": name.title(),
        "range": f"172.20.{number * 4}.0/22",
        "range6": f"fdab:{number}::/48",
    }


_EAST, _WEST = elsewhere_profile("east", 1, 60), elsewhere_profile("west", 2, 61)
OTHER_DATA: Data = {
    "machines": [
        elsewhere("names", "services", "names.example.org", 5),
        elsewhere("hub", "controller", "hub.example.org", 9),
        elsewhere("east", "node", "east.example.org", 60),
        elsewhere("west", "node", "west.example.org", 61),
        elsewhere("desk", "client", "desk.example.org", 200),
    ],
    "shared_name": "nodes.hub.example.org",
    "profiles": {"east": _EAST, "west": _WEST},
    "merged_profiles": {
        "east": {**_EAST, "hostName": "nodes.hub.example.org", "displayName": "Secure Internet"},
        "west": {**_WEST, "hostName": "nodes.hub.example.org", "hideProfile": True},
    },
}


def site(data: Data) -> Deployment:
    return Deployment(DeploymentPlanned(source="topology", at_ns=0, **data))


GUIDE, THREE, OTHER = (site(data) for data in (GUIDE_DATA, THREE_DATA, OTHER_DATA))


def told(one: Deployment) -> Data:
    """Return the fields of the event that a site is recorded by."""
    whole = one.planned.model_dump(mode="json")
    return {name: whole[name] for name in GUIDE_DATA}
