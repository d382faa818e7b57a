"""Which labs stand on which checkpoints, wherever the labs lie.

Each store of checkpoints has a note of every lab whose disks lie on some of them: the lab's
directory and their keys. A note counts while the lab lives, which the lock on the lab's own
marker tells (`lab.marker`): labs of another VPNPROOF_LABS hold it, labs that were left up hold
it, and none that died does. Notes are made, and read by whoever removes a checkpoint, under the
store's lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from filelock import FileLock

from lab.cache import replacing
from lab.checkpoint.place import CHANGING, NOTES
from lab.marker import lives
from lab.paths import is_here

#: A lab's file, in its directory, with the keys of the checkpoints that its disks lie on.
STANDS_ON = "checkpoint"


def stand_on(store: Path, lab: Path, keys: Iterable[str]) -> None:
    """Note, in the lab and in the store, that `lab` stands on these checkpoints and no others."""
    told = list(keys)
    (lab / STANDS_ON).write_text("\n".join(told))
    keep_for(store, lab, told)


def keep_for(store: Path, lab: Path, keys: Iterable[str]) -> None:
    """Let nobody remove these checkpoints until `lab` ends, or another note of it is made.

    Whether they are there still is for the caller to find out, afterwards.
    """
    path = lab.absolute()
    name = f"{lab.name}-{hashlib.sha256(bytes(path)).hexdigest()[:12]}"
    with FileLock(store / CHANGING):
        (store / NOTES).mkdir(mode=0o700, exist_ok=True)
        _forget_the_dead(store)
        with replacing(store / NOTES / name) as note:
            note.write_text(json.dumps({"lab": str(path), "checkpoints": list(keys)}))


def labs_on(store: Path) -> Mapping[str, list[str]]:
    """Return the labs that stand on each checkpoint, by its key; those elsewhere by their path."""
    found = defaultdict(list)
    for note in _notes(store):
        lab, keys = _read(note)
        if lab is not None and lives(lab):
            for key in keys:
                found[key].append(lab.name if is_here(lab) else str(lab))
    return dict(found)


def _notes(store: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError):
        return sorted(path for path in (store / NOTES).iterdir() if not path.name.startswith("."))
    return []


def _read(note: Path) -> tuple[Path | None, list[str]]:
    """Return a note's lab and keys; no lab when it is no note of ours, or gone."""
    try:
        told = json.loads(note.read_text())
        return Path(told["lab"]), [str(key) for key in told["checkpoints"]]
    except (OSError, ValueError, TypeError, KeyError):
        return None, []


def _forget_the_dead(store: Path) -> None:
    for note in _notes(store):
        lab, _ = _read(note)
        if lab is None or not lives(lab):
            note.unlink(missing_ok=True)
