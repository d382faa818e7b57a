"""A run: one directory of evidence, and what must be known to repeat it."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from filelock import FileLock

from evidence.errors import BadEvidence
from evidence.events.run import ClockOffset, LabBooted, LabThawed
from evidence.history import History
from evidence.run import RunDirectory
from lab import clock
from lab.checkpoint import stands_on
from lab.lab import Lab
from lab.site import Site
from lab.wire import SEED

EVIDENCE_OF_RUN, TERMINAL_OF_RUN = "VPNPROOF_EVIDENCE_OF_RUN", "VPNPROOF_TERMINAL_OF_RUN"
COMMAND_OF_RUN, REVISION_OF_RUN = "VPNPROOF_COMMAND_OF_RUN", "VPNPROOF_REVISION_OF_RUN"
"""Tell the workers of one run, by the environment, its directory, where it says what it does, its
command line, as a worker has another, and its revision, where a host has no git to ask."""

LATEST = "latest"
_LOCK = ".run.json."  # and what else is beside `run.json` while it is written
_ELSEWHERE = "nothing in it was touched; give --evidence a new directory"
_PACKAGES = ("vpnproof", "pytest", "libvirt-python", "paramiko", "pytest-testinfra", "scapy")


@dataclass(frozen=True)
class Revision:
    """Which state of the project ran."""

    commit: str
    uncommitted_changes: bool

    @classmethod
    def here(cls, root: Path) -> Revision:
        """Return the revision of the checkout at `root`; "unknown" outside of git."""
        if told := os.environ.get(REVISION_OF_RUN):
            return cls(**json.loads(told))
        commit = _git(root, "rev-parse", "HEAD") or "unknown"
        return cls(commit, bool(_git(root, "status", "--porcelain")))


class Run:
    """The evidence directory of one run; made when it is first needed."""

    def __init__(self, directory: Path, root: Path) -> None:
        self.directory = directory
        self.files = RunDirectory(directory)
        self.root = root

    @classmethod
    def fresh_directory(cls, root: Path) -> Path:
        """Return where a run that starts now keeps its evidence by default: a place of its own."""
        return root / "runs" / f"{time.strftime('%Y-%m-%dT%H-%M-%S')}-{os.getpid()}"

    def refuse_a_former_one(self) -> None:
        """Raise BadEvidence when another run has recorded in this directory.

        What is said of a run once (command, revision, image, software, the seal) holds for all that
        was recorded in it.
        """
        if self.files.facts_file.exists() or self.files.history.exists():
            raise BadEvidence(f"{self.directory}: holds a run already", hint=_ELSEWHERE)

    def history(self, scenario: str) -> History:
        """Return the run's history, to be appended to on behalf of `scenario`."""
        return History(self.files.history, scenario)

    def open(self, *, requirements: Iterable[str] = (), **facts: object) -> None:
        """Make the directory with its `run.json` (`facts` beside revision and versions).

        requirements: which ones the scenarios that were collected are to be judged for. To a
        directory that was opened before, by another worker, they are added.
        """
        first = {} if self.files.facts_file.exists() else self._told(facts)
        self._refuse_others()
        self.files.wire.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not self.files.facts_file.exists():
                self._write(first)
                self._point_latest_here()
            told = self.files.facts()
            self._write({**told, "requirements": sorted({*told["requirements"], *requirements})})

    def _told(self, facts: Mapping[str, object]) -> dict[str, object]:
        return {
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "revision": asdict(Revision.here(self.root)),
            "command": os.environ.get(COMMAND_OF_RUN) or command_line(),
            "host": platform.platform(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "packages": {name: version(name) for name in _PACKAGES},
            "seed": SEED,
            "requirements": [],
            **facts,
        }

    def note(self, **facts: object) -> None:
        """Say more in `run.json`, in the place of what it says of the same."""
        with self._alone():
            self._write({**self.files.facts(), **facts})

    def note_lab(self, name: str, lab: Lab | Site) -> None:
        """Say in `run.json` and in the history that a lab began, and what its clock says.

        A lab keeps its own time: what its guests date is so far behind this host's clock.
        """
        with self._alone():
            told = self.files.facts()
            labs = {**told.get("labs", {}), name: {"clock": asdict(lab.clock)}}
            self._write({**told, "labs": labs})
        if not isinstance(lab, Site):  # what is already there was not started
            with self.history("") as history:
                record_start(history, lab, name)

    def _refuse_others(self) -> None:
        """Raise BadEvidence when the directory holds what is no run: files would be replaced."""
        if self.files.facts_file.exists():
            self.files.requirements()
            if "revision" not in self.files.facts():
                raise BadEvidence(f"{self.files.facts_file}: is of no run of ours", hint=_ELSEWHERE)
        elif self.directory.exists():
            ours = (self.files.wire.name, _LOCK)  # of a worker that opens it right now
            found = sorted(path.name for path in self.directory.iterdir())
            if others := [name for name in found if not name.startswith(ours)]:
                raise BadEvidence(
                    f"{self.directory}: is no run's directory, it holds {others[0]!r}",
                    hint=_ELSEWHERE,
                )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other process of the run change `run.json` meanwhile."""
        with FileLock(self.directory / f"{_LOCK}lock"):
            yield

    def _write(self, told: Mapping[str, object]) -> None:
        fresh = self.directory / f"{_LOCK}{os.getpid()}"
        fresh.write_text(json.dumps(told, indent=2) + "\n")
        fresh.replace(self.files.facts_file)

    def _point_latest_here(self) -> None:
        """Let `latest` beside the directory point at it; what is no such link is left alone.

        What is a part of a run has none: `latest` points at that run.
        """
        if RunDirectory(self.directory.parent.parent).facts_file.exists():
            return
        link = self.directory.parent / LATEST
        if os.path.lexists(link) and not _points_at_a_run(link):
            return
        fresh = link.with_name(f".{LATEST}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(self.directory.name)
        fresh.replace(link)


def _points_at_a_run(link: Path) -> bool:
    """Whether `link` is one of ours: to a run beside it, which may have been removed since."""
    if not link.is_symlink() or len((target := link.readlink()).parts) != 1:
        return False
    return RunDirectory(link.parent / target).facts_file.exists() or not link.exists()


def command_line() -> str:
    """Return what this process was started by, as one would type it."""
    return shlex.join(["pytest", *sys.argv[1:]])


def record_start(history: History, lab: Lab, name: str = "") -> None:
    """Record when a lab was thawed (or booted) last; `name` is its evidence's, if it has one.

    What counters say, and who is active, is compared within one generation of a lab's wire only.
    """
    kind = LabThawed if stands_on(lab) else LabBooted
    history.record(
        kind(
            source="lab",
            at_ns=lab.started_ns,
            uncertainty_ns=lab.started_uncertainty_ns,
            lab=name or lab.directory.name,
            generation=lab.wire.counters()["generation"],
            clock=recorded_clock(lab.clock),
        )
    )


def recorded_clock(offset: clock.ClockOffset) -> ClockOffset:
    """Return a clock's offset as events hold it."""
    return ClockOffset(behind_ns=offset.behind_ns, uncertainty_ns=offset.uncertainty_ns)


def terminal_of_run(*, in_worker: bool) -> TextIO:
    """Open what this run speaks on: in a worker that of the process which started the workers.

    A file is left to that process: two that open it write over each other.
    """
    with contextlib.suppress(KeyError, OSError):  # some standard outputs cannot be opened again
        path = Path(os.environ[TERMINAL_OF_RUN])
        if in_worker and not path.is_file():
            return path.open("a", buffering=1)
    return os.fdopen(os.dup(1), "w", buffering=1)


def forget_run() -> None:
    """Let what runs in this process later be another run."""
    for name in (EVIDENCE_OF_RUN, TERMINAL_OF_RUN, COMMAND_OF_RUN, REVISION_OF_RUN):
        os.environ.pop(name, None)


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
