"""Mutants of a healthy pair, of what it serves and how it advertises: FO-12 to FO-23."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from evidence.events.pair import SteadyBegan, VhidMoved
from lab.wait import pause
from lab.wire import Match
from scenarios.failover import test_heartbeat
from scenarios.failover.pair import HEARTBEAT
from scenarios.mutants.access_server import (
    NODES,
    low_ttl,
    reject,
    second_ucarp,
    with_options,
)
from scenarios.mutants.mutant import Broken, Mutant, MutantNotApplied

_SERVES = "test_serving.py::test_the_virtual_ip_serves_and_the_standby_does_not"
_BEATS = "test_heartbeat.py::test_the_active_node_advertises_and_the_standby_is_silent"
POWER_OFF = "test_takeover.py::test_a_power_failure_makes_the_standby_active"
_WEB = 943


def no_web_on_virtual_ip(broken: Broken) -> None:
    """Let the primary's web service refuse who comes by the virtual IP."""
    broken.lab["primary"].run(reject(broken.pair.virtual_ip, _WEB))


def no_web_on_own_address(broken: Broken) -> None:
    """Let the primary's web service refuse who comes by the node's own address."""
    broken.lab["primary"].run(reject(broken.pair.address("primary"), _WEB))


def standby_serves(broken: Broken) -> None:
    """Let the standby have a web service."""
    node = broken.standby
    broken.lab[node].run(
        f"systemd-run -q --unit=served python3 -m http.server {_WEB} "
        f"--bind {broken.pair.address(node)}; "
        f"until ss -Hltn 'sport = {_WEB}' | grep -q .; do sleep 0.1; done"
    )


def standby_keeps_virtual_ip(broken: Broken) -> None:
    """Let the standby have the virtual IP, too."""
    command = f"ip address add {broken.pair.virtual_ip}/32 dev wire0"
    broken.lab[broken.standby].run(command)


def another_when_steady(options: str = "") -> Callable[[Broken], None]:
    """Start another ucarp on the standby once nothing is to happen for a while."""

    def apply(broken: Broken) -> None:
        standby = broken.standby
        broken.after(SteadyBegan, lambda: second_ucarp(broken, standby, options))

    return apply


def low_ttl_when_steady(broken: Broken) -> None:
    """Let the heartbeat leave with a TTL of 64, once nothing is to happen for a while."""
    active = broken.pair.active()
    broken.after(SteadyBegan, lambda: low_ttl(broken, active))


def one_node_keeps_its_vhid(broken: Broken) -> None:
    """Let the standby advertise in the former group once the VHID was moved."""
    standby = broken.standby
    broken.after(VhidMoved, lambda: second_ucarp(broken, standby))


def neighbours_of_the_same_vhid(broken: Broken) -> None:
    """Let the other pair on the network have the VHID of this one."""
    same = dataclasses.replace(test_heartbeat.FOREIGN, vhid=94)
    broken.stand_in(test_heartbeat, "FOREIGN", same)


def replayed(broken: Broken) -> None:
    """Send an advertisement of the active node twice more, from elsewhere."""
    wire = broken.lab.wire
    with wire.frames(Match(protocol=HEARTBEAT)) as heard:
        frame = heard.take(10)
    if frame is None:
        raise MutantNotApplied("no advertisement came in 10 s, to be replayed")
    for _ in range(2):
        pause(0.3)
        wire.inject("lan", frame.raw, port="replayer/wire0")


MUTANTS = (
    Mutant(
        "FO-12", _SERVES, "primary", "its web service refuses the virtual IP",
        ("tcp 943 does not answer on 192.168.70.222",), no_web_on_virtual_ip,
    ),
    Mutant(
        "FO-13", _SERVES, "secondary", "a service is on at the standby",
        ("tcp 943 answers on 192.168.70.2",), standby_serves,
    ),
    Mutant(
        "FO-14", _SERVES, "primary", "its web service is on the virtual IP only",
        ("tcp 943 does not answer on 192.168.70.1",), no_web_on_own_address,
    ),
    Mutant(
        "FO-15", _SERVES, "secondary", "it has kept the virtual IP", ("MACs answer for",),
        standby_keeps_virtual_ip, ("FO-12",),  # who asks by it may reach the standby
    ),
    Mutant(
        "FO-16", _BEATS, "both nodes", "advbase 2, and 1 is configured",
        ("announces a period of",), with_options(NODES, "ucarp", "--advbase=2"),
    ),
    Mutant(
        "FO-17", _BEATS, "secondary", "it has another VHID, too", ("the standby sent", "95"),
        another_when_steady("--vhid=95"), ("FO-16", "FO-19"),  # it announces the address as well
    ),
    Mutant(
        "FO-18", _BEATS, "primary", "the heartbeat leaves with TTL 64", ("TTL 64",),
        low_ttl_when_steady, ("FO-16", "FO-17"),
    ),
    Mutant(
        "FO-19", _BEATS, "secondary", "it has another password", ("of secondary do not verify",),
        another_when_steady(), ("FO-16", "FO-17"),
    ),
    Mutant(
        "FO-20", POWER_OFF, "wire", "an advertisement is replayed", ("replayed",), replayed,
    ),
    Mutant(
        "FO-21", "test_heartbeat.py::test_tcpdump_on_the_standby_prints_the_guides_lines",
        "both nodes", "advskew 100, and 0 is configured", ("prio, intvl are",),
        with_options(NODES, "ucarp", "--advskew=100"),
    ),
    Mutant(
        "FO-22", "test_heartbeat.py::test_the_vhid_is_94_and_moves_with_its_key", "secondary",
        "it goes on in the former group", ("[77, 94]",), one_node_keeps_its_vhid,
    ),
    Mutant(
        "FO-23", "test_heartbeat.py::test_a_pair_with_another_vhid_disturbs_nobody", "wire",
        "the other pair has the same VHID", ('"Bad digest" line(s)',),
        neighbours_of_the_same_vhid,
    ),
)  # fmt: skip
