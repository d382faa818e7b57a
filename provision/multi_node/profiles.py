"""The guide's table of profiles, for as many nodes as there are: before and after merging them.

What the steps write, and what the scenarios record as planned, both come from here.
"""

from __future__ import annotations

from collections.abc import Mapping

from provision.multi_node.site import Host, Site
from provision.php import Value

#: What the first profile is called after Load Balancing.
MERGED_NAME = "Secure Internet"

Table = Mapping[str, Mapping[str, Value]]
"""Options by profile; a profile bears the name of its node."""


def separate(site: Site) -> Table:
    """Return what section "Controller" sets: a profile for each node."""
    return {node.name: _options(node, site) for node in site.nodes}


def merged(site: Site) -> Table:
    """Return what section "Load Balancing" makes of it: users see the first profile alone."""
    first, *others = separate(site).items()
    shared: dict[str, Value] = {"hostName": site.shared_fqdn}
    return {
        first[0]: {**first[1], **shared, "displayName": MERGED_NAME},
        **{name: {**options, **shared, "hideProfile": True} for name, options in others},
    }


def _options(node: Host, site: Site) -> Mapping[str, Value]:
    return {
        "managementIp": node.ipv4,
        "profileNumber": site.number(node),
        "hostName": node.fqdn,
        "displayName": node.name.replace("-", " ").title(),
        "range": str(node.range),
        "range6": str(node.range6),
    }
