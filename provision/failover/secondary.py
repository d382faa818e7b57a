"""Preparing the failover node for use: a new deployment, wiped into a standby, and rsync."""

from __future__ import annotations

from provision.action import Command
from provision.failover import access_server
from provision.failover.access_server import ETC
from provision.failover.site import Site
from provision.platform import Platform
from provision.step import Step

SECTION = "Preparing the failover node for use"

_IS_SECONDARY = f'[ "$(cat {ETC}/node-role 2>/dev/null)" = secondary ]'


def steps(site: Site, platform: Platform, heartbeat: str) -> list[Step]:
    """Return the steps of the section."""
    node = site.secondary
    return [
        *access_server.install(node, SECTION, platform, heartbeat),
        Step(
            name="set up the secondary",
            section=SECTION,
            machine=node.name,
            changes="everything it held is wiped, after DELETE was typed; it is a standby",
            actions=(Command("ovpn-init --secondary", unless=_IS_SECONDARY, stdin="DELETE\n"),),
            module=__name__,
        ),
        access_server.rsync(node, SECTION, platform),
    ]
