"""What Linux says of how long processes were kept from running: `/proc/PID/task/TID/schedstat`.

A thread that could run and had no processor waits; the kernel adds that up, in nanoseconds, from
the thread's beginning. A wait is added when it ends, as the thread gets its processor. So a reading
may come late and loses nothing but the moment. A thread that sleeps, is stopped or waits for a lock
does not wait for a processor: a guest with nothing to do, or a paused one, is kept from nothing.

What is not counted: that a processor is slower (shared with another thread of its core, or stolen
by a hypervisor below this host), and that a guest's own scheduler keeps its programs waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PROC = Path("/proc")

Delays = Mapping[int, int]
"""By thread: for how many ns it was kept from running since it began."""


def missing(proc: Path = PROC) -> str:
    """Return why run delays cannot be read on this host; "" when they can."""
    try:
        turns = (proc / "self" / "schedstat").read_text().split()[2]
    except (OSError, IndexError):
        return "this kernel tells no run delays: there is no /proc/self/schedstat"
    if turns == "0":  # who reads this has had a turn
        return "this kernel counts no run delays: /proc/self/schedstat holds zeros only"
    return ""


def run_delays(pid: int, proc: Path = PROC) -> Delays | None:
    """Return the run delay of each thread of process `pid`; None when it is gone."""
    found = {}
    try:
        for thread in (proc / str(pid) / "task").iterdir():
            try:
                found[int(thread.name)] = int((thread / "schedstat").read_text().split()[1])
            except (OSError, IndexError):  # this thread has ended
                continue
    except OSError:
        return None
    return found or None


def kept_ns(pid: int, before: Delays, now: Delays, within_ns: int) -> int:
    """Return for how long process `pid` was kept from running between two readings.

    What a machine does for the wire passes its main thread (timers, NICs) and one of its processors
    at a time: that is the delay of the main thread and the largest of the others. To add up all
    threads would count the same instant many times. It is more than the time between the readings
    only where a single thread's wait had begun before.
    """
    grown = {thread: delay - before.get(thread, 0) for thread, delay in now.items()}
    main = max(0, grown.pop(pid, 0))
    other = max(0, 0, *grown.values())
    return min(max(within_ns, main, other), main + other)


def pressure_ns(proc: Path = PROC) -> int | None:
    """Return for how long some task of this host has waited for a processor (PSI), if it is told.

    Since the host started; None on a kernel that does not tell.
    """
    try:
        some = (proc / "pressure" / "cpu").read_text().partition("\n")[0]
        return int(some.rpartition("total=")[2]) * 1000
    except (OSError, ValueError):
        return None
