"""Validate, asked of the running pair, with each of its prerequisites broken alone.

A prerequisite is broken in one direction or on one node, so that its own rows can be told from the
others'. Whatever happens, it is mended again.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from evidence.events.setup import Broken, Row, ValidateShown
from lab.answers import understood
from lab.errors import LabError
from lab.wire import Drop, Match, Rule
from provision.failover.access_server import SACLI
from scenarios.failover.pair import Pair

# The rows as the drop-in names them; "SSH from A to B", "rsync on A".
TO_SECONDARY, TO_PRIMARY = "SSH from primary to secondary", "SSH from secondary to primary"
ON_PRIMARY, ON_SECONDARY = "rsync on primary", "rsync on secondary"
_SSH_PORT, _TCP = 22, 6
_AUTHORIZED, _KNOWN = "/root/.ssh/authorized_keys", "/root/.ssh/known_hosts"


def request(pair: Pair, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return what the failover page is filled in with."""
    primary, secondary = (node.ipv4 for node in pair.site.nodes)
    filled = {
        "virtual_ip": pair.virtual_ip,
        "primary": {"host": primary},
        "secondary": {"host": secondary},
    }
    return filled | changes


def ask(
    pair: Pair, action: str, asked: Mapping[str, Any], node: str = "primary"
) -> tuple[bool, str]:
    """Let a node validate or commit; return whether it accepted, and what it said."""
    command = f"{SACLI} --value {shlex.quote(json.dumps(asked))} {action}"
    said = pair.machine(node).run(command, timeout=240, check=False)
    return said.status == 0, (said.stdout if said.status == 0 else said.stderr or said.stdout)


def validate(pair: Pair, broken: Broken = "", expected_bad: tuple[str, ...] = ()) -> None:
    """Ask the primary to validate the pair and record its rows.

    Raises LabError when it shows none: there is nothing to record then.
    """
    began_ns = time.time_ns()
    accepted, said = ask(pair, "FailoverValidate", request(pair))
    with understood("primary", "FailoverValidate"):
        rows = rows_in(said) if accepted else ()
    if not rows:
        raise LabError(f"Validate shows no rows, but says: {said.strip()}")
    pair.history.record(
        ValidateShown(
            source="primary",
            broken=broken,
            rows=rows,
            expected_bad=expected_bad,
            began_ns=began_ns,
        )
    )


def rows_in(said: str) -> tuple[Row, ...]:
    """Return the rows that FailoverValidate shows."""
    rows = json.loads(said)["rows"]
    return tuple(
        Row(name=row["name"], good=row["status"] == "GOOD", detail=row.get("detail", ""))
        for row in rows
    )


@contextmanager
def sshd_stopped(pair: Pair) -> Iterator[None]:
    """Stop the secondary's sshd; the connection that commands go over is there already.

    Should this process end meanwhile, the machine starts it again by itself.
    """
    machine = pair.machine("secondary")
    unit = machine.run(
        "unit=sshd; ! systemctl is-active -q ssh || unit=ssh; echo $unit; "
        "systemd-run -q --on-active=300 systemctl start $unit; systemctl stop $unit"
    ).stdout.strip()
    try:
        yield
    finally:
        machine.run(f"systemctl start {unit}")


@contextmanager
def port_blocked(pair: Pair) -> Iterator[None]:
    """Lose on the wire what the secondary sends to the primary's SSH port."""
    there, here = pair.address("secondary"), pair.address("primary")
    match = Match(protocol=_TCP, src_ip=there, dst_ip=here, dst_port=_SSH_PORT)
    rule = pair.lab.wire.add(Rule(match, Drop()))
    try:
        yield
    finally:
        pair.lab.wire.remove(rule)


@contextmanager
def _kept(pair: Pair, node: str, path: str) -> Iterator[None]:
    """Put a file of a node back as it was."""
    machine = pair.machine(node)
    machine.run(f"cp -p {path} {path}.kept")
    try:
        yield
    finally:
        machine.run(f"mv -f {path}.kept {path}")


@contextmanager
def wrong_host_key(pair: Pair) -> Iterator[None]:
    """Let the secondary remember another host key of the primary."""
    machine, host = pair.machine("secondary"), pair.address("primary")
    with _kept(pair, "secondary", _KNOWN):
        machine.run(
            f"ssh-keygen -R {host} -f {_KNOWN} 2>/dev/null; "
            "rm -f /run/other /run/other.pub; ssh-keygen -q -t ed25519 -N '' -f /run/other; "
            f"echo \"{host} $(cut -d' ' -f1,2 /run/other.pub)\" >> {_KNOWN}"
        )
        yield


@contextmanager
def key_not_copied(pair: Pair) -> Iterator[None]:
    """Leave the primary's key in sshuser's file on the secondary only, not in root's."""
    key = pair.machine("primary").run("cut -d' ' -f2 /root/.ssh/id_rsa.pub").stdout.strip()
    with _kept(pair, "secondary", _AUTHORIZED):
        pair.machine("secondary").run(
            f"grep -vF {shlex.quote(key)} {_AUTHORIZED}.kept > {_AUTHORIZED} || true"
        )
        yield


@contextmanager
def no_rsync(pair: Pair, node: str = "secondary") -> Iterator[None]:
    """Take rsync away from a node."""
    machine = pair.machine(node)
    path = machine.run("command -v rsync").stdout.strip()
    machine.run(f"mv {path} {path}.away")
    try:
        yield
    finally:
        machine.run(f"mv {path}.away {path}")


@contextmanager
def isolated(pair: Pair) -> Iterator[int]:
    """Lose everything between the two nodes, both ways; the rule's id."""
    match = Match(
        from_ports=(pair.port("primary"),), to_ports=(pair.port("secondary"),), both_ways=True
    )
    rule = pair.lab.wire.add(Rule(match, Drop()))
    try:
        yield rule
    finally:
        pair.lab.wire.remove(rule)


Break = Callable[[Pair], AbstractContextManager[Any]]

ALL_OF_PARTNER = (TO_SECONDARY, TO_PRIMARY, ON_SECONDARY)
"""What cannot be GOOD when the primary does not get into the secondary."""

PREREQUISITES: Mapping[Broken, tuple[Break, tuple[str, ...]]] = {
    "sshd-stopped": (sshd_stopped, ALL_OF_PARTNER),
    "port-blocked": (port_blocked, (TO_PRIMARY,)),
    "wrong-host-key": (wrong_host_key, (TO_PRIMARY,)),
    "no-rsync": (no_rsync, (ON_SECONDARY,)),
    "no-rsync-on-primary": (partial(no_rsync, node="primary"), (ON_PRIMARY,)),
    "key-not-copied": (key_not_copied, ALL_OF_PARTNER),
}


def validate_with(pair: Pair, broken: Broken) -> None:
    """Break one prerequisite, validate, mend it."""
    breaking, expected_bad = PREREQUISITES[broken]
    pair.lab.announce(f"a prerequisite of Validate is broken, and mended: {broken}")
    with breaking(pair):
        validate(pair, broken, expected_bad)
