"""A run of real scenarios, its processes, and killing some of them. Judges nothing."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab.guardian.belonging import name_in
from lab.wait import until
from scenarios.run import COMMAND_OF_RUN, EVIDENCE_OF_RUN, TERMINAL_OF_RUN

PROJECT = Path(__file__).parents[2]
SCENARIOS = (
    "scenarios/multi_node/test_controller.py",
    "scenarios/failover/test_setup.py::test_root_reaches_root_in_both_directions",
)
"""Short ones of both guides: what is killed are labs of five machines, and of a pair."""

_PLACES = Path("/var/tmp"), "vpk"  # noqa: S108 - mkdtemp; short, for the sake of sockets
_ENDS_WITHIN = 120.0  # after Ctrl-C; a command in a machine may have to be waited for
_BROKEN_FOR = 10.0  # seconds for a run that lost something to notice it by itself
_COMES_UP_WITHIN = 120.0


@dataclass(frozen=True)
class Victim:
    """A process of a run: what it is, and its id."""

    kind: str
    pid: int

    def __str__(self) -> str:
        return f"{self.kind} {self.pid}"


class Run:
    """One `pytest scenarios/...` with labs in a directory of their own; it owns its lab."""

    def __init__(self, process: subprocess.Popen[bytes], place: Path) -> None:
        self.process = process
        self.place = place

    def wait_for(self, kinds: Collection[str]) -> None:
        """Return when there is a process of each of these kinds, or the run has ended."""

        def there() -> bool:
            return {one.kind for one in self.processes()} >= set(kinds)

        until(
            lambda: there() or self.process.poll() is not None,
            _COMES_UP_WITHIN,
            f"the run's {' and '.join(kinds)}",
            every=0.05,
        )

    def wait_for_a_lab(self) -> None:
        """Return when the run has begun to make a lab, or has ended."""
        until(self._has_begun, _COMES_UP_WITHIN, "the run to make a lab", every=0.005)

    def _has_begun(self) -> bool:
        return any(self.place.glob("*-????")) or self.process.poll() is not None

    def ended_within(self, seconds: float) -> bool:
        """Wait for the run's own end; whether it came."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None

    def processes(self) -> list[Victim]:
        """Return what runs of it now: its owner, and what belongs to its labs."""
        found = [Victim("owner", self.process.pid)] if self.process.poll() is None else []
        labs = [path.resolve() for path in self.place.glob("*-????")]
        for pid in _pids():
            for lab in labs:
                if name := name_in(pid, lab):
                    found.append(Victim(_kind(name), pid))
        return found

    def kill_some(self, chance: random.Random) -> list[Victim]:
        """Kill one or two processes of different kinds at once; return them."""
        kinds = sorted({one.kind for one in self.processes()})
        return self.kill(chance.sample(kinds, min(len(kinds), chance.choice((1, 2)))), chance)

    def kill(self, kinds: Collection[str], chance: random.Random) -> list[Victim]:
        """Kill a process of each of some kinds at once; return those that there were."""
        running = self.processes()
        by_kind = {kind: [one for one in running if one.kind == kind] for kind in kinds}
        victims = [chance.choice(found) for found in by_kind.values() if found]
        held = []
        for one in victims:
            with suppress(ProcessLookupError):
                held.append((one, os.pidfd_open(one.pid)))
        here = set(self.processes())
        killed = []
        for one, pidfd in held:
            with suppress(ProcessLookupError):
                if one in here:  # or it ended meanwhile, and its pid may be anybody's
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                    killed.append(one)
        for _, pidfd in held:
            os.close(pidfd)
        return killed

    def come_to_an_end(self) -> bool:
        """Wait until the run has ended: by itself, or by Ctrl-C; whether it did."""
        if not self.ended_within(_BROKEN_FOR):
            self.process.send_signal(signal.SIGINT)
        return self.ended_within(_ENDS_WITHIN)

    def left(self) -> list[str]:
        """Return every process but the owner that has to do with the labs in any way."""
        needle = os.fsencode(self.place)
        return [
            f"{pid}: {told}"
            for pid in _pids()
            if pid != self.process.pid and (told := _mentions(pid, needle))
        ]

    def nothing_left_within(self, seconds: float) -> float | None:
        """Return how long it took until nothing was left, None when something still is."""
        began = time.monotonic()
        while self.left():
            if time.monotonic() - began > seconds:
                return None
            select.select([], [], [], 0.05)
        return time.monotonic() - began


@contextmanager
def place_of_labs() -> Iterator[Path]:
    """Give the labs of runs that are to be killed a directory while the block runs."""
    directory, prefix = _PLACES
    with tempfile.TemporaryDirectory(prefix=prefix, dir=directory) as name:
        yield Path(name)


def processes_of_runs() -> set[int]:
    """Return what has to do with any lab in such a directory, whoever is killing it right now."""
    directory, prefix = _PLACES
    needle = os.fsencode(directory / prefix)
    return {pid for pid in _pids() if _mentions(pid, needle)}


@contextmanager
def running(
    scenarios: str, place: Path, evidence: Path, log: Path, *, image: str = "debian-12"
) -> Iterator[Run]:
    """Start a run of some scenarios with its labs in `place`; when the block ends, so does it."""
    command = [sys.executable, "-m", "pytest", scenarios, "--lab=local", f"--image={image}"]
    command += ["-n", "0", "-p", "no:cacheprovider", f"--evidence={evidence}"]
    mine = ("PYTEST_", COMMAND_OF_RUN, EVIDENCE_OF_RUN, TERMINAL_OF_RUN)
    environment = {name: it for name, it in os.environ.items() if not name.startswith(mine)}
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment | {"VPNPROOF_LABS": str(place)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            yield Run(process, place)
        finally:
            process.kill()


def _kind(name: str) -> str:
    return name if name in ("wire", "guardian") else "QEMU" if "qemu-" in name else "libvirt"


def _pids() -> list[int]:
    own = os.getpid()
    found = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in map(int, found) if pid != own]


def _mentions(pid: int, needle: bytes) -> str:
    """Return what process `pid` is if anything about it names a directory; "" for zombies."""
    about = Path("/proc", str(pid))
    try:
        if (about / "stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X"):
            return ""
        told = (about / "cmdline").read_bytes()
        if needle in b"\0".join((told, (about / "environ").read_bytes(), *_open_files(about))):
            return told.replace(b"\0", b" ").decode(errors="replace")[:200]
    except OSError:
        pass
    return ""


def _open_files(about: Path) -> Iterator[bytes]:
    """Yield what a process has open, but for what it closes meanwhile: that hides nothing else."""
    for descriptor in (about / "fd").iterdir():
        with suppress(FileNotFoundError):
            yield os.fsencode(descriptor.readlink())
