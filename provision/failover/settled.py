"""When the pair is ready: one active node, one standby, and the standby has all there is.

A lab that was frozen thaws with a leap of its clocks, which to a standby looks like a silence of
its partner: it takes over, for a moment. Equal settings and the lower address make the primary
stay; waiting for that, and a sync, is what "settled" means here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.errors import CommandFailed
from lab.lab import Lab
from lab.machine import Machine
from lab.wait import until
from provision.failover.access_server import WEB_PORT
from provision.failover.sacli import status, sync
from provision.failover.site import Site


def settle(lab: Lab) -> None:
    """Wait until the primary serves the virtual IP, the secondary stands by and is in step.

    DeadlinePassed says which of them did not come. A node that is just changing its role may
    refuse a command: it is asked again.
    """
    site = Site.of(lab.topology)
    primary, secondary = lab[site.primary.name], lab[site.secondary.name]
    url = f"https://{site.virtual_ip}:{WEB_PORT}/"
    until(lambda: _status(primary)["state"] == "MASTER", 60, "the primary to be the active node")
    until(lambda: _answers(lab[site.gateway.name], url), 60, f"{url} to answer the gateway")
    # A sync takes longer than a standby that thaws needs to notice a silence.
    until(lambda: _sent(primary), 60, "the primary to send what it has")
    until(lambda: _in_step(primary, secondary), 120, "the secondary to stand by, in step")


def _status(node: Machine) -> Mapping[str, Any]:
    """Return what a node says of itself; nothing while it does not."""
    try:
        return status(node)
    except CommandFailed:
        return {"state": None, "staged": None}


def _sent(primary: Machine) -> bool:
    try:
        sync(primary)
    except CommandFailed:
        return False
    return True


def _in_step(primary: Machine, secondary: Machine) -> bool:
    """Say whether the standby holds what was sent; it forgets that when it yields as a master."""
    seen = _status(secondary)
    if seen["state"] != "BACKUP":
        return False
    if seen["staged"] is not None:
        return True
    _sent(primary)
    return False


def _answers(machine: Machine, url: str) -> bool:
    return machine.run(f"curl -sk -o /dev/null --max-time 5 {url}", check=False).status == 0
