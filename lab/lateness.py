"""How late a lab's processes were: its machines, its wire, and the process that watches both.

    with LatenessWatch(lambda: processes(lab)) as watch:
        ...
        for late in watch.take(): ...

A machine that this host keeps from running is late in all it does, and nothing in it notices. A
thread reads every 200 ms for how long each process was kept from running (`lab.schedstat`). What
is worth mentioning becomes a `Late`; a host that is not busy leaves none. Nothing here judges.

A process that is gone (a machine that is off, or was rewound) is passed over, and its successor is
watched from when it is first seen. A host that cannot tell says so in `not_measured`; a machine
that is on all the same, and cannot be measured, stands in `unmeasured`. Nothing that goes wrong
here is raised into a scenario.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.lab import Lab
from lab.schedstat import PROC, Delays, kept_ns, missing, pressure_ns, run_delays

WIRE, SCENARIO = "wire", "scenario"
"""What a `Late` calls the wire, and the process in which the scenario (and its probe) runs."""

EVERY_S = 0.2
"""Between two readings: short enough to say when, and a hundredth of a processor for two labs."""
LATE_NS = 20_000_000
"""Less in one reading is not mentioned: a thread that wakes up often waits for 0.1 to 4 ms each
time on any host, and no limit is so narrow. A tenth of the time, if it goes on like that."""
LONGEST_NS = 1_000_000_000
"""Readings that were late one after another are told as one, of up to so long."""

Processes = Callable[[], Mapping[str, int]]
"""Says which processes there are now: their ids by what they are called."""
SwitchedOn = Callable[[], Set[str]]
"""Says which machines are on now, whether or not their processes are known."""


@dataclass(frozen=True)
class Late:
    """`of` could run and was kept from it, for `kept_ns` of the time between two moments.

    `from_ns` and `until_ns` are this host's wall clock, which is the wire's. `pressure_ns`: for how
    long of it anybody on this host waited for a processor; None where the kernel does not tell.
    """

    of: str
    from_ns: int
    until_ns: int
    kept_ns: int
    pressure_ns: int | None = None

    def followed_by(self, more: Late) -> Late:
        """Return both as one; `more` begins where this ends, or has begun before."""
        pressed = (self.pressure_ns, more.pressure_ns)
        return replace(
            self,
            from_ns=min(self.from_ns, more.from_ns),
            until_ns=more.until_ns,
            kept_ns=self.kept_ns + more.kept_ns,
            pressure_ns=None if None in pressed else sum(one or 0 for one in pressed),
        )


@dataclass(frozen=True)
class _Reading:
    wall_ns: int
    monotonic_ns: int
    pressure_ns: int | None
    delays: Mapping[tuple[str, int], Delays]
    """By what a process is called, and its id."""


class LatenessWatch:
    """Watches processes from entering the block until leaving it."""

    def __init__(
        self,
        processes: Processes,
        switched_on: SwitchedOn = frozenset,
        *,
        proc: Path = PROC,
        every_s: float = EVERY_S,
    ) -> None:
        self.not_measured = missing(proc)
        """Why nothing is known of lateness here; "" when it is measured."""
        self.unmeasured = ""
        """Which machine was on and could not be measured, while others were; "" for none."""
        self._processes = processes
        self._switched_on = switched_on
        self._proc = proc
        self._every_s = every_s
        self._lock = threading.Lock()
        self._before: _Reading | None = None
        self._open: dict[str, Late] = {}
        self._told: list[Late] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="lateness", daemon=True)

    def __enter__(self) -> Self:
        if not self.not_measured:
            self._look_at_all()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def take(self) -> list[Late]:
        """Look once more, and return what was late since the last call, in order of time."""
        if not self.not_measured:
            self._look_at_all()
        with self._lock:
            told = [*self._told, *self._open.values()]
            self._told, self._open = [], {}
        return sorted(told, key=lambda late: (late.from_ns, late.of))

    def _look_at_all(self) -> None:
        """Look, and see whether all machines that are on before and after that were measured."""
        try:
            before = self._switched_on()
            self._look()
            measured = {name for name, _ in self._before.delays} if self._before else set()
            missed = sorted((before & self._switched_on()) - measured)
        except Exception as error:  # noqa: BLE001 - a scenario does not break because a look failed
            self.unmeasured = f"which machines are on is not known: {error}"
        else:
            if missed:
                self.unmeasured = f"{', '.join(missed)} is on, and how late it was cannot be read"

    def _go_on(self) -> None:
        while not self._over.wait(self._every_s):
            self._look()

    def _look(self) -> None:
        try:
            with self._lock:
                now = self._read()
                found = list(self._between(self._before, now)) if self._before else []
                self._before = now
                for gone in self._open.keys() - {late.of for late in found}:
                    self._told.append(self._open.pop(gone))
                for late in found:
                    self._add(late)
        except Exception as error:  # noqa: BLE001 - a scenario does not break because a look failed
            self.not_measured = f"lateness cannot be read: {error!r}"
            self._over.set()

    def _read(self) -> _Reading:
        found = {}
        for name, pid in self._processes().items():
            if (delays := run_delays(pid, self._proc)) is not None:
                found[name, pid] = delays
        pressure = pressure_ns(self._proc)
        return _Reading(time.time_ns(), time.monotonic_ns(), pressure, found)

    def _between(self, before: _Reading, now: _Reading) -> Iterator[Late]:
        """Yield what became of each process, late or not, between two readings.

        How long it was says the monotonic clock: the other one may be set meanwhile.
        """
        length_ns = now.monotonic_ns - before.monotonic_ns
        pressures = (before.pressure_ns, now.pressure_ns)
        pressed = None if None in pressures else (pressures[1] or 0) - (pressures[0] or 0)
        for (name, pid), delays in now.delays.items():
            earlier = before.delays.get((name, pid))
            if earlier is not None:
                kept = kept_ns(pid, earlier, delays, length_ns)
                from_ns = now.wall_ns - max(length_ns, kept)  # a wait that began before ends here
                yield Late(name, from_ns, now.wall_ns, kept, pressed)

    def _add(self, late: Late) -> None:
        """Tell of what was late, as one with what was just before it."""
        before = self._open.pop(late.of, None)
        if late.kept_ns < LATE_NS:
            if before is not None:
                self._told.append(before)
            return
        if before is not None and late.until_ns - before.from_ns <= LONGEST_NS:
            late = before.followed_by(late)
        elif before is not None:
            self._told.append(before)
        self._open[late.of] = late


def processes(lab: Lab) -> dict[str, int]:
    """Return the processes of `lab` that run now by name: machines that are on, wire, scenario.

    A machine's process is another one after it was switched off and on, or rewound: libvirt's file
    of its id says which.
    """
    found = {WIRE: lab.wire.pid, SCENARIO: os.getpid()}
    folders = _private(lab.directory) if lab.hypervisor.private else _shared()
    for name in lab.machines:
        for folder in folders:
            try:
                found[name] = int((folder / f"{lab.domain_name(name)}.pid").read_text())
            except (OSError, ValueError):  # it is off, or another libvirt's
                continue
    return found


def switched_on(lab: Lab) -> Set[str]:
    """Return the machines of `lab` that are on, in a libvirt where a process may not be found.

    Its own libvirt need not be asked: what has no file of its id there is off.
    """
    if lab.hypervisor.private:
        return frozenset()
    return {name for name in lab.machines if lab.hypervisor.is_on(lab.domain_name(name))}


def _private(directory: Path) -> list[Path]:
    """Return where a lab's own libvirt keeps the ids of its machines' processes."""
    return [directory / "run" / "libvirt" / "qemu" / "run"]


def _shared() -> list[Path]:
    """Return where a user's libvirt, and the system's, keep them."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}"))
    return [runtime / "libvirt" / "qemu" / "run", Path("/run/libvirt/qemu")]
