"""The service itself: keeps the heartbeat running and follows the role that it announces.

A node without a pair serves at once. A secondary without a pair does nothing. A node of a pair
serves while its heartbeat is MASTER, and only then: it loads what its partner sent, starts the
services, and sends its own changes to the partner. It never forces a failover back.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time

from openvpnas import snapshot
from openvpnas.addresses import local_addresses
from openvpnas.asked import PROGRAMS
from openvpnas.child import Child, Event, Events, Exited, Line, Restart, Signalled, read_fifo
from openvpnas.config import SCHEMA, Config
from openvpnas.control import answering
from openvpnas.database import Database
from openvpnas.errors import REFUSALS, AccessServerError
from openvpnas.heartbeat import BACKUP, MASTER, Heartbeat, heartbeat
from openvpnas.log import Log
from openvpnas.pair import SECONDARY, Pair, partner_of
from openvpnas.paths import Paths
from openvpnas.place import own_place
from openvpnas.services import Services
from openvpnas.shelf import Shelf
from openvpnas.shell import Shell
from openvpnas.sync import PeriodicSync
from openvpnas.whole_file import write_whole

HEARTBEAT = "HEARTBEAT"
RESTART_SECONDS = 1.0


def effective_pair(paths: Paths) -> Pair | None:
    """Give the pair this node belongs to: a newer staged configuration speaks before the live one.

    So a standby learns of a pair, or of a new VHID, at its restart, while its live
    configuration stays as it is until takeover.
    """
    if snapshot.newer_staged(paths) is not None:
        directory = Shelf(paths.staging).complete
        return Pair.of(Config(Database(directory / "config.db", SCHEMA)).all())
    config = Config.at(paths)
    return Pair.of(config.all()) if config.database.exists else None


class Supervisor:
    """One run of the service."""

    def __init__(self, paths: Paths, shell: Shell) -> None:
        self._paths = paths
        self._shell = shell
        self._events: Events[Event] = Events()
        self._services = Services(paths, self._events, self._note)
        self._log = Log(paths, failover=False)
        self._mode = "single"
        self._state = "INIT"
        self._since = time.time()
        self._started = time.time()
        self._engine: Heartbeat | None = None
        self._beat: Child | None = None
        self._sync: PeriodicSync | None = None
        self._partner_name = SECONDARY
        self._pair: Pair | None = None
        self._told = ""
        """What stands in the state file."""

    def run(self) -> int:
        """Serve until SIGTERM; SIGHUP is a warm restart of what is being served."""
        self._paths.rendered.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _frame: self._events.put(Signalled(received)))
        snapshot.finish_interrupted_load(self._paths)
        with answering(self._paths, PROGRAMS, lambda text: self._log.node("NODE", text)):
            self._begin()
            while True:
                event = self._events.get()
                if isinstance(event, Signalled) and event.number != signal.SIGHUP:
                    break
                self._follow(event)
            self._end()
        return 0

    def _begin(self) -> None:
        self._pair = effective_pair(self._paths)
        if self._pair is not None:
            self._begin_pair(self._pair)
        elif snapshot.live_age(self._paths)[0] < 0:
            self._mode = "standby"
            self._log.node("NODE", "not configured: waiting for ovpn-init or for a failover pair")
        else:
            self._services.serve(os.fspath(self._log.node_path))
            self._state = "SERVING"
        self._write_state()

    def _begin_pair(self, pair: Pair) -> None:
        self._mode = "failover"
        self._log = Log(self._paths, failover=True)
        name, own = own_place(pair, local_addresses(self._shell))
        self._partner_name = partner_of(name)
        address = f"{own.interface} {pair.virtual_ip}"
        write_whole(self._paths.virtual_ip_file, address + "\n")
        self._remove_virtual_ip()
        engine = heartbeat(pair, own, self._paths, name)
        for file, content in engine.files().items():
            write_whole(self._paths.rendered / file, content)
        if engine.name == "keepalived":
            read_fifo(self._paths.notify_fifo, HEARTBEAT, self._events)
        self._engine = engine
        self._log.failover(
            f"{name} node {own.address} starts {engine.name} on {own.interface}, "
            f"VHID {pair.vhid}, virtual IP {pair.virtual_ip}"
        )
        self._start_heartbeat()
        self._services.prepare()

    def _note(self, source: str, text: str) -> None:
        """Log what a service says; in its reader's thread."""
        self._log.node(source, text)

    def _follow(self, event: Event) -> None:
        if isinstance(event, Line):
            self._read(event)
        elif isinstance(event, Exited):
            self._note_end(event)
        elif isinstance(event, Restart) and event.name == HEARTBEAT:
            self._start_heartbeat()
        elif isinstance(event, Restart):
            self._services.restart(event.name)
        else:
            self._warm_restart()
        self._write_state()

    def _read(self, line: Line) -> None:
        if self._engine is None:
            return
        self._log.failover(line.text)
        role = self._engine.role_in(line.text)
        if role == MASTER and self._state != MASTER:
            self._become_active()
        elif role == BACKUP:
            if self._state == MASTER:
                self._become_standby()
                snapshot.give_up_term(self._paths)
            self._change_state(BACKUP)

    def _become_active(self) -> None:
        self._change_state(MASTER)
        try:
            self._load_newer()
            term = snapshot.begin_term(self._paths)
            self._services.serve(os.fspath(self._log.node_path))
        except REFUSALS as error:
            self._log.failover(f"cannot serve: {error}")
            return
        self._log.failover(f"serving, term {term}")
        if self._pair is not None:
            self._sync = PeriodicSync(
                self._paths,
                self._pair.node(self._partner_name),
                self._pair.sync_period,
                self._shell,
                lambda text: self._log.node("SYNC", text),
            )
            self._sync.start()

    def _load_newer(self) -> None:
        loaded = snapshot.load_newer(self._paths)
        if loaded is not None:
            self._log.failover(
                f"loaded staged snapshot {loaded.id} (term {loaded.term}, serial {loaded.serial})"
            )

    def _become_standby(self) -> None:
        if self._sync is not None:
            self._sync.stop()
            self._sync = None
        self._services.stop()
        self._services.prepare()
        self._log.failover("standby: no service is offered here any more")

    def _note_end(self, event: Exited) -> None:
        if event.child is self._beat:
            self._heartbeat_died(event.status)
        elif self._services.ended(event.child):
            self._log.node(event.child.name, f"ended with status {event.status}, starting again")

    def _heartbeat_died(self, status: int) -> None:
        """Let go of the virtual IP at once: a node that cannot be heard must not hold it."""
        self._beat = None
        self._log.failover(f"the heartbeat ended with status {status}")
        self._remove_virtual_ip()
        if self._state == MASTER:
            self._become_standby()
        self._change_state("INIT")
        timer = threading.Timer(RESTART_SECONDS, self._events.put, [Restart(HEARTBEAT)])
        timer.daemon = True
        timer.start()

    def _start_heartbeat(self) -> None:
        if self._engine is None:
            return
        try:
            self._beat = Child(HEARTBEAT, self._engine.command(), self._events)
        except OSError as error:
            self._log.failover(f"cannot start {self._engine.name}: {error}")
            raise AccessServerError(f"{self._engine.name}: {error}") from error

    def _remove_virtual_ip(self) -> None:
        self._shell.run([os.fspath(self._paths.libexec / "vip-down")])

    def _warm_restart(self) -> None:
        if self._state in (MASTER, "SERVING"):
            self._services.stop()
            self._services.serve(os.fspath(self._log.node_path))
            self._log.node("NODE", "warm restart")

    def _end(self) -> None:
        if self._beat is not None:
            self._beat.stop()  # its exit removes the virtual IP: the partner may have it
        if self._sync is not None:
            self._sync.stop()
        self._services.stop()
        self._change_state("STOPPED")

    def _change_state(self, state: str) -> None:
        if state == self._state:
            return
        if self._mode == "failover":
            self._log.failover(f"node state: {self._state} -> {state}")
        self._state = state
        self._since = time.time()
        self._write_state()  # at once: what follows a new state may take seconds

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "mode": self._mode,
            "node": partner_of(self._partner_name) if self._pair else "",
            "state": self._state,
            "since": round(self._since, 3),
            "started": round(self._started, 3),
            "engine": self._engine.name if self._engine else "",
            "services": self._services.states(),
        }
        told = json.dumps(state) + "\n"
        if told != self._told:  # a line of a log changes nothing, and strangers make such lines
            write_whole(self._paths.state_file, told, 0o644)
            self._told = told
