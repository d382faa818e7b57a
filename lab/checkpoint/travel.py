"""A checkpoint goes to another host: by itself, without those that its disks lay on here.

Its key says already that the other host would make the same: QEMU, libvirt, accelerator and
processor are in it. Its disks are put right on the image, so no other checkpoint goes with it. The
image has to be there, octet by octet the same: two builds of one recipe are two images.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydantic import ValidationError

from lab import parcel
from lab.cache import cache_root, locked, require_space
from lab.checkpoint.manifest import FORMAT, Checkpoint, FrozenFile, Manifest
from lab.checkpoint.place import PARTS
from lab.checkpoint.saveimage import SaveImage
from lab.checkpoint.store import Store
from lab.errors import LabError
from lab.image.cache import images_root
from lab.made_once import is_free

_FLAT_MIB = 1024
"""What copies of a lab's disks may take that lie right on the image."""
_FLAT, _IN_USE = "flat-", ".in-use"
"""How a folder of such copies is called, and what its sender holds a lock on."""


def send(checkpoint: Checkpoint, to: BinaryIO) -> None:
    """Write a checkpoint as a parcel; LabError when there is no room, or a disk cannot be read."""
    manifest = checkpoint.manifest
    files = {name: checkpoint.directory / name for name in manifest.files}
    described = dict(manifest.files)
    require_space(cache_root(), _FLAT_MIB, "sending a checkpoint")
    with _folder() as folder:
        for disk in checkpoint.disks.values():
            name = str(disk.relative_to(checkpoint.directory))
            files[name] = _right_on(manifest.image[0], disk, folder)
            described[name] = FrozenFile.of(files[name])
        alone = manifest.model_copy(update={"parents": (), "files": described})
        parcel.pack(to, alone.model_dump_json(), files)


def receive(key: str, came: BinaryIO, store: Store) -> None:
    """Put the checkpoint of `key` into the store, from a parcel; nothing, if it is there.

    LabError when it is another, or damaged, or when its image is not here; NoRoom. Nothing is left
    behind then.
    """
    with parcel.opened(came) as opened:
        manifest = _manifest(key, opened.head)
        image = _own_image(manifest)
        sizes = {name: file.size for name, file in manifest.files.items()}
        with store.making(key, sum(sizes.values())) as fresh:
            if fresh is None:
                return
            written = opened.write(sizes, fresh)
            for name, file in manifest.files.items():
                if written[name].crc32 != file.crc32:
                    raise LabError(f"{name} is not what was frozen")
            _take_place(fresh, manifest, image)
            own = {"image": (image, FrozenFile.of(image))}
            store.complete(fresh, manifest.model_copy(update=own))


def _manifest(key: str, head: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(head)
    except ValidationError as error:
        raise LabError(f"{key[:12]} is of another version of vpnproof") from error
    if (manifest.format, manifest.key, manifest.parents) != (FORMAT, key, ()):
        raise LabError(f"{key[:12]} was asked for, and {manifest.key[:12]} came")
    for name in manifest.files:
        parts = PurePosixPath(name).parts
        if len(parts) < 2 or parts[0] not in PARTS or ".." in parts or "\0" in name:
            raise LabError(f"{name!r} is no name of a file of a checkpoint")
    return manifest


def _own_image(manifest: Manifest) -> Path:
    """Return this host's image of that name, if it is the same."""
    theirs, described = manifest.image
    own = images_root() / theirs.parent.name / theirs.name
    if complaint := described.complaint(own, thorough=True):
        raise LabError(f"the image that it lies on is not the one here: {complaint}")
    return own


def _was_ours(folder: Path) -> bool:
    """Whether a sender that is gone left a folder: a cache may be set to any directory."""
    if folder.is_symlink() or not (folder / _IN_USE).is_file():
        return False
    named = all(path.name == _IN_USE or path.suffix == ".qcow2" for path in folder.iterdir())
    return named and is_free(folder / _IN_USE)


@contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder for copies of disks; what senders that were killed have left is removed."""
    with locked("sending"):  # nobody sees a folder that is not locked yet
        for left in cache_root().glob(f"{_FLAT}*"):
            if _was_ours(left):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=_FLAT, dir=cache_root()))
        in_use = (folder / _IN_USE).open("w")
        fcntl.flock(in_use, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        in_use.close()


def _right_on(image: Path, disk: Path, folder: Path) -> Path:
    """Return a copy of a disk that lies on the image and nothing else."""
    copy = folder / disk.name
    shutil.copyfile(disk, copy)
    _qemu_img("rebase", "-f", "qcow2", "-F", "qcow2", "-b", str(image), str(copy))
    return copy


def _take_place(fresh: Path, manifest: Manifest, image: Path) -> None:
    """Let disks and saved machines name the image where it is on this host."""
    if image == manifest.image[0]:
        return
    for disk in (fresh / "disks").iterdir():
        _qemu_img("rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", str(image), str(disk))
    for saved in (fresh / "memory").iterdir():
        read = SaveImage.read(saved)
        xml = _started_from(read.xml, lambda path: image.parent / path.name)
        moved = saved.with_suffix(".moved")
        read.write_as(moved, xml)
        moved.replace(saved)


def _started_from(xml: str, moved: Callable[[Path], Path]) -> str:
    """Return a saved machine's XML with its kernel and initrd at another place."""
    domain = ET.fromstring(xml)  # noqa: S314 - libvirt wrote it, on a host of ours
    for tag in ("os/kernel", "os/initrd"):
        element = domain.find(tag)
        if element is not None and element.text:
            element.text = str(moved(Path(element.text)))
    return ET.tostring(domain, encoding="unicode")


def _qemu_img(*arguments: str) -> None:
    try:
        subprocess.run(["qemu-img", *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabError("there is no qemu-img here", hint="run lab/setup") from None
    except subprocess.CalledProcessError as error:
        raise LabError(f"qemu-img {arguments[0]}: {error.stderr.strip()}") from error
