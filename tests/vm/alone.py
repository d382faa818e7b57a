"""The smallest lab: one machine on one network."""

from __future__ import annotations

from lab.topology import Topology

TOPOLOGY = Topology.model_validate(
    {
        "name": "one",
        "networks": {"lan": {"ipv4": "192.0.2.0/24", "ipv6": "2001:db8::/64"}},
        "machines": [
            {
                "name": "alone",
                "fqdn": "alone.example.org",
                "roles": ["client"],
                "nics": [{"network": "lan", "ipv4": "192.0.2.7", "ipv6": "2001:db8::7"}],
            }
        ],
    }
)
