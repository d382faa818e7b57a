"""The hosts of a run, from the first look at them to the end of what runs there."""

from __future__ import annotations

import os
import queue
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter

from evidence.arrivals import wrong_with
from evidence.errors import EvidenceError
from evidence.events.hosts import FileArrived
from evidence.secret import FILE_NAME as SECRETS
from lab.errors import HostsError, LabError
from lab.hosts.checkout import Checkout
from lab.hosts.connection import Connection, Connections
from lab.hosts.evidence import Arrived, Coming
from lab.hosts.file import Host, HostsFile
from lab.hosts.line import Line
from lab.hosts.look import Found, Lines, ask, look, side_by_side, too_old
from lab.hosts.ready import consented, make_ready
from lab.hosts.sharing.exchange import Exchange, Wish
from lab.hosts.sharing.mail import Mail
from lab.hosts.sharing.relay import relay
from lab.made_once import Cached
from lab.progress import Progress
from lab.wait import pause

_MANIFEST = TypeAdapter(dict[str, FileArrived])
_MANIFEST_PROGRAM = (
    "import json, sys, pathlib; from evidence.arrivals import manifest; "
    "print(json.dumps({name: one.model_dump() for name, one in "
    "manifest(pathlib.Path(sys.argv[1])).items()}))"
)
Arrival = Callable[[str, str, Arrived], None]
"""Called with the host, the scenario that ended there ("" for none), and what came."""
Brought = Callable[[str, str, str, int], None]
"""Called with what travelled, from which host, to which, and how many octets that were."""
_STANDS_STILL_S = 900.0
"""For so long nothing of what travels may move: who takes it may wait for another who makes it."""
_COMES_WITHIN_S, _COMES_AT_ONCE_S = 1800.0, 10.0
_LIMITS = ("VPNPROOF_CHECKPOINTS_GIB", "VPNPROOF_IMAGES_GIB")


@dataclass
class Member:
    """A host that takes part in a run."""

    host: Host
    connection: Connection
    found: Found
    checkout: PurePosixPath
    line: Line | None = None
    mail: Mail | None = None
    coming: Coming | None = None
    ended: queue.Queue[str | None] = field(default_factory=queue.Queue)
    thread: threading.Thread | None = None
    owed: set[str] = field(default_factory=set)
    """Scenarios that ended there, and whose evidence has not come."""
    lost: str = ""
    """Why it is lost, once it is."""

    def has_ended(self, scenario: str) -> None:
        """Let evidence of a scenario that ended come."""
        self.owed.add(scenario)
        self.ended.put(scenario)

    @property
    def name(self) -> str:
        """The host's name in the hosts file."""
        return self.host.name

    def python(self, *arguments: str) -> str:
        """Return what runs the checkout's Python there, in the checkout."""
        told = {name: os.environ[name] for name in _LIMITS if name in os.environ}
        told["VPNPROOF_CACHE"] = str(self.host.cache)
        told["VPNPROOF_LABS"] = str(self.host.labs_directory)
        environment = shlex.join([f"{name}={value}" for name, value in told.items()])
        command = shlex.join([".venv/bin/python", *arguments])
        return f"cd {shlex.quote(str(self.checkout))} && exec env {environment} {command}"

    def goods(self, what: str, thing: Cached) -> str:
        """Return what asks for, gives or takes something of the cache there."""
        return self.python("-m", "lab.hosts.sharing.goods", what, thing.kind, thing.key)


class Fleet:
    """The hosts of one run. run: how its directory is called on each."""

    def __init__(self, file: HostsFile, run: str, progress: Progress) -> None:
        self.file = file
        self.run = run
        self.members: dict[str, Member] = {}
        self.missing: dict[str, str] = {}
        """What is wrong with hosts that take no part, in one line each."""
        self.differs: dict[str, list[str]] = {}
        """What of a host's evidence is other at home than there, at the end."""
        self._connections = Connections(file.hosts)
        self._progress = progress
        self._exchange: Exchange | None = None
        self._has_ended = False

    @property
    def settings(self) -> Path:
        """The settings of ssh, for who starts workers."""
        return self._connections.settings

    @property
    def left(self) -> list[Member]:
        """The hosts that are not lost."""
        return [one for one in self.members.values() if not one.lost]

    def gather(
        self,
        root: Path,
        lab_mib: int,
        setup: Sequence[str],
        *,
        consent: bool,
        without_missing: bool,
    ) -> None:
        """Look at every host, and bring there what it lacks.

        HostsError has a line for each thing that is wrong, and nothing has started then; with
        `without_missing` the others go on, if there are any.
        """
        with self._progress.task(f"looking at {len(self._connections.each)} hosts"):
            fit, wrong = look(self._connections.each, lab_mib)
        self._need(wrong, without_missing, some=bool(fit))
        checkout = Checkout.at(root)

        def bring(connection: Connection) -> Lines:
            name = connection.host.name
            with self._progress.task(f"{name}: bringing the checkout"):
                checkout.bring(connection, shlex.quote(fit[name].executable))
                consented(connection, checkout, setup, consent=consent)
            return []

        def set_up(connection: Connection) -> Lines:
            name = connection.host.name
            with self._progress.task(f"{name}: getting ready"):
                make_ready(connection, checkout, setup)
                if not (fit[name].qemu and fit[name].libvirt):
                    again = ask(connection)  # it has them now, and its labs run by them
                    if isinstance(again, list):
                        return again
                    fit[name] = again
            return [*too_old(connection.host, fit[name])]

        for act in (bring, set_up):  # nothing is set up before every host may be
            each = {name: self._connections.each[name] for name in fit}
            unready = {name: lines for name, lines in side_by_side(each, act).items() if lines}
            self._need(unready, without_missing, some=len(unready) < len(fit))
            for name in unready:
                del fit[name]
        for name, found in fit.items():
            connection = self._connections.each[name]
            there = checkout.on(connection)
            self.members[name] = Member(connection.host, connection, found, there)

    def _need(self, wrong: dict[str, Lines], without_missing: bool, *, some: bool) -> None:
        if not wrong:
            return
        lines = [line for each in wrong.values() for line in each]
        if not without_missing or not some:
            hint = "nothing was started; --allow-missing-hosts goes on with the others"
            raise HostsError("\n".join(lines), hint=hint if some else "nothing was started")
        for name, each in wrong.items():
            self.missing[name] = "; ".join(each)
            self._progress.say(f"without {self.missing[name]}")

    def wishes(self, one: Member) -> PurePosixPath:
        """Return the directory in which workers on a host say what they are about to make."""
        return one.host.tether(self.run) / "wishes"

    def start(
        self, part: Callable[[str], Path], arrived: Arrival, brought: Brought = lambda *_: None
    ) -> None:
        """Hold a line to each host, and take what it records; `part`: where that comes, by host."""
        self._brought = brought
        self._exchange = exchange = Exchange(
            self.members, self._has, self._bring, self._answer, self._progress.say
        )
        for one in self.members.values():
            listen = one.python("-m", "lab.hosts.sharing.wishes", str(self.wishes(one)))
            one.mail = Mail(one.connection, listen, exchange)
            tether, run = str(one.host.tether(self.run)), str(one.host.run(self.run))
            one.line = Line(one.connection, one.python("-m", "lab.hosts.tether", tether), self.lose)
            sender = one.python("-m", "lab.hosts.sending", run)
            one.coming = Coming(one.connection, sender, part(one.name))
            one.thread = threading.Thread(
                target=self._take, args=(one, one.coming, arrived), daemon=True
            )
            one.thread.start()

    def let_come(self, name: str, within_s: float = 60.0) -> None:
        """Wait until evidence of all that has ended on a host has come, before it is given up."""
        one, until = self.members[name], time.monotonic() + within_s
        while one.owed and not one.lost and time.monotonic() < until:
            pause(0.1)

    def lose(self, name: str, why: str) -> None:
        """Give a host up: what runs there is cut off, and ends by itself."""
        one = self.members[name]
        if not one.lost:
            one.lost = why
            if one.line is not None:
                one.line.cut()
            one.connection.close()
            if self._exchange is not None:
                self._exchange.lost(name)

    def _has(self, host: str, thing: Cached) -> bool:
        one = self.members[host]
        return one.connection.run(one.goods("has", thing), within_s=600).status == 0

    def _bring(self, thing: Cached, giver: str, taker: str) -> None:
        of, to = self.members[giver], self.members[taker]
        with self._progress.task(f"{thing} goes from {giver} to {taker}"):
            octets = relay(
                of.connection,
                of.goods("give", thing),
                to.connection,
                to.goods("take", thing),
                _STANDS_STILL_S,
            )
        try:
            self._brought(str(thing), giver, taker, octets)
        except EvidenceError as error:  # it is there all the same
            self._progress.say(f"that {thing} came to {taker} cannot be recorded: {error}")

    def _answer(self, wish: Wish, what: str) -> None:
        if (mail := self.members[wish.host].mail) is not None:
            mail.answer(wish.name, what)

    def answers(self, name: str) -> bool:
        """Whether a host is there still; one that is not is lost from now on."""
        one = self.members[name]
        if one.lost or one.line is None:
            return False
        if one.line.stands():
            try:
                if one.connection.run("true", within_s=15).status == 0:
                    return not one.lost
            except LabError as error:
                self.lose(name, error.message)
                return False
        self.lose(name, "its tether is gone")
        return False

    def _take(self, one: Member, coming: Coming, arrived: Arrival) -> None:
        """Bring home what there is when a scenario has ended, until there is no more to come."""
        while (ended := one.ended.get()) is not None:
            if one.lost:
                continue
            try:
                arrived(one.name, ended, coming.bring())
                one.owed.discard(ended)
            except LabError as error:
                with suppress(EvidenceError):
                    arrived(one.name, "", coming.came)
                self.lose(one.name, error.message)
            except EvidenceError as error:  # what is wrong with it is told again at the end
                self._progress.say(f"{one.name}: what came home cannot be judged: {error}")
            except Exception as error:  # noqa: BLE001 - of files, of what a host says
                self.lose(one.name, f"its evidence cannot be taken: {error!r}")

    def finish(
        self, part: Callable[[str], Path], arrived: Arrival, *, compared: bool = True
    ) -> None:
        """Take the rest, when nothing runs any more, and compare all of it with what hosts have.

        compared: False when the run was interrupted: then what comes at once is taken, and no more.
        """
        for one in self.members.values():
            one.ended.put("")
            one.ended.put(None)
        until = time.monotonic() + (_COMES_WITHIN_S if compared else _COMES_AT_ONCE_S)
        for one in self.members.values():
            if one.thread is not None:
                one.thread.join(max(0.0, until - time.monotonic()))
                if one.thread.is_alive():
                    self.lose(one.name, "its evidence did not come in time")
        for one in self.left if compared else ():
            run = str(one.host.run(self.run))
            try:
                said = one.connection.need(one.python("-c", _MANIFEST_PROGRAM, run), within_s=600)
                wrong = wrong_with(part(one.name), _MANIFEST.validate_json(said))
            except (LabError, ValueError) as error:
                wrong = [f"what the host has cannot be compared: {error}"]
            if wrong:
                self.differs[one.name] = wrong
                arrived(one.name, "", Arrived({}, tuple(wrong)))
            else:  # home has them, and keeps only those that checks need
                with suppress(LabError):
                    one.connection.run(f"rm -f -- {shlex.quote(f'{run}/{SECRETS}')}")

    def cut(self) -> None:
        """Let all that runs on any host end now."""
        for one in self.members.values():
            if one.line is not None:
                one.line.cut()

    def wait(self, within_s: float) -> None:
        """Wait until all has ended that was cut."""
        until = time.monotonic() + within_s
        for one in self.members.values():
            if one.line is not None:
                one.line.wait(max(0.0, until - time.monotonic()))

    def end(self, within_s: float = 10.0) -> None:
        """End what runs on every host, and the connections; safe to call twice.

        The connections go first: a thread that reads from one still gets its end by that, and to
        close the pipe that it reads would wait for it.
        """
        if self._has_ended:
            return
        self._has_ended = True
        self.cut()
        self.wait(within_s)
        self._connections.close()
        for one in self.members.values():
            one.ended.put(None)
            if one.thread is not None:
                one.thread.join(5)
                if one.coming is not None and not one.thread.is_alive():
                    one.coming.close()
            for each in (one.line, one.mail):
                if each is not None:
                    each.close()
