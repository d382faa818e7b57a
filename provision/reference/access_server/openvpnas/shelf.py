"""A directory of snapshots, of which one is in force: the one that the link `complete` names.

What is put on a shelf comes to be in force by steps of which each is on the disk before the next
begins: all of its files, then its name, then the link. Only after that do the ones before it go.
So whatever ends the machine, at any moment, leaves the old one or the new one in force, whole.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from openvpnas.whole_file import sync, sync_tree


@dataclass(frozen=True)
class Shelf:
    """The snapshots in one directory."""

    directory: Path

    @property
    def complete(self) -> Path:
        """The snapshot in force, if there is one."""
        return self.directory / "complete"

    def put(self, draft: Path, name: str) -> None:
        """Have `draft`, a directory on the same disk, in force instead of the one before."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self.directory / f"snapshot-{name}"
        while place.exists():  # the same once more: the first may be the one in force
            place = place.with_name(f"{place.name}+")
        sync_tree(draft)
        draft.rename(place)
        sync(self.directory)
        link = self.directory / "complete.new"
        link.unlink(missing_ok=True)
        link.symlink_to(place.name)
        link.replace(self.complete)
        sync(self.directory)
        for older in self.directory.glob("snapshot-*"):
            if older != place:
                shutil.rmtree(older, ignore_errors=True)

    def clear(self) -> None:
        """Have none in force."""
        self.complete.unlink(missing_ok=True)
        if self.directory.is_dir():
            sync(self.directory)
