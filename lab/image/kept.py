"""The images in the cache: found sound or not at all, bounded in size, removed when unused.

An image that a lab, a checkpoint or another process stands on is never removed. A process that has
found an image keeps it until the process ends. Knows nothing of how images are made.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.cache import cache_root, gib_of, locked
from lab.errors import ImageError
from lab.image import place as places
from lab.image.cache import Image, images_root
from lab.image.manifest import Manifest, not_ours
from lab.image.place import DAMAGED, GONE, is_image, is_passing
from lab.image.standing import checkpoints_on, labs_on, opened
from lab.progress import Say

DEFAULT_LIMIT_GIB = 10.0
#: What is left free on the disk whatever the limit says, in GiB.
SPARE_GIB = 2.0
_LIMIT = "VPNPROOF_IMAGES_GIB"
_SOMEBODY = "another process"

_kept: dict[Path, int] = {}
"""Open files whose locks say that this process stands on an image; its end lets go of them."""


@dataclass(frozen=True)
class Held:
    """An image that takes room; without a manifest it is of no use."""

    path: Path
    manifest: Manifest | None
    size: int
    used: float

    @classmethod
    def read(cls, path: Path) -> Held:
        """Describe the image in the directory at `path`."""
        manifest = None if path.name == DAMAGED else Manifest.read(path)
        size = sum(each.lstat().st_blocks * 512 for each in path.iterdir())
        return cls(path, manifest, size, manifest.used(path) if manifest else path.stat().st_mtime)

    @property
    def key(self) -> str:
        """What it is found by; of what has no manifest, the part that its directory is named by."""
        name = self.path.name.lstrip(".").rpartition("-")[2]
        return self.manifest.key if self.manifest else name


class Images:
    """The images of this user, within `limit_gib` (VPNPROOF_IMAGES_GIB, or 10)."""

    def __init__(self, *, limit_gib: float | None = None) -> None:
        self.directory = images_root()
        self.limit_gib = gib_of(_LIMIT, DEFAULT_LIMIT_GIB) if limit_gib is None else limit_gib

    def __iter__(self) -> Iterator[Held]:
        """Yield what lies here and is ours, also what is of no use; what was set aside at last."""
        found = [path for path in self.directory.iterdir() if is_image(path)]
        for path in sorted(found, key=lambda each: (each.name == DAMAGED, each.name)):
            with contextlib.suppress(FileNotFoundError):
                yield Held.read(path)

    def left_alone(self) -> list[Path]:
        """Return what is called like an image of ours and is none, as far as can be seen."""
        return places.left_alone(self.directory)

    def find(self, image: Image, say: Say) -> Image | None:
        """Return `image` if it is here, sound, and nobody else's; None when it must be made.

        What is damaged, or has no manifest, is set aside, and `say` gets why. ImageError when
        others could have changed it, or when a lab stands on what is damaged.
        """
        place = image.disk.parent
        _keep(place)
        if not place.is_dir():
            return None
        manifest = Manifest.read(place)
        if wrong := manifest.trespass(place) if manifest else not_ours(place):
            raise ImageError(
                f"the image {image} cannot be trusted: {wrong}",
                hint=f"nobody but you may write to it; look at {place}, and remove it",
            )
        _require_ours(place)
        places.mark(place)  # one of a version before markers has none
        complaint = _complaint(image, manifest)
        if complaint:
            self._set_aside(image, complaint)
            say(f"{image} cannot be trusted: {complaint}; it is made anew")
            return None
        return image

    def make_room(self, needed: int, what: str) -> None:
        """Remove what was used longest ago until `needed` bytes more fit; ImageError if not.

        Nothing is removed when it would not suffice, but what those that died left unfinished.
        """
        places.sweep(self.directory)
        with locked("images"):
            held, doomed = list(self), []
            free = shutil.disk_usage(self.directory).free - SPARE_GIB * 2**30
            room = min(self.limit_gib * 2**30 - sum(one.size for one in held), free)
            for one in sorted(held, key=lambda each: (each.manifest is not None, each.used)):
                if room < needed and not self.users(one):
                    doomed.append(one)
                    room += one.size
            if room < needed:
                raise ImageError(
                    f"no room for {what} ({needed / 2**30:.1f} GiB) in {self.directory}: it may "
                    f"hold {self.limit_gib:g} GiB, and {SPARE_GIB:g} GiB of the disk stay free",
                    hint=f"python -m lab images shows what is there; free some, or raise {_LIMIT}",
                )
            for one in doomed:
                self._removed(one)

    def remove(self, key: str) -> str:
        """Remove the image whose key or name begins with `key`; return the name of its directory.

        ImageError when there is none, or several, or something stands on it.
        """
        with locked("images"):
            held = list(self)
            found = [one for one in held if one.key.startswith(key) or one.path.name == key]
            if not key or len(found) != 1:
                known = ", ".join(f"{one.key[:12]} ({one.path.name})" for one in held) or "none"
                several = f"{len(found)} images begin with {key!r}"
                message = several if found else f"there is no image {key!r}"
                raise ImageError(message, hint=f"there are: {known}")
            if not self._removed(found[0]):
                raise ImageError(
                    f"image {found[0].path.name} is in use by {', '.join(self.users(found[0]))}",
                    hint="end those first: `python -m lab down`, `python -m lab checkpoints`",
                )
            return found[0].path.name

    def remove_all(self) -> list[str]:
        """Remove every image that nothing stands on; return the names of their directories."""
        with locked("images"):
            return [one.path.name for one in self if self._removed(one)]

    def users(self, one: Held) -> list[str]:
        """Return what stands on an image: labs, checkpoints, then whoever else."""
        if known := _standing(one.path):
            return known
        with _alone(one.path) as alone:
            return [] if alone else [_SOMEBODY]

    def _removed(self, one: Held) -> bool:
        """Remove an image, unless something stands on it or begins to; whether it is gone."""
        with _alone(one.path) as alone:
            if not alone or _standing(one.path):
                return False
            self._discard(one.path)
            return True

    def _set_aside(self, image: Image, why: str) -> None:
        """Move an image out of the way, keeping one such for a look; not from below a lab."""
        place = image.disk.parent
        with locked("images"):
            _let_go(place)
            with _alone(place) as alone:
                labs = labs_on().get(place.resolve(), [])
                if labs or not alone:
                    raise ImageError(
                        f"the image {image} cannot be trusted: {why}; and it is in use by "
                        f"{', '.join(labs) or _SOMEBODY}",
                        hint="end those labs (`python -m lab down`), then run this again",
                    )
                aside = self.directory / DAMAGED
                if os.path.lexists(aside):
                    _require_ours(aside)
                    self._discard(aside)
                place.rename(aside)

    def _discard(self, path: Path) -> None:
        """Remove an image in one step, whoever is killed meanwhile, and what was left so."""
        gone = Path(tempfile.mkdtemp(prefix=GONE, dir=self.directory))
        with contextlib.suppress(FileNotFoundError):
            places.mark(path)  # one of a version before markers has none
            path.rename(gone)  # takes the place of the empty directory
        for each in self.directory.glob(f"{GONE}*"):
            if is_passing(each):
                places.remove(each)


def _require_ours(place: Path) -> None:
    if not is_image(place):
        raise ImageError(
            f"{place} is where an image goes, and nothing in it says that it is ours",
            hint="nothing in it was touched; move it away, or set VPNPROOF_CACHE to another "
            "directory",
        )


def _complaint(image: Image, manifest: Manifest | None) -> str:
    names = {path.name for path in image.files}
    if manifest is None or manifest.key != image.key or not names <= manifest.files.keys():
        return "it has no manifest, so it was made by an older version, or not to its end"
    return manifest.complaint(image.disk.parent)


def _lock_of(place: Path) -> int:
    locks = cache_root() / "locks"
    locks.mkdir(exist_ok=True)
    return os.open(locks / f"{place.name}.kept", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _keep(place: Path) -> None:
    """Stand on an image, from now on until this process ends."""
    if place not in _kept:
        handle = _lock_of(place)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _kept[place] = handle


def _let_go(place: Path) -> None:
    if place in _kept:
        os.close(_kept.pop(place))


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[bool]:
    """Let no process begin to stand on an image; say whether none does, nor a QEMU has it open."""
    handle = _lock_of(place)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield not opened(place / "disk.qcow2")
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)


def _standing(place: Path) -> list[str]:
    """Return the names of the labs that stand on an image, then the keys of the checkpoints."""
    found = place.resolve()
    return [*labs_on().get(found, ()), *checkpoints_on().get(found, ())]
