"""Where checkpoints lie: one directory each, complete or not there, bounded in size.

A checkpoint's disks lie on those of its parents, so a parent is never removed before its
children, and nothing that a running lab lies on is removed at all. One process makes a checkpoint
at a time: what is half-made when nobody makes one was left by a process that died. Nothing here
knows how a machine is frozen.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lab.cache import cache_root, gib_of
from lab.checkpoint.manifest import FORMAT, Checkpoint, Manifest, size_of
from lab.checkpoint.place import CHANGING, DAMAGED, GONE, KEY, MAKING, UNFINISHED, claim
from lab.checkpoint.standing import labs_on
from lab.errors import LabError
from lab.image.manifest import not_ours
from lab.quiet import busy

DEFAULT_LIMIT_GIB = 20.0
#: What is left free on the disk whatever the limit says, in GiB.
SPARE_GIB = 2.0
_LIMIT = "VPNPROOF_CHECKPOINTS_GIB"
_CHECKPOINTS = "checkpoints"


class CheckpointDamaged(LabError):
    """A checkpoint that must not be thawed; it has been set aside."""


class NoRoom(LabError):
    """A checkpoint does not fit within the limits; nothing was removed for it."""


def key_of(ingredients: Mapping[str, Any]) -> str:
    """Return the content key of everything that shapes a checkpoint."""
    text = json.dumps({"format": FORMAT, **ingredients}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class _Held:
    """A directory that takes room in the store, readable or not."""

    path: Path
    size: int
    used: float
    readable: bool
    parents: tuple[str, ...] = ()


class Store:
    """The checkpoints of this user, within `limit_gib` (VPNPROOF_CHECKPOINTS_GIB, or 20)."""

    def __init__(self, directory: Path | None = None, *, limit_gib: float | None = None) -> None:
        self.directory = directory or cache_root() / _CHECKPOINTS
        self.limit_gib = gib_of(_LIMIT, DEFAULT_LIMIT_GIB) if limit_gib is None else limit_gib
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            claim(self.directory)
        except OSError as error:
            raise LabError(
                f"{self.directory} cannot be made: {error.strerror}",
                hint="set VPNPROOF_CACHE to a directory that you can write to",
            ) from error
        if wrong := not_ours(self.directory.resolve()):
            raise LabError(
                f"the checkpoints cannot be trusted: {wrong}",
                hint="chmod go-w, if it is yours; or set VPNPROOF_CACHE to a directory of your own",
            )
        self._changing = FileLock(self.directory / CHANGING)
        self._making = FileLock(self.directory / MAKING)

    def __iter__(self) -> Iterator[Checkpoint]:
        """Yield the checkpoints that can be read; whether they are sound, `find` tells."""
        for path in self._directories():
            with contextlib.suppress(LabError):
                yield Checkpoint.read(path)

    @property
    def unreadable(self) -> list[Path]:
        """What lies here and is of no use: set aside, or of another version of vpnproof."""
        return [held.path for held in self._held() if not held.readable]

    def find(self, key: str) -> Checkpoint | None:
        """Return the checkpoint of `key`, checked file by file, and its parents too.

        None when there is none. One that is damaged or cut short is set aside and raises
        CheckpointDamaged, which says what is wrong with it. To read gibibytes is to be `busy`:
        it waits for that before it holds the store, so that nobody who is busy waits for it.
        """
        with busy() if self._is_to_be_read(key) else contextlib.nullcontext(), self._changing:
            return self._checked(key)

    def _is_to_be_read(self, key: str) -> bool:
        """Whether the content of a checkpoint, or of one below it, decides if it is sound."""
        if not KEY.fullmatch(key):
            return False
        try:
            checkpoint = Checkpoint.read(self.directory / key)
        except LabError:
            return False
        below = checkpoint.manifest.parents
        return not checkpoint.seen_sound or any(self._is_to_be_read(parent) for parent in below)

    def _checked(self, key: str) -> Checkpoint | None:
        path = self.directory / key
        if not KEY.fullmatch(key) or not path.is_dir():
            return None
        try:
            checkpoint = Checkpoint.read(path)
            checkpoint.check()
            for parent in checkpoint.manifest.parents:
                if self._checked(parent) is None:
                    raise LabError(f"{parent[:12]}, which it stands on, is gone")
        except CheckpointDamaged as error:
            self._discard(path)  # sound, but of no use: its parent is kept for a look
            message = f"checkpoint {key[:12]} stands on another: {error.message}"
            raise CheckpointDamaged(message, hint=error.hint) from error
        except LabError as error:
            raise self.set_aside(key, error.message) from error
        checkpoint.touch()
        return checkpoint

    def set_aside(self, key: str, why: str) -> CheckpointDamaged:
        """Move a checkpoint out of the way, keeping one such for a look; return the error."""
        aside = self.directory / DAMAGED
        with self._changing:
            self._discard(aside)
            with contextlib.suppress(FileNotFoundError):
                (self.directory / key).rename(aside)
        return CheckpointDamaged(
            f"checkpoint {key[:12]} cannot be trusted: {why}",
            hint=f"it was moved to {aside}; the lab is built anew",
        )

    @contextlib.contextmanager
    def making(self, key: str, room: int = 0) -> Iterator[Path | None]:
        """Give a directory to fill, with `room` bytes for it; `complete` makes it a checkpoint.

        Waits while another process makes one; None when that was the one of `key`. NoRoom, and
        nothing is removed, when it would not fit. Whatever is not completed is removed.
        """
        with self._making:
            self._sweep()
            if (self.directory / key).is_dir():
                yield None
                return
            self._make_room(room)
            fresh = self._begin()
            try:
                yield fresh
            finally:
                shutil.rmtree(fresh, ignore_errors=True)

    def complete(self, fresh: Path, manifest: Manifest) -> Checkpoint:
        """Turn a filled directory into the checkpoint of `manifest` and return it."""
        sealed = Checkpoint.seal(fresh, manifest)
        final = self.directory / manifest.key
        fresh.rename(final)
        return Checkpoint(final, sealed.manifest)

    def remove_abandoned(self) -> list[str]:
        """Remove what processes that died were making; return its names."""
        try:
            with self._making.acquire(timeout=0):
                return self._sweep()
        except Timeout:
            return []

    def remove(self, key: str) -> str:
        """Remove the checkpoint whose key begins with `key`, and return its whole name.

        LabError when there is none, or several, or a lab or another checkpoint stands on it.
        """
        with self._changing:
            held = self._held()
            found = [one.path for one in held if one.path.name.lstrip(".").startswith(key)]
            if not key or len(found) != 1:
                known = ", ".join(one.path.name[:12] for one in held) or "none"
                several = f"{len(found)} checkpoints begin with {key!r}"
                message = several if found else f"there is no checkpoint {key!r}"
                raise LabError(message, hint=f"there are: {known}")
            if users := self.users(found[0].name):
                raise LabError(
                    f"checkpoint {found[0].name[:12]} is in use by {', '.join(users)}",
                    hint="end those first: `python -m lab down`, `python -m lab checkpoints`",
                )
            self._discard(found[0])
            return found[0].name

    def remove_all(self) -> list[str]:
        """Remove every checkpoint that no running lab stands on; return the names."""
        with self._changing:
            held, removed = self._held(), []
            while removable := _removable(held, labs_on(self.directory)):
                self._discard(removable[0].path)
                removed.append(removable[0].path.name)
                held.remove(removable[0])
            return removed

    def users(self, key: str) -> list[str]:
        """Return what stands on a checkpoint: names of labs, then keys of checkpoints."""
        children = [one.key[:12] for one in self if key in one.manifest.parents]
        return [*labs_on(self.directory).get(key, ()), *children]

    def _begin(self) -> Path:
        try:
            fresh = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.directory))
            for name in ("memory", "disks", "attached"):
                (fresh / name).mkdir()
        except OSError as error:
            raise NoRoom(f"nothing can be written to {self.directory}: {error.strerror}") from error
        return fresh

    def _make_room(self, needed: int) -> None:
        """Remove what was used longest ago until `needed` bytes more fit within the limits."""
        with self._changing:
            for path in self._doomed(needed):
                self._discard(path)

    def _doomed(self, needed: int) -> list[Path]:
        held, doomed = self._held(), []
        used = sum(one.size for one in held)
        free = shutil.disk_usage(self.directory).free - SPARE_GIB * 2**30
        room = min(self.limit_gib * 2**30 - used, free)
        in_use = labs_on(self.directory)
        while room < needed:
            removable = _removable(held, in_use)
            if not removable:
                raise NoRoom(
                    f"no room for a checkpoint of {needed / 2**30:.1f} GiB in {self.directory}: "
                    f"it may hold {self.limit_gib:g} GiB, and {SPARE_GIB:g} GiB of the disk stay "
                    "free",
                    hint=f"end labs, free some disk, or raise {_LIMIT}",
                )
            oldest = min(removable, key=lambda one: (one.readable, one.used))
            held.remove(oldest)
            doomed.append(oldest.path)
            room += oldest.size
        return doomed

    def _held(self) -> list[_Held]:
        found = []
        for path in (*self._directories(), self.directory / DAMAGED):
            try:
                one = Checkpoint.read(path)
                found.append(_Held(path, one.size, one.used, True, one.manifest.parents))
            except LabError:
                with contextlib.suppress(FileNotFoundError):
                    found.append(_Held(path, size_of(path), path.stat().st_mtime, False))
        return found

    def _directories(self) -> list[Path]:
        return [path for path in sorted(self.directory.iterdir()) if KEY.fullmatch(path.name)]

    def _discard(self, path: Path) -> None:
        """Remove a directory in one step, whoever is killed meanwhile."""
        gone = Path(tempfile.mkdtemp(prefix=GONE, dir=self.directory))
        with contextlib.suppress(FileNotFoundError):
            path.rename(gone)  # takes the place of the empty directory
        shutil.rmtree(gone, ignore_errors=True)

    def _sweep(self) -> list[str]:
        """Remove what was left half-made or half-removed; only while nobody makes anything."""
        left = [path for prefix in (UNFINISHED, GONE) for path in self.directory.glob(f"{prefix}*")]
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return [path.name for path in left]


def _removable(held: Collection[_Held], in_use: Collection[str]) -> list[_Held]:
    """Return those that neither a lab nor another checkpoint stands on."""
    standing_on = {parent for one in held for parent in one.parents} | set(in_use)
    return [one for one in held if one.path.name not in standing_on]


def labs_by_checkpoint() -> Mapping[str, list[str]]:
    """Return the labs that stand on each checkpoint of this user, by its key."""
    return labs_on(cache_root() / _CHECKPOINTS)
