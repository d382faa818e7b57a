"""The parts of a run: where evidence of its scenarios lies, a part for each host that wrote some.

A run of one machine is one part: its own directory. A run over hosts has, besides, a part a host in
`hosts/NAME/`: a whole directory as one machine's run writes it, with a history of its own, whose
chain and clock are that host's. Nothing here compares the times of two parts, or puts their lines
in one order. A file of a part is named by the part: `hosts/NAME/history.jsonl:12`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.errors import Absent, BadEvidence
from evidence.events.hosts import PartsJudged
from evidence.history import read_history
from evidence.recording import Damage, Recording
from evidence.run import RunDirectory

HOSTS = "hosts"
MOST_PARTS = 1000


def prefix_of(host: str) -> str:
    """Return what the name of each file of a host's part begins with, seen from the run."""
    return f"{HOSTS}/{host}/" if host else ""


@dataclass(frozen=True)
class Part:
    """One part of a run: its host ("" for the run's own directory), and where it lies."""

    host: str
    directory: Path

    @property
    def prefix(self) -> str:
        """What the name of each of its files begins with, relative to the run's directory."""
        return prefix_of(self.host)

    @property
    def files(self) -> RunDirectory:
        """Where each piece of it lies."""
        return RunDirectory(self.directory)

    def place(self, path: Path) -> str:
        """Return a path of the part as verdicts name it: relative to the run's directory."""
        return self.prefix + self.files.place(path)

    def read(self) -> Recording:
        """Read its history: empty where no scenario began there; one that cannot be read is damage.

        A host that gave up is no reason to read nothing of the others.
        """
        try:
            return read_history(self.files.history, self.prefix)
        except Absent:
            return Recording((), (), self.prefix)
        except BadEvidence as error:
            return Recording((), [Damage(1, error.message, self.prefix)], self.prefix)


def parts_of(directory: Path) -> tuple[Part, ...]:
    """Return the parts of a run, its own directory first; that is all of a run on one machine.

    Raises BadEvidence for a part that is a link, and for more parts than any run has.
    """
    hosts = directory / HOSTS
    found = [Part("", directory)]
    if not hosts.is_dir():
        return tuple(found)
    for entry in sorted(os.scandir(hosts), key=lambda one: one.name):
        if entry.is_symlink():
            raise BadEvidence(f"{entry.path}: is a link, and evidence of a host is a directory")
        if entry.is_dir() and not entry.name.startswith("."):
            found.append(Part(entry.name, Path(entry.path)))
    if len(found) > MOST_PARTS:
        raise BadEvidence(f"{hosts}: {len(found)} hosts, and no run has more than {MOST_PARTS}")
    return tuple(found)


@dataclass(frozen=True)
class Histories:
    """The histories of a run: its own, and that of each part, by prefix; never one of all."""

    parts: Mapping[str, Part]
    recordings: Mapping[str, Recording]

    @property
    def own(self) -> Recording:
        """The history of the run's own directory."""
        return self.recordings[""]

    @property
    def over_hosts(self) -> bool:
        """Whether the run has parts of hosts."""
        return len(self.parts) > 1

    def __iter__(self) -> Iterator[tuple[Part, Recording]]:
        """Yield each part with its history, the run's own first."""
        return ((part, self.recordings[prefix]) for prefix, part in self.parts.items())

    def before(self, line: int) -> Histories:
        """Return what there was before a line of the run's own history.

        How far each host's history went by then, the run's own history says.
        """
        own = self.own.between(1, line - 1)
        said = own.of(PartsJudged)
        lines = said[-1].lines if said else {}
        cut = {
            prefix: recording.between(1, lines.get(self.parts[prefix].host, 0))
            for prefix, recording in self.recordings.items()
        }
        return Histories(self.parts, {**cut, "": own})


def read_histories(directory: Path) -> Histories:
    """Read every history of a run; raises as `read_history` for its own, and as `parts_of`."""
    parts = parts_of(directory)
    read = {"": read_history(RunDirectory(directory).history)}
    read |= {part.prefix: part.read() for part in parts if part.host}
    return Histories({part.prefix: part for part in parts}, read)
