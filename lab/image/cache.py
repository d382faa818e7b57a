"""Where images lie, and what one is.

A cached image is a directory named after the image and the hash of everything that shaped it.
It is filled in a directory beside it, gets its manifest, and enters by one rename, so that it is
there whole or not at all. Fetches and builds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.cache import cache_root, sync
from lab.errors import ImageError
from lab.image.manifest import Manifest, not_ours
from lab.image.place import begun, sweep


@dataclass(frozen=True)
class Image:
    """A guest image, ready to be a backing file.

    `disk` is qcow2 and read-only. With `kernel` the guest is started with kernel, `initrd` and
    the command line `append` directly; without, it boots from its disk. `key` changes with
    anything that shaped the image. `min_cpu` is the least CPU its programs run on (x86-64-v1,
    v2 or v3), `user` its ordinary user ("" when it has none), `source` where it came from.
    """

    name: str
    family: str
    key: str
    disk: Path
    kernel: Path | None = None
    initrd: Path | None = None
    append: str = ""
    user: str = ""
    min_cpu: str = "x86-64-v1"
    source: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.key[:12]})"

    @property
    def files(self) -> tuple[Path, ...]:
        """What a guest is started from."""
        return tuple(path for path in (self.disk, self.kernel, self.initrd) if path is not None)


def images_root() -> Path:
    """Return the directory of the images inside the cache; ImageError if others may write to it."""
    root = cache_root() / "images"
    root.mkdir(mode=0o700, exist_ok=True)
    if wrong := not_ours(root.resolve()):
        raise ImageError(
            f"the images cannot be trusted: {wrong}",
            hint="chmod go-w, if it is yours; or set VPNPROOF_CACHE to a directory of your own",
        )
    return root


@contextmanager
def entering(image: Image) -> Iterator[Path]:
    """Yield a directory to fill; with a manifest it becomes the image's when nothing was raised.

    Call it under `locked(...)` of that image. What those that died while they made one left, of
    whatever image, is removed here. What enters is on the disk, all of it, before it has its name.
    """
    destination = image.disk.parent
    sweep(destination.parent)
    with begun(destination) as unfinished:
        yield unfinished
        Manifest.of(unfinished, image.name, image.key, image.source).write(unfinished)
        unfinished.rename(destination)
        sync(destination.parent)
