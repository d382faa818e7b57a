"""Maintenance as it is acted out: scripts typed, and what the machines themselves date of it.

What a machine dated is brought to the wire's clock by two measurements of its own, one before and
one after what it is asked for. Nothing here judges.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import PurePosixPath

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import TRANSPORTS, WEB_SERVER
from checks.multi_node.steps import START, UPDATE_CONTROLLER, UPDATE_NODE
from evidence.events.maintenance import (
    ConnectionsLogged,
    MaintenancePlanned,
    PowerSwitched,
    Script,
    ScriptRun,
    ServerFilesWritten,
    UnitChanged,
)
from evidence.events.multi_node import FileWritten, Transport
from evidence.history import History
from lab.answers import understood
from lab.clock import NS, ClockOffset
from lab.lab import Lab
from lab.machine import Machine
from lab.quiet import busy
from lab.threads import side_by_side
from provision.multi_node.maintenance import typed
from provision.vpn_clients import VpnClients

_JOB_ENDED = {
    "39f53479d3a045ac8e11786248231fbf": "started",
    "be02cf6855d2428ba40df7e9d022f03d": "failed",
    "9d1aaa27d60140bd96365438aad20286": "stopped",
}  # SD_MESSAGE_UNIT_*, of systemd 219 and later
_OPENVPN = re.compile("openvpn-server@")
_TAIL = 600  # characters of what a script printed
_SCRIPT_S, _REBOOT_S = 600.0, 180.0
_PING_EVERY_S, _APART = 0.5, ">/dev/null 2>&1 </dev/null"
_ONCE_MORE_NS = NS
"""So much of a journal is read again: what was on its way when it was read."""


def run_script(history: History, machine: Machine, script: Script | str, command: str) -> ScriptRun:
    """Type a script, whatever it says, and record it."""
    began_ns = time.time_ns()
    done = machine.run(command, timeout=_SCRIPT_S, check=False)
    event = ScriptRun.model_validate(
        {
            "source": machine.name,
            "script": script,
            "typed": command,
            "began_ns": began_ns,
            "status": done.status,
            "output": done.output[-_TAIL:],
        }
    )
    history.record(event)
    return event


def reboot(history: History, machine: Machine) -> None:
    """Reboot a machine as its own `reboot` does, and wait until all that it starts has started."""
    began_ns = time.time_ns()
    machine.shut_down()
    with busy(machine.access.lab):  # a boot keeps a processor: none while another lab is timed
        machine.power_on()
        machine.wait_until_up(_REBOOT_S)
    state = machine.run("systemctl is-system-running --wait", timeout=_REBOOT_S, check=False)
    history.record(
        ScriptRun(
            source=machine.name,
            script="reboot",
            typed="reboot",
            began_ns=began_ns,
            status=0,
            output=state.stdout.strip(),
        )
    )


def _dated(machine: Machine, command: str) -> tuple[str, ClockOffset]:
    """Return what a machine says, and an offset of its clock that is true before and after."""
    before = machine.clock()
    said = machine.run(command).stdout
    return said, ClockOffset.spanning([before, machine.clock()])


def journal(history: History, machine: Machine, since_ns: int) -> None:
    """Record which of systemd's jobs have ended since a moment of the wire's clock."""
    since_s = machine.clock().in_lab(since_ns) // NS - 1
    which = " ".join(f"MESSAGE_ID={one}" for one in _JOB_ENDED)
    said, offset = _dated(machine, f"journalctl -q -o json --since=@{since_s} _PID=1 {which}")
    with understood(machine.name, "its journal"):
        seen = list(read_journal(machine.name, said, offset, since_ns))
    for one in seen:
        history.record(one)


def read_journal(
    machine: str, said: str, offset: ClockOffset, since_ns: int
) -> Iterator[UnitChanged]:
    """Yield the changes of OpenVPN's and the web server's units that a journal tells of."""
    for line in said.splitlines():
        fields = json.loads(line)
        dated_us = fields.get("_SOURCE_REALTIME_TIMESTAMP") or fields["__REALTIME_TIMESTAMP"]
        at_ns = offset.on_host(int(dated_us) * 1000)
        known = _OPENVPN.match(fields["UNIT"]) or WEB_SERVER.fullmatch(fields["UNIT"])
        if at_ns > since_ns and known:
            yield UnitChanged.model_validate(
                {
                    "source": machine,
                    "at_ns": at_ns,
                    "uncertainty_ns": offset.uncertainty_ns,
                    "unit": fields["UNIT"],
                    "change": _JOB_ENDED[fields["MESSAGE_ID"]],
                }
            )


def server_files(history: History, node: Machine) -> None:
    """Record when the files that a node's OpenVPN reads were written."""
    said, offset = _dated(node, "stat -c '%.9Y %n' /etc/openvpn/server/*.conf || true")
    with understood(node.name, "when its files were written"):
        seen = ServerFilesWritten(
            source=node.name,
            uncertainty_ns=offset.uncertainty_ns,
            files=tuple(_files(said, offset)),
        )
    history.record(seen)


def _files(said: str, offset: ClockOffset) -> Iterator[FileWritten]:
    for line in said.splitlines():
        seconds, path = line.split(" ", 1)
        written_ns = offset.on_host(int(Decimal(seconds) * NS))
        yield FileWritten(name=PurePosixPath(path).name, written_ns=written_ns)


def connections(history: History, controller: Machine) -> None:
    """Record the controller's whole log of connections."""
    program = (
        '$d = new PDO("sqlite:/var/lib/vpn-server-api/db.sqlite"); echo json_encode($d->query('
        '"SELECT profile_id, ip4, connected_at, disconnected_at, bytes_transferred,'
        ' client_lost AS lost FROM connection_log")->fetchAll(PDO::FETCH_ASSOC));'
    )
    began_ns = time.time_ns()
    said = controller.run(f"php -r {shlex.quote(program)}").stdout
    half_ns = (time.time_ns() - began_ns) // 2
    with understood(controller.name, "its log of connections"):
        seen = ConnectionsLogged.model_validate(
            {
                "source": controller.name,
                "at_ns": began_ns + half_ns,
                "uncertainty_ns": half_ns,
                "rows": json.loads(said),
            }
        )
    history.record(seen)


def switch(history: History, machine: Machine, act: Callable[[], object], *, on: bool) -> None:
    """Switch a machine's power, and record it as of the middle of the time that it took."""
    began_ns = time.time_ns()
    act()
    half_ns = (time.time_ns() - began_ns) // 2
    history.record(
        PowerSwitched(source=machine.name, at_ns=began_ns + half_ns, uncertainty_ns=half_ns, on=on)
    )


def far_ends(site: Deployment, *transports: Transport) -> list[str]:
    """Return each node's own addresses in the tunnels of some protocols."""
    numbers = [TRANSPORTS.index(one) for one in transports]
    return [str(site.process_ranges(node)[n][0][1]) for node in site.nodes for n in numbers]


@contextlib.contextmanager
def asking(
    vpn_clients: VpnClients, client: Machine, targets: Mapping[str, Sequence[str]]
) -> Iterator[None]:
    """Let clients ask addresses in the tunnel twice a second, for the block.

    What shows a tunnel is OpenVPN's packets on the wire, never that somebody answers: without its
    tunnel a client asks on the wire itself, where a node answers for its address inside, too.
    """
    try:
        for name, addresses in targets.items():
            each = (f"setsid ping -n -q -i {_PING_EVERY_S} {one} {_APART} &" for one in addresses)
            vpn_clients.run(name, "\n".join(each))
        yield
    finally:
        client.run("pkill -x ping", check=False)


class Maintenance:
    """One maintenance of a lab: scripts in an order, each on all its machines before the next.

    Each machine's journal is read after each of its scripts, so that a reboot loses nothing of it.
    """

    def __init__(self, lab: Lab, site: Deployment, history: History) -> None:
        self._lab, self._site, self._history = lab, site, history
        self._read_until: dict[str, int] = {}

    def follow(self, order: Sequence[Script], *, by_reboot: bool = False) -> None:
        """Type the scripts, and record what they did.

        by_reboot: the controller is rebooted after its update, nodes in place of their start.
        """
        self._history.record(MaintenancePlanned(source="scenario", order=tuple(order)))
        now_ns = time.time_ns()
        self._read_until = dict.fromkeys((self._site.controller.name, *self._site.nodes), now_ns)
        for script in order:
            if script == UPDATE_CONTROLLER:
                controller = self._lab[self._site.controller.name]
                connections(self._history, controller)
                self._run(script, controller, by_reboot=False)
                if by_reboot:
                    self._reboot(controller)
            else:
                act = partial(self._run, script, by_reboot=by_reboot and script == START)
                side_by_side((self._lab[node] for node in self._site.nodes), act)

    def _run(self, script: Script, machine: Machine, *, by_reboot: bool) -> None:
        if by_reboot:
            self._reboot(machine)
            return
        run_script(self._history, machine, script, typed(script))
        if script == UPDATE_NODE:
            server_files(self._history, machine)
        self._read_journal(machine)

    def _reboot(self, machine: Machine) -> None:
        reboot(self._history, machine)
        self._read_journal(machine)

    def read_journals(self) -> None:
        """Record what has changed since, of what no script was for."""
        side_by_side((self._lab[name] for name in self._read_until), self._read_journal)

    def _read_journal(self, machine: Machine) -> None:
        until_ns = time.time_ns() - _ONCE_MORE_NS
        journal(self._history, machine, self._read_until[machine.name])
        self._read_until[machine.name] = until_ns
