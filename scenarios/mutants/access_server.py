"""Ways to break a node of the failover pair: its software, the programs it starts, its services."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.failover.pair import HEARTBEAT
from scenarios.mutants.mutant import Broken

LIBRARY = "/usr/local/openvpn_as/lib/openvpnas"
PROGRAMS = "/usr/local/openvpn_as/bin"
NODES = ("primary", "secondary")


@dataclass(frozen=True)
class Patched:
    """Change a module of the Access Server's drop-in on some nodes, and restart what runs it.

    restarts: not so for what only `ovpn-init` runs. All else is answered by the running service,
    also what a person asks by `sacli`, or the partner by SSH.
    """

    nodes: tuple[str, ...]
    module: str
    old: str
    new: str
    restarts: bool = True

    def __call__(self, broken: Broken) -> None:
        """Change it."""
        for node in self.nodes:
            broken.edit(node, f"{LIBRARY}/{self.module}", self.old, self.new)
        if self.restarts:
            restart(broken, *self.nodes)


@dataclass(frozen=True)
class Wrapped:
    """Let a shell script stand in for a program of some nodes; $genuine is the program."""

    nodes: tuple[str, ...]
    program: str
    script: str
    restarts: bool = True

    def __call__(self, broken: Broken) -> None:
        """Put it there, and restart the service that starts the program."""
        for node in self.nodes:
            broken.wrap(node, self.program, self.script)
        if self.restarts:
            restart(broken, *self.nodes)


def with_options(nodes: tuple[str, ...], program: str, options: str) -> Wrapped:
    """Let a program have more options, which come last and win."""
    return Wrapped(nodes, program, f'exec "$genuine" "$@" {options}')


def restart(broken: Broken, *nodes: str) -> None:
    """Restart the service of these nodes, and leave the roles where they are."""
    pair = broken.pair
    active = pair.active()
    if active in nodes:
        pair.reconfigure({})  # in an order in which two masters never meet
        return
    for node in nodes:
        pair.service(node, "restart")
        pair.wait_for_state(node, "BACKUP")


def second_ucarp(broken: Broken, node: str, options: str = "") -> None:
    """Start another ucarp on a node: with the pair's group and address, and another password."""
    pair = broken.pair
    broken.lab[node].run(
        "genuine=$(command -v ucarp); "
        f"setsid $genuine --interface=wire0 --srcip={pair.address(node)} --vhid=94 "
        f"--pass=another --addr={pair.virtual_ip} --upscript=/bin/true --downscript=/bin/true "
        f"--shutdown --neutral {options} </dev/null >/dev/null 2>&1 &"
    )


def low_ttl(broken: Broken, node: str) -> None:
    """Let the heartbeat leave a node with a TTL of 64: below any firewall, where ucarp sends."""
    broken.lab[node].run(
        "tc qdisc add dev wire0 clsact && tc filter add dev wire0 egress protocol ip u32 "
        f"match ip protocol {HEARTBEAT} 0xff action pedit ex munge ip ttl set 64 pipe csum ip"
    )


def reject(address: str, port: int) -> str:
    """Return the command that lets a node refuse TCP to an address of its own."""
    return f"iptables -I INPUT -p tcp -d {address} --dport {port} -j REJECT --reject-with tcp-reset"
