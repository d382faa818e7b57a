"""What a lab must leave alone on the machine it runs on, so that before can be held against after.

`Host.now` asks the system's own tools and changes nothing. What every machine changes by itself
from one minute to the next is left out, with the reason beside it. It cannot tell who changed a
thing: whatever else works on the machine meanwhile is seen, too.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from scenarios.harness import network
from scenarios.harness.network import Facts

_NOT_OURS = re.compile(
    "|".join(
        (
            "/run/log(/|$)",  # the journal is written all the time
            "/run/systemd(/|$)",  # its notes on units (compared by themselves), logins and timers
            "/run/udev(/|$)",  # events of devices
            "/run/user(/|$)",  # sockets of everybody's sessions
            "/run/utmp$",  # logins
        )
    )
)
_COMES_AND_GOES = re.compile("(session-|user@|user-runtime-dir@)")  # units: somebody logs in or out

Pids = Callable[[], Collection[int]]
"""Says which processes are meant, at the moment it is asked."""


@dataclass(frozen=True)
class Host:
    """What was so on this machine at one time, by kind: interface, route, file and so on."""

    facts: Mapping[str, Facts]

    @classmethod
    def now(cls, files: Iterable[Path] = (), *, but: Pids = tuple) -> Host:
        """Look at the machine, and at all that lies in the directories `files`.

        The processes that `but` names are no system services, whatever they look like.
        """
        return cls(
            {
                "interface": network.interfaces(),
                "address": network.addresses(),
                "route": network.routes(),
                "routing rule": network.routing_rules(),
                "firewall rule": network.firewall(),
                "kernel setting": network.settings(),
                "socket": network.sockets(),
                "system service": _services(but),
                "file": _files(files),
            }
        )

    def changes_until(self, later: Host, *, but: Collection[str] = ()) -> list[str]:
        """Return a line for each fact that is not `later` as it was; `but` are kinds left out."""
        return list(self.changed_until(later, but=but).values())

    def changed_until(self, later: Host, *, but: Collection[str] = ()) -> dict[str, str]:
        """Return the same, by what it is about."""
        return {
            thing: line
            for kind in self.facts
            if kind not in but
            for thing, line in _changes(kind, self.facts[kind], later.facts[kind])
        }


def _changes(kind: str, before: Facts, after: Facts) -> Iterator[tuple[str, str]]:
    for name in sorted(before.keys() | after.keys()):
        thing, was, is_now = f"{kind} {name}", before.get(name), after.get(name)
        if was is None:
            yield thing, f"{thing}: new ({is_now})"
        elif is_now is None:
            yield thing, f"{thing}: gone ({was})"
        elif was != is_now:
            yield thing, f"{thing}: was {was}, is {is_now}"


def _services(but: Pids) -> Facts:
    return _units() if Path("/run/systemd/system").is_dir() else daemons(but)


def _units() -> Facts:
    """Return what systemd has: unit files, and whether they are on; services that run."""
    listed = _systemctl("list-unit-files", "--no-legend", "--plain")
    files = {f"file {name}": state for name, state, *_ in map(str.split, listed)}
    # What a timer starts runs for a moment, whenever its time has come.
    timed = set(_systemctl("show", "--property=Unit", "--value", "*.timer"))
    running = _systemctl(
        "list-units", "--type=service,socket,mount", "--state=active", "--no-legend", "--plain"
    )
    names = {line.split()[0] for line in running} - timed
    return files | {name: "active" for name in names if not _COMES_AND_GOES.match(name)}


def _systemctl(*words: str) -> list[str]:
    command = ["systemctl", *words]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in said.splitlines() if line.strip()]


def daemons(but: Pids) -> Facts:
    """Return the names of processes that live as daemons do.

    That is: by themselves, without a terminal, in the root directory.
    """
    alike, left_out = {}, set(but())
    for process in psutil.process_iter(["name", "ppid", "terminal", "cwd"]):
        told = process.info
        if (told["ppid"], told["terminal"], told["cwd"]) == (1, None, "/"):
            alike[process.pid] = told["name"]
    left_out |= set(but())  # what ended meanwhile is known from before, what began from now
    return {name: "" for pid, name in alike.items() if pid not in left_out}


def _files(directories: Iterable[Path]) -> Facts:
    """Return each file's mode, owner, size, and the time of its last change (which nobody sets)."""
    facts = {}
    for path in (each for top in directories for each in _walk(top)):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        facts[str(path)] = f"mode {found.st_mode:o}, owner {found.st_uid}:{found.st_gid}"
        if not path.is_dir():  # a directory changes with what lies in it, which is here itself
            facts[str(path)] += f", {found.st_size} bytes, changed at {found.st_ctime_ns} ns"
    return facts


def _walk(top: Path) -> Iterator[Path]:
    if top.exists() and not _NOT_OURS.match(str(top)):
        yield top
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if not _NOT_OURS.match(f"{folder}/{name}")]
        for name in (*folders, *names):
            if not _NOT_OURS.match(f"{folder}/{name}"):
                yield Path(folder, name)
