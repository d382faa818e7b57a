"""Snapshots of a node's configuration.

They are made on the active node, staged on the standby, and loaded at takeover.

A snapshot is a directory with the databases, the session log and a manifest with the digest of
each. It is accepted into the staging area only whole, by the flip of one symbolic link, and
checked again before it is loaded: half a sync is never loaded. How it travels is `sync`'s work.

Which of two states is newer: every takeover begins a new term, every change raises the serial;
the greater (term, serial) is newer. A node that lost its role to its partner falls back to term
0, so that whatever the partner sends is newer than what it held itself.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.database import Database
from openvpnas.errors import NotInitialised, SnapshotRefused
from openvpnas.paths import Paths
from openvpnas.users import Users
from openvpnas.whole_file import write_whole

MANIFEST = "MANIFEST.json"
TERM = "term"


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
    (paths.staging / "complete").unlink(missing_ok=True)
    Config.at(paths).database.set_number(TERM, 0)


def make(paths: Paths) -> Manifest:
    """Make the snapshot to send, in the outgoing directory; replaces the one before."""
    term, serial = live_age(paths)
    if term < 0:
        raise NotInitialised("this node has no configuration to send")
    draft = paths.outgoing.with_name("outgoing.new")
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
    shutil.rmtree(paths.outgoing, ignore_errors=True)
    draft.rename(paths.outgoing)
    return manifest


def read(directory: Path) -> Manifest:
    """Read and check a snapshot; SnapshotRefused if anything is missing, damaged or foreign."""
    try:
        manifest = Manifest(**json.loads((directory / MANIFEST).read_text()))
        found = {name: _digest(directory / name) for name in manifest.files}
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotRefused(f"{directory}: {error}") from None
    wrong = sorted(name for name, digest in manifest.files.items() if found[name] != digest)
    if wrong or not {"config.db", "userprop.db", "certs.db"} <= set(found):
        raise SnapshotRefused(f"{directory}: incomplete or damaged: {', '.join(wrong) or 'files'}")
    return manifest


def accept(paths: Paths) -> Manifest:
    """Accept what the partner has put into `incoming`: check it, then flip to it."""
    incoming = paths.staging / "incoming"
    manifest = read(incoming)
    place = paths.staging / f"snapshot-{manifest.id}"
    shutil.rmtree(place, ignore_errors=True)
    incoming.rename(place)
    link = paths.staging / "complete.new"
    link.unlink(missing_ok=True)
    link.symlink_to(place.name)
    link.replace(paths.staging / "complete")
    for older in paths.staging.glob("snapshot-*"):
        if older != place:
            shutil.rmtree(older, ignore_errors=True)
    return manifest


def staged(paths: Paths) -> Manifest | None:
    """Give the accepted snapshot, None where there is none or it is damaged."""
    try:
        return read(paths.staging / "complete")
    except SnapshotRefused:
        return None


def newer_staged(paths: Paths) -> Manifest | None:
    """Give the accepted snapshot if it is newer than the live databases."""
    manifest = staged(paths)
    return manifest if manifest is not None and manifest.age > live_age(paths) else None


def load_newer(paths: Paths) -> Manifest | None:
    """Make the staged snapshot the live configuration, if it is newer; gives what was loaded."""
    if newer_staged(paths) is None:
        return None
    fresh = paths.databases.with_name("db.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    manifest = _copy_staged(paths, fresh)
    if manifest is None:
        return None
    (fresh / ".complete").touch()
    former = paths.databases.with_name("db.former")
    shutil.rmtree(former, ignore_errors=True)
    if paths.databases.exists():
        paths.databases.rename(former)
    fresh.rename(paths.databases)
    shutil.rmtree(former, ignore_errors=True)
    return manifest


def _copy_staged(paths: Paths, fresh: Path) -> Manifest | None:
    """Copy the accepted snapshot, checked; again if a newer one was accepted meanwhile."""
    for _ in range(3):
        place = (paths.staging / "complete").resolve()
        try:
            for file in place.iterdir():
                shutil.copyfile(file, fresh / file.name)
                (fresh / file.name).chmod(0o600)
            return read(fresh)
        except (OSError, SnapshotRefused):
            continue
    return None


def finish_interrupted_load(paths: Paths) -> None:
    """Finish a load that a crash cut between its two renames; else do nothing."""
    fresh = paths.databases.with_name("db.new")
    former = paths.databases.with_name("db.former")
    if paths.databases.exists():
        return
    if (fresh / ".complete").exists():
        fresh.rename(paths.databases)
    elif former.exists():
        former.rename(paths.databases)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
