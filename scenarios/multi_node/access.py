"""What reaches a node, and what goes through it, as it is asked for and recorded.

The programs that knock and that pretend to be vpn-daemon's peers run on the machines themselves.
Nothing here judges.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import DAEMON_PORT, FAMILIES
from evidence.events.access import (
    ChangesApplied,
    DaemonTried,
    FirewallShown,
    ForwardTried,
    Knock,
    Phase,
    PortsKnocked,
)
from evidence.events.access import Way as Forwarded
from evidence.events.multi_node import Family, Transport
from evidence.history import History
from lab.answers import understood
from lab.machine import Machine
from lab.wait import until
from provision.multi_node.requirements import ARCHIVE, HOME
from scenarios.multi_node.tunnel_clients import echo

_HERE = Path(__file__).parent
_PEERS, _KNOCKING = ((_HERE / name).read_text() for name in ("daemon_peers.py", "knocking.py"))
_ON_THE_NODE, _ECHO = "/run/vpnproof-knocking.py", "vpnproof-echo"
_TAIL = 300  # characters of what a program said

Ports = Mapping[Transport, Sequence[int]]


class Sends(Protocol):
    """A machine, or a VPN client of one, on which a command is run."""

    def __call__(self, command: str) -> int:
        """Run it, and return its status."""


def daemon_peers(history: History, site: Deployment, controller: Machine) -> None:
    """Let the controller be each kind of peer at each node's vpn-daemon."""
    ends: dict[str, tuple[str, Family]] = {
        site.address(node, family): (node, family) for node in site.nodes for family in FAMILIES
    }
    command = f"python3 - {DAEMON_PORT} {shlex.join(ends)}"
    said = controller.run(command, stdin=_PEERS, timeout=60 + 60 * len(ends)).stdout
    with understood(controller.name, "what became of its peers of vpn-daemon"):
        tried = [_tried(controller.name, ends, one) for one in json.loads(said)]
    for event in tried:
        history.record(event)


def _tried(
    controller: str, ends: Mapping[str, tuple[str, Family]], one: dict[str, object]
) -> DaemonTried:
    node, family = ends[str(one.pop("address"))]
    fields = {"source": controller, "node": node, "family": family, "port": DAEMON_PORT}
    return DaemonTried.model_validate({**fields, **one})


def knock(
    history: History, site: Deployment, machine: Machine, nodes: Sequence[str], ports: Ports
) -> None:
    """Let a machine knock at ports of other nodes over both families."""
    for node in (one for one in nodes if one != machine.name):
        for family in FAMILIES:
            for transport, wanted in ports.items():
                words = [transport, site.address(node, family), *map(str, wanted)]
                began_ns = time.time_ns()
                said = machine.run(f"python3 - {shlex.join(words)}", stdin=_KNOCKING).stdout
                with understood(machine.name, "how its knocks were answered"):
                    event = PortsKnocked(
                        source=machine.name,
                        node=node,
                        family=family,
                        transport=transport,
                        began_ns=began_ns,
                        knocks=tuple(Knock.model_validate(one) for one in json.loads(said)),
                    )
                history.record(event)


@contextmanager
def echoing(nodes: Sequence[Machine], ports: Sequence[int]) -> Iterator[None]:
    """Let somebody on each node answer datagrams at ports of its own, for the block."""
    for node in nodes:
        node.put(_KNOCKING, _ON_THE_NODE)
        wanted = " ".join(map(str, ports))
        node.run(f"systemd-run -q --unit={_ECHO} python3 {_ON_THE_NODE} echo {wanted}")
    try:
        for node in nodes:
            until(partial(_echoes, node, ports), 60, f"{node.name} to answer datagrams")
        yield
    finally:
        for node in nodes:
            node.run(f"systemctl stop {_ECHO}; rm -f {_ON_THE_NODE}", check=False)


def _echoes(node: Machine, ports: Sequence[int]) -> bool:
    bound = {
        line.split()[3].rpartition(":")[2] for line in node.run("ss -Hlun").stdout.splitlines()
    }
    return {str(port) for port in ports} <= bound


def show_firewall(history: History, site: Deployment, node: Machine, phase: Phase) -> None:
    """Record a node's rules with their counters, who listens, and which boot it is."""
    ipv4 = site.address(node.name, 4)
    found = node.run(f"ip -o -4 address show to {ipv4}").stdout.split()
    with understood(node.name, "which interface has its address"):
        interface = found[1]
    history.record(
        FirewallShown(
            source=node.name,
            phase=phase,
            ipv4=node.run("iptables-save -c").stdout,
            ipv6=node.run("ip6tables-save -c").stdout,
            sockets=node.run("ss -Hltnup").stdout,
            boot=node.run("cat /proc/sys/kernel/random/boot_id").stdout.strip(),
            interface=interface,
        )
    )


def apply_changes(history: History, node: Machine) -> None:
    """Type apply_changes.sh as the guide does, whatever it says, and record that."""
    done = node.run(f"cd {HOME}\n{ARCHIVE}/apply_changes.sh", timeout=600, check=False)
    history.record(
        ChangesApplied(source=node.name, status=done.status, output=done.output[-_TAIL:])
    )


def forward(
    history: History,
    source: str,
    sends: Sends,
    node: str,
    way: Forwarded,
    target: str,
    *,
    sent: int = 1,
    device: str = "",
) -> None:
    """Send echo requests that a node is to forward, or not, and record what came of them.

    device: what they leave by, "" for what the routes say.
    """
    family: Family = 6 if ":" in target else 4
    began_ns = time.time_ns()
    status = sends(echo(target, device=device, sent=sent))
    history.record(
        ForwardTried(
            source=source,
            node=node,
            family=family,
            way=way,
            target=target,
            began_ns=began_ns,
            sent=sent,
            received=int(status == 0),
        )
    )


@contextmanager
def routed(machine: Machine, target: str, gateway: str) -> Iterator[Sends]:
    """Send what a machine has for `target` by `gateway`, for the block."""
    family, bits = (6, 128) if ":" in target else (4, 32)
    route = f"{target}/{bits} via {gateway}"
    machine.run(f"ip -{family} route replace {route}")
    try:
        yield lambda command: machine.run(command, check=False).status
    finally:
        machine.run(f"ip -{family} route delete {route}", check=False)
