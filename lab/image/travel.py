"""An image goes to another host, as it is: checkpoints lie on one build of it, and on no other."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from lab import parcel
from lab.errors import ImageError
from lab.image.cache import Image, entering, images_root
from lab.image.kept import Images
from lab.image.manifest import FORMAT, Manifest


def there(key: str) -> Path | None:
    """Return the directory of the sound image of `key`; None if there is none."""
    for held in Images():
        if held.manifest and held.manifest.key == key and not held.manifest.trespass(held.path):
            return None if held.manifest.complaint(held.path) else held.path
    return None


def send(directory: Path, to: BinaryIO) -> None:
    """Write the image in a directory as a parcel; ImageError when it has no manifest."""
    manifest = Manifest.read(directory)
    if manifest is None:
        raise ImageError(f"{directory} is no image")
    parcel.pack(to, manifest.model_dump_json(), {name: directory / name for name in manifest.files})


def receive(key: str, came: BinaryIO) -> None:
    """Put the image of `key` into the cache, from a parcel; nothing, if it is there.

    Call it while who wants it holds its lock (`entering`). LabError when it is another, or damaged,
    or has no room; nothing is left behind then.
    """
    with parcel.opened(came) as opened:
        manifest = _manifest(key, opened.head)
        if there(key):
            return
        place = images_root() / f"{manifest.name}-{key[:16]}"
        image = Image(manifest.name, "", key, place / "disk.qcow2", source=manifest.source)
        sizes = {name: file.size for name, file in manifest.files.items()}
        Images().make_room(sum(sizes.values()), f"the image {image}")
        with entering(image) as unfinished:
            written = opened.write(sizes, unfinished)
            for name, file in manifest.files.items():
                if written[name].sha256 != file.sha256:
                    raise ImageError(f"{name} of {image} is not what was sent")


def _manifest(key: str, head: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(head)
    except ValidationError as error:
        raise ImageError(f"{key[:12]} is of another version of vpnproof") from error
    if (manifest.format, manifest.key) != (FORMAT, key) or "disk.qcow2" not in manifest.files:
        raise ImageError(f"{key[:12]} was asked for, and {manifest.key[:12]} came")
    names = (manifest.name, *manifest.files)
    if any("/" in name or "\0" in name or name.startswith(".") for name in names):
        raise ImageError(f"{manifest.name!r} is no name of an image, or a file of it is none")
    return manifest
