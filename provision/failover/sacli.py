"""What a node's own command line says of it, for those who watch or steer a running pair.

Each call starts two small programs in the guest, and an interpreter where the service does not
run: about a second, where it is emulated. Nothing that is measured should be asked this way.
"""

from __future__ import annotations

import shlex
from typing import Any

from lab.answers import json_object
from provision.failover.access_server import SACLI
from provision.target import Target


def status(node: Target) -> dict[str, Any]:
    """Return what FailoverStatus says; "state" is MASTER, BACKUP, INIT or STOPPED.

    "node" says which one of the pair it is, "live" and "staged" what it has: term and serial,
    None for nothing.
    """
    said = node.run(f"{SACLI} FailoverStatus").stdout
    return json_object(node.name, "FailoverStatus", said)


def sync(active: Target) -> dict[str, Any]:
    """Send what the active node has to its partner now; return id, term and serial of it."""
    said = active.run(f"{SACLI} FailoverSync", timeout=120).stdout
    return json_object(active.name, "FailoverSync", said)


def configuration(node: Target) -> dict[str, str]:
    """Return every configuration key of a node that has been active, defaults included.

    `ucarp.password` is among them: what the adverts are signed with.
    """
    return json_object(node.name, "ConfigQuery", node.run(f"{SACLI} ConfigQuery").stdout)


def put(active: Target, key: str, value: str) -> None:
    """Set a configuration key on the active node; failover and ucarp keys need a restart."""
    active.run(f"{SACLI} --key {shlex.quote(key)} --value {shlex.quote(value)} ConfigPut")
