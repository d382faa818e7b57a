"""A pair on machines that are already there, made whole after something was done to it.

A lab is thawed anew instead.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.errors import DeadlinePassed, LabError, NotHere
from lab.machine import Machine
from lab.site import Site
from lab.wait import until
from provision.failover import site as cast
from provision.failover.access_server import SERVICE
from provision.failover.ready import in_step
from provision.failover.sacli import status, sync

_UP_S, _WHOLE_S = 300.0, 300.0
_SYNCED_S = 200.0  # the pair syncs every 180 s
_ROLES = {"MASTER", "BACKUP"}


def make_whole(site: Site) -> None:
    """Wait until all machines answer; start a service that does not run; let the pair settle.

    DeadlinePassed says what did not come.
    """
    nodes = [site[node.name] for node in cast.Site.of(site.topology).nodes]
    for machine in site.machines.values():
        machine.wait_until_up(_UP_S)
    for node in nodes:
        if _said(node).get("state") not in {*_ROLES, "INIT"}:
            site.announce(f"{node.name}: service {SERVICE} start, to make the pair whole")
            node.run(f"service {SERVICE} start", timeout=120)
    until(
        lambda: {_said(node).get("state") for node in nodes} == _ROLES,
        _WHOLE_S,
        f"{' and '.join(node.name for node in nodes)} to be one MASTER and one BACKUP",
        every=1.0,
        detail=lambda: ", ".join(f"{node.name}: {_said(node).get('state')}" for node in nodes),
    )
    active, standby = sorted(nodes, key=lambda node: _said(node).get("state") != "MASTER")
    until(lambda: _in_step(active, standby), _WHOLE_S, "the standby to be in step", every=1.0)


def require_whole(site: Site) -> None:
    """Raise NotHere unless a node is active and the other could take over: nothing is lost then.

    Waits for the pair's own sync, which a user's change makes due.
    """
    nodes = [site[node.name] for node in cast.Site.of(site.topology).nodes]
    said = {node.name: _said(node) for node in nodes}
    states = ", ".join(f"{name}: {one.get('state')}" for name, one in said.items())
    if {one.get("state") for one in said.values()} != _ROLES:
        raise NotHere(f"not disturbed: the pair is not one MASTER and one BACKUP ({states})")
    active, standby = sorted(nodes, key=lambda node: said[node.name]["state"] != "MASTER")
    try:
        until(
            lambda: in_step(_said(active), _said(standby)), _SYNCED_S, "the pair's sync", every=1.0
        )
    except DeadlinePassed as error:
        why = "the standby does not have what the active node would leave it"
        raise NotHere(f"not disturbed: {why}") from error


def _in_step(active: Machine, standby: Machine) -> bool:
    if in_step(_said(active), _said(standby)):
        return True
    _quietly(lambda: sync(active))
    return False


def _said(node: Machine) -> dict[str, object]:
    """Return what a node says of itself; nothing while it does not."""
    found: dict[str, object] = {"state": None, "live": None, "staged": None}
    _quietly(lambda: found.update(status(node)))
    return found


def _quietly(act: Callable[[], object]) -> None:
    """Do something that a node may refuse while it changes its role: it is asked again."""
    try:
        act()
    except LabError:
        return
