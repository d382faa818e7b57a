"""Guest images: which there are, how they get here, and the seed that makes a guest of one.

`prepare` is the one way in: it returns an image that is whole, checked and ready to be the
backing file of any number of guests.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from urllib.parse import urlsplit

from lab.accelerator import Accelerator
from lab.accelerator import choose as choose_accelerator
from lab.cache import cache_root, locked
from lab.errors import ImageError
from lab.image import debian
from lab.image import prepare as preparing
from lab.image.cache import Image, entering, images_root
from lab.image.catalogue import Build, Download, find, read
from lab.image.checksum import published
from lab.image.fetch import fetch, reachable
from lab.image.kept import Images
from lab.image.manifest import Manifest
from lab.image.pins import pin, require_as_seen
from lab.image.seed import HostKey, Interface, Seed
from lab.limits import DOWNLOAD
from lab.progress import Advance, Progress, Say, each_tenth

__all__ = [
    "HostKey",
    "Image",
    "Interface",
    "Seed",
    "cache_root",
    "choose",
    "prepare",
]


def choose(name: str | None) -> Download | Build:
    """Return the catalogue's entry called `name`, or the default that can be had here and now."""
    entries = read()
    if name is not None:
        return find(name, entries)
    for entry in (each for each in entries.values() if each.default):
        if isinstance(entry, Build) or _manifest_of(entry) or reachable(_asked_first(entry)):
            return entry
    raise ImageError("no default image can be had here", hint=f"choose from: {', '.join(entries)}")


def prepare(
    name: str | None = None,
    *,
    progress: Progress | Say = lambda _line: None,
    sets: tuple[str, ...] = (),
    accelerator: Accelerator | None = None,
) -> Image:
    """Return the image called `name` (None: the default), fetched or built if it is not cached.

    `accelerator` is what a downloaded one boots under once, to get its packages (None: what works).
    `sets` names sets of packages that it has beyond what every guest has.
    A `Progress` shows a download as a bar where there is a terminal; a function gets lines.
    Takes milliseconds when it is cached, about 80 s to build the Debian guest. Two at once do not
    collide: the second waits for the first. ImageError says what was missing or wrong.
    """
    entry = choose(name)
    say = progress.say if isinstance(progress, Progress) else progress
    if isinstance(entry, Build):
        return debian.build(say, sets)
    downloaded = _downloaded(entry, say) or _download(entry, progress, say)
    return preparing.prepared(
        downloaded, entry.release, accelerator or choose_accelerator(None), say, sets
    )


def _asked_first(entry: Download) -> str:
    return entry.checksum_url or entry.url


def _manifest_of(entry: Download) -> Manifest | None:
    """Return the manifest of the newest download of `entry` in the cache."""
    found = (Manifest.read(place) for place in images_root().glob(f"{entry.name}-download-*"))
    return max((one for one in found if one), key=lambda one: one.made, default=None)


def _downloaded(entry: Download, say: Say) -> Image | None:
    """Return the newest download of `entry` in the cache, if it is sound."""
    manifest = _manifest_of(entry)
    return Images().find(_downloaded_image(entry, manifest.key), say) if manifest else None


def _download(entry: Download, progress: Progress | Say, say: Say) -> Image:
    file_name = urlsplit(entry.url).path.rpartition("/")[2]
    told, images = published(entry, file_name), Images()
    require_as_seen(entry, told)
    image = _downloaded_image(entry, told.sha256)
    downloads = cache_root() / "downloads"
    downloads.mkdir(exist_ok=True)
    with locked(entry.name):
        if found := images.find(image, say):
            return found
        if not (told.signed_by or entry.sha256):
            say(f"{entry.name}: its publisher signs nothing; it rests on https, and is pinned")
        images.make_room(DOWNLOAD.octets, f"downloading {entry.name}")
        with _shown(progress, f"fetching {entry.name}") as advance:
            fetched = fetch(entry.url, told.sha256, downloads / file_name, advance)
        with entering(image) as unfinished:
            fetched.rename(unfinished / "disk.qcow2")
            origin = {"url": entry.url, "checksum_url": entry.checksum_url, **asdict(told)}
            (unfinished / "origin.json").write_text(json.dumps(origin, indent=2) + "\n")
        pin(entry, told)
    return image


def _shown(progress: Progress | Say, text: str) -> AbstractContextManager[Advance]:
    if isinstance(progress, Progress):
        return progress.download(text)
    return nullcontext(each_tenth(text, progress))


def _downloaded_image(entry: Download, sha256: str) -> Image:
    return Image(
        name=entry.name,
        family=entry.family,
        key=sha256,
        disk=images_root() / f"{entry.name}-download-{sha256[:16]}" / "disk.qcow2",
        user=entry.user,
        min_cpu=entry.min_cpu,
        source=f"{entry.url} (SHA-256 {sha256})",
    )
