"""Snapshots of a node's configuration.

They are made on the active node, staged on the standby, and loaded at takeover.

A snapshot is a directory with the databases, the session log and a manifest with the digest of
each. It is accepted into the staging area only whole, by the flip of one symbolic link (see
`shelf`), and checked again before it is loaded: half a sync is never loaded, nor anything that the
manifest does not name. How it travels is `sync`'s work.

Which of two states is newer: every takeover begins a new term, every change raises the serial;
the greater (term, serial) is newer. A node that lost its role to its partner falls back to term
0, so that whatever the partner sends is newer than what it held itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.database import Database
from openvpnas.errors import NotInitialised, SnapshotRefused
from openvpnas.paths import Paths
from openvpnas.shelf import Shelf
from openvpnas.users import Users
from openvpnas.whole_file import sync, sync_tree, write_whole

MANIFEST = "MANIFEST.json"
TERM = "term"
COMPLETE = ".complete"
NEEDED = {"config.db", "userprop.db", "certs.db"}
KNOWN = {*NEEDED, "sessions.log"}
LARGEST_MANIFEST = 64 * 1024


@dataclass(frozen=True)
class Manifest:
    """What a snapshot holds; `files` maps names to SHA-256, `made_at` is seconds since 1970."""

    id: str
    term: int
    serial: int
    pair_id: str
    made_at: float
    files: dict[str, str]

    @property
    def age(self) -> tuple[int, int]:
        """Order of snapshots: the greater is the newer."""
        return (self.term, self.serial)


def _databases(paths: Paths) -> list[Database]:
    return [
        Config.at(paths).database,
        Users.at(paths).database,
        CertificateStore.at(paths).database,
    ]


def live_age(paths: Paths) -> tuple[int, int]:
    """Give (term, serial) of the live databases; (-1, -1) where there are none."""
    databases = _databases(paths)
    if not all(database.exists for database in databases):
        return (-1, -1)
    return (databases[0].number(TERM), sum(database.number("serial") for database in databases))


def begin_term(paths: Paths) -> int:
    """Begin the next term: this node is the active one from now on."""
    database = Config.at(paths).database
    term = database.number(TERM) + 1
    database.set_number(TERM, term)
    return term


def give_up_term(paths: Paths) -> None:
    """Admit that another node became the active one: what it sends from now on is newer.

    What it sent earlier is older than what this node held as the active one, so it goes.
    """
    Shelf(paths.staging).clear()
    Config.at(paths).database.set_number(TERM, 0)


def make(paths: Paths) -> Manifest:
    """Make the snapshot to send, on the outgoing shelf; it replaces the one before."""
    term, serial = live_age(paths)
    if term < 0:
        raise NotInitialised("this node has no configuration to send")
    draft = paths.outgoing / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    for database in _databases(paths):
        database.copy_to(draft / database.path.name)
    if paths.sessions.exists():
        shutil.copyfile(paths.sessions, draft / paths.sessions.name)
    manifest = Manifest(
        id=uuid.uuid4().hex[:12],
        term=term,
        serial=serial,
        pair_id=CertificateStore.at(paths).pair_id(),
        made_at=round(time.time(), 3),
        files={file.name: _digest(file) for file in sorted(draft.iterdir())},
    )
    write_whole(draft / MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
    Shelf(paths.outgoing).put(draft, manifest.id)
    return manifest


def read(directory: Path) -> Manifest:
    """Read and check a snapshot; SnapshotRefused if anything is missing, damaged or foreign."""
    try:
        manifest = _manifest(directory / MANIFEST)
        found = {name: _digest(directory / name) for name in manifest.files}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise SnapshotRefused(f"{directory}: {error}") from None
    wrong = sorted(name for name, digest in manifest.files.items() if found[name] != digest)
    if wrong or not set(found) >= NEEDED:
        raise SnapshotRefused(f"{directory}: incomplete or damaged: {', '.join(wrong) or 'files'}")
    return manifest


def _manifest(file: Path) -> Manifest:
    """Read a manifest, which a partner wrote: its words become names of files here; ValueError."""
    manifest = Manifest(**json.loads(_bytes(file, LARGEST_MANIFEST)))
    counted = all(type(number) is int for number in manifest.age)
    if not counted or re.fullmatch(r"[0-9a-f]{12}", manifest.id) is None:
        raise ValueError("its manifest is not one of this software")
    if not isinstance(manifest.files, dict) or not set(manifest.files) <= KNOWN:
        raise ValueError("its manifest names other files than a snapshot has")
    return manifest


def accept(paths: Paths) -> Manifest:
    """Accept what the partner has put into `incoming`: check it, then flip to it."""
    incoming = paths.staging / "incoming"
    manifest = read(incoming)
    for foreign in incoming.iterdir():
        if foreign.name not in {MANIFEST, *manifest.files}:
            raise SnapshotRefused(f"{incoming}: {foreign.name!r} is not in its manifest")
    Shelf(paths.staging).put(incoming, manifest.id)
    return manifest


def staged(paths: Paths) -> Manifest | None:
    """Give the accepted snapshot, None where there is none or it is damaged."""
    try:
        return read(Shelf(paths.staging).complete)
    except SnapshotRefused:
        return None


def newer_staged(paths: Paths) -> Manifest | None:
    """Give the accepted snapshot if it is newer than the live databases."""
    manifest = staged(paths)
    return manifest if manifest is not None and manifest.age > live_age(paths) else None


def load_newer(paths: Paths) -> Manifest | None:
    """Make the staged snapshot the live configuration, if it is newer; gives what was loaded.

    What was live stays until the new databases are on the disk under their name. A power cut
    between the two renames is what `finish_interrupted_load` is for.
    """
    if newer_staged(paths) is None:
        return None
    fresh, former = _fresh(paths), _former(paths)
    manifest = _copy_staged(paths, fresh)
    if manifest is None:
        return None
    sync_tree(fresh)
    (fresh / COMPLETE).touch()
    sync(fresh)
    sync(paths.etc)
    shutil.rmtree(former, ignore_errors=True)
    if paths.databases.exists():
        paths.databases.rename(former)
        sync(paths.etc)
    fresh.rename(paths.databases)
    sync(paths.etc)
    shutil.rmtree(former, ignore_errors=True)
    return manifest


def _copy_staged(paths: Paths, fresh: Path) -> Manifest | None:
    """Copy the accepted snapshot, checked; again if a newer one was accepted meanwhile."""
    for _ in range(3):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        place = Shelf(paths.staging).complete.resolve()
        try:
            for name in (*read(place).files, MANIFEST):
                shutil.copyfile(place / name, fresh / name, follow_symlinks=False)
                (fresh / name).chmod(0o600)
            return read(fresh)
        except (OSError, SnapshotRefused):
            continue
    return None


def finish_interrupted_load(paths: Paths) -> None:
    """Finish a load that a crash cut between its two renames; else do nothing."""
    fresh, former = _fresh(paths), _former(paths)
    if paths.databases.exists():
        return
    if (fresh / COMPLETE).exists():
        fresh.rename(paths.databases)
        sync(paths.etc)
    elif former.exists():
        former.rename(paths.databases)
        sync(paths.etc)


def _fresh(paths: Paths) -> Path:
    return paths.databases.with_name("db.new")


def _former(paths: Paths) -> Path:
    return paths.databases.with_name("db.former")


def _digest(file: Path) -> str:
    return hashlib.sha256(_bytes(file)).hexdigest()


def _bytes(file: Path, largest: int = -1) -> bytes:
    """Read a file, and only a file: no link to another, no pipe that never ends; OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{file} is not a file")
    with os.fdopen(descriptor, "rb") as opened:
        return opened.read(largest)
