"""What can befall an active node, each a value: how it is done, and how it is undone.

A kill, a clean stop, a cut link, a pause and a power-off are different things. The moment of a
fault is known as far as it can be: between asking for it and being told that it was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from evidence.moment import NS, Moment
from lab.testbed import Testbed
from provision.failover.access_server import SERVICE

AFTER_STOP = "/run/after-stop"
"""On a node whose service was stopped: its uptime (s), `ip -j -4 addr`, its uptime again."""
_CRASH_AFTER_S = 0.5  # the shell that crashes its machine must have said goodbye before
_CRASH_SLACK_S = 0.3  # a slow guest's `sleep` and `echo`


@dataclass(frozen=True)
class Fault:
    """One way for a node to fail. `inject` and `undo` take the lab and the node's name.

    `loses_machine`: what the machine holds afterwards is of no use, it has to be thawed or booted.
    `takes_over`: whether the other node has to become active.
    """

    name: str
    inject: Callable[[Testbed, str], Moment]
    undo: Callable[[Testbed, str], None]
    loses_machine: bool = True
    takes_over: bool = True

    def __str__(self) -> str:
        return self.name


def during(act: Callable[[], object]) -> Moment:
    """Do something; return its moment: the middle of the time it took, give or take half of it."""
    begun = time.time_ns()
    act()
    half = (time.time_ns() - begun) // 2
    return Moment(begun + half, half)


def _power_off(lab: Testbed, node: str) -> Moment:
    return during(lab[node].kill)


def _pause(lab: Testbed, node: str) -> Moment:
    return during(lab[node].pause)


def _crash(lab: Testbed, node: str) -> Moment:
    """Crash the kernel by sysrq, half a second after the command that asks for it has ended."""
    lab[node].need_power_switch("crash")
    lab[node].run("sysctl -q kernel.panic=0 kernel.sysrq=1")
    asked = during(
        lambda: lab[node].run(
            f"setsid sh -c 'sleep {_CRASH_AFTER_S}; echo c > /proc/sysrq-trigger' "
            "</dev/null >/dev/null 2>&1 &"
        )
    )
    lab[node].disconnect()
    slack = int(_CRASH_SLACK_S * NS) // 2
    at = asked.at_ns + int(_CRASH_AFTER_S * NS) + slack
    return Moment(at, asked.uncertainty_ns + slack)


def _stop_service(lab: Testbed, node: str) -> Moment:
    """Stop the service; the moment is that of asking, as the stop has a length of its own.

    What the node holds then is kept in a file of its own: asking for it afterwards takes too long.
    """
    begun = time.time_ns()
    lab[node].run(
        f"service {SERVICE} stop && {{ read before _ </proc/uptime; links=$(ip -j -4 addr); "
        f"read after _ </proc/uptime; printf '%s\\n' $before \"$links\" $after; }} >{AFTER_STOP}",
        timeout=120,
    )
    return Moment(begun, 0)


def _restart_service(lab: Testbed, node: str) -> Moment:
    begun = time.time_ns()
    lab[node].run(f"service {SERVICE} restart", timeout=120)
    return Moment(begun, 0)


def _kill(program: str) -> Callable[[Testbed, str], Moment]:
    """Kill it, stopped before: keepalived's child resigns when it learns of its parent's death."""

    def inject(lab: Testbed, node: str) -> Moment:
        kill = f"pkill -STOP -x '{program}'; pkill -KILL -x '{program}'"
        return during(lambda: lab[node].run(kill))

    return inject


def _cut(lab: Testbed, node: str) -> Moment:
    return during(lambda: lab.wire.cut(lab.topology.port(node, 0)))


def _heal_switched_off(lab: Testbed, node: str) -> None:
    """Heal the link of a machine that is off: two masters that meet are another scenario."""
    lab[node].kill()
    lab.wire.heal(lab.topology.port(node, 0))


def _lose_carrier(lab: Testbed, node: str) -> Moment:
    return during(lambda: lab.set_link(node, 0, up=False))


def _restore_carrier(lab: Testbed, node: str) -> None:
    lab.set_link(node, 0, up=True)


def _switch_off(lab: Testbed, node: str) -> None:
    lab[node].kill()


def _start_service(lab: Testbed, node: str) -> None:
    lab[node].run(f"service {SERVICE} start", timeout=120)


def _nothing(lab: Testbed, node: str) -> None:
    """Leave it: the node repairs itself."""


POWER_OFF = Fault("power-off", _power_off, _switch_off)
GUEST_CRASH = Fault("guest-crash", _crash, _switch_off)
PAUSE = Fault("pause", _pause, _switch_off)
"""Undone by switching off: with ucarp a resumed node of the lower address takes the role back."""
LINK_CUT = Fault("link-cut", _cut, _heal_switched_off)
CARRIER_LOSS = Fault("carrier-loss", _lose_carrier, _restore_carrier, loses_machine=False)
SERVICE_STOP = Fault("service-stop", _stop_service, _start_service, loses_machine=False)
SERVICE_RESTART = Fault("service-restart", _restart_service, _nothing, loses_machine=False)
KILL_UCARP = Fault("kill-ucarp", _kill("ucarp|keepalived"), _nothing, loses_machine=False)
KILL_OPENVPN = Fault(
    "kill-openvpn", _kill("openvpn"), _nothing, loses_machine=False, takes_over=False
)

CRASHES = (POWER_OFF, GUEST_CRASH, PAUSE, LINK_CUT, CARRIER_LOSS, KILL_UCARP)
"""Faults that FO-24's limits are for."""
ALL = (*CRASHES, SERVICE_STOP, KILL_OPENVPN)
