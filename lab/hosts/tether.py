"""`python -m lab.hosts.tether DIRECTORY`: on a host, the line to home; cut, the run ends there.

Home keeps it talking: each line is answered with this host's time and the MiB that are free. When
home says nothing for a while, or its end is closed, by Ctrl-C, a kill or a cable, the tether lets
go of the lock that it holds. Every worker waits for that lock, and ends when it gets it, and with
the worker its labs. One that does not end in time is killed; then the guardians of its labs do it.
Whoever kills the tether does the same.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.interrupt import ENDS_WITHIN_S, end_this_process
from lab.wait import heard

LOCK, WORKERS = ".tether", ".workers"
SILENT_S = 40.0
"""For so long home may say nothing."""


def hold(run: Path) -> int:
    """Take the run's lock, for as long as this process lives; return its descriptor."""
    (run / WORKERS).mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def bind(run: Path, worker: str, first: Callable[[], object] = lambda: None) -> None:
    """In a worker: end when the tether does; `first` is called before."""
    own = os.open(run / WORKERS / worker, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(own, fcntl.LOCK_EX)
    os.ftruncate(own, 0)
    os.write(own, str(os.getpid()).encode())  # the lock lasts as long as the process
    threading.Thread(target=_end_with, args=(run / LOCK, first), daemon=True).start()


def _end_with(tether: Path, first: Callable[[], object]) -> None:
    lock = os.open(tether, os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.close(lock)
    with suppress(OSError):
        first()
    end_this_process()


def serve(run: Path) -> None:
    """Answer home until it is gone; then see to it that no worker is left."""
    lock = hold(run)
    sys.stdout.buffer.write(b"held\n")
    sys.stdout.buffer.flush()
    while select.select([0], [], [], SILENT_S)[0] and os.read(0, 4096):
        free = shutil.disk_usage(run).free // 2**20
        try:
            os.write(1, f"{time.time_ns()} {free}\n".encode())
        except OSError:
            break
    os.close(lock)
    until = time.monotonic() + ENDS_WITHIN_S + 1
    for path in sorted((run / WORKERS).iterdir()):
        _end(path, until)


def _end(path: Path, until: float) -> None:
    """Wait until a worker has ended, and kill it when it has not in time."""
    own = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        while True:
            try:
                fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    break
                heard(threading.Event(), 0.1)
        os.kill(
            int(os.pread(own, 20, 0)), signal.SIGKILL
        )  # it holds the lock: it is still that one
    except (ValueError, ProcessLookupError):
        return
    finally:
        os.close(own)


def main(arguments: list[str]) -> int:
    """Be the tether of one run."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    serve(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
