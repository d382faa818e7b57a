"""When the deployed pair is ready: one active node, one standby, and the standby has all there is.

Waited for once, after the last step and before the lab is frozen. A thawed lab goes on where it
was, so it is ready.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from lab.answers import understood
from lab.errors import CommandFailed
from lab.lab import Lab
from lab.machine import Machine
from lab.threads import threads
from lab.wait import until
from provision.failover.access_server import WEB_PORT
from provision.failover.sacli import status, sync
from provision.failover.site import Site


def wait_until_ready(lab: Lab) -> None:
    """Wait until the primary serves the virtual IP, the secondary stands by and is in step.

    DeadlinePassed says which of them did not come. A node that is just changing its role may
    refuse a command: it is asked again.
    """
    site = Site.of(lab.topology)
    primary, secondary = lab[site.primary.name], lab[site.secondary.name]
    gateway = lab[site.gateway.name]
    url = f"https://{site.virtual_ip}:{WEB_PORT}/"
    with threads() as beside:  # a login takes seconds on an emulated machine
        served = beside.submit(until, lambda: _answers(gateway, url), 60, f"{url} to answer")
        logged_in = beside.submit(_status, secondary)
        until(
            lambda: _status(primary).get("state") == "MASTER",
            60,
            "the primary to be the active node",
        )
        served.result()
        logged_in.result()
    until(lambda: _stands_by(primary, secondary), 120, "the secondary to stand by, in step")


def in_step(active: Mapping[str, Any], standby: Mapping[str, Any]) -> bool:
    """Say whether a standby holds what the active node runs, by what both say of themselves."""
    with understood("the pair", "what both say of themselves"):
        live, staged = active["live"], standby["staged"]
        return bool(live and staged) and all(live[age] == staged[age] for age in ("term", "serial"))


def _status(node: Machine) -> Mapping[str, Any]:
    """Return what a node says of itself; nothing while it does not."""
    try:
        return status(node)
    except CommandFailed:
        return {"state": None, "live": None, "staged": None}


def _stands_by(primary: Machine, secondary: Machine) -> bool:
    """Say whether the secondary stands by and is in step; when it is not, send it everything."""
    seen = _status(secondary)
    if seen.get("state") != "BACKUP":
        return False
    if in_step(_status(primary), seen):
        return True
    with contextlib.suppress(CommandFailed):
        sync(primary)
    return False


def _answers(machine: Machine, url: str) -> bool:
    return machine.run(f"curl -sk -o /dev/null --max-time 5 {url}", check=False).status == 0
