"""The directory of a store of checkpoints: what lies in it is ours, or it is left alone.

A cache may be set to any directory, and what a store removes goes by its name there. So the
directory has a marker. One that lacks it is taken when all that is in it is a store's.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.errors import LabError

MARKER = ".vpnproof-checkpoints"
#: The lock that is held while checkpoints are removed, or begin to be stood on.
CHANGING = ".lock"
#: The lock of who makes one.
MAKING = ".making"
#: What stands on what: `lab.checkpoint.standing`.
NOTES = ".labs"
KEY = re.compile(r"[0-9a-f]{32}")
UNFINISHED, GONE, DAMAGED = ".unfinished-", ".gone-", ".damaged"

#: The directories of a checkpoint that hold its files.
PARTS = frozenset({"memory", "disks", "attached", "keys", "seeds"})
_CONTENT = PARTS | {"checkpoint.json", "checkpoint.sha256", "used"}
_SHOWN = 3


def claim(directory: Path) -> None:
    """Make `directory` a store's, if it is none yet; LabError when it holds anything else."""
    if (directory / MARKER).is_file():
        return
    found = sorted(path.name for path in directory.iterdir() if not _is_ours(path))
    if found:
        names = ", ".join(map(repr, found[:_SHOWN]))
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise LabError(
            f"{directory} is no directory of checkpoints, it holds {names}{more}",
            hint="nothing in it was touched; set VPNPROOF_CACHE to another directory",
        )
    (directory / MARKER).touch(mode=0o600)


def _is_ours(path: Path) -> bool:
    if path.name in (CHANGING, MAKING, MARKER, NOTES):
        return True
    named = KEY.fullmatch(path.name) or path.name == DAMAGED
    if not (named or path.name.startswith((UNFINISHED, GONE))) or path.is_symlink():
        return False
    return path.is_dir() and all(entry.name in _CONTENT for entry in path.iterdir())
