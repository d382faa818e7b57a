"""`python -m lab checkpoints`: what lies in the store, and removing it.

Says what there is; what may be removed, the store decides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from lab.checkpoint.manifest import size_of
from lab.checkpoint.store import Store

_SHORT = 12  # digits of a key that a person types: no two share them
_AGES = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def show(store: Store, console: Console) -> None:
    """Print a table of all checkpoints, the one used last at the bottom, and the room they take."""
    columns = (
        Column("checkpoint", no_wrap=True),
        "label",
        Column("MiB", justify="right"),
        Column("age", justify="right"),
        Column("last used", justify="right"),
        "stands on",
        "used by",
    )
    table = Table(*columns, box=None)
    for row in _rows(store):
        table.add_row(*row)
    if not table.row_count:
        console.print(f"no checkpoints in {escape(str(store.directory))}")
        return
    console.print(table)
    held = size_of(store.directory) / 2**30
    console.print(f"{held:.1f} of {store.limit_gib:g} GiB in {escape(str(store.directory))}")


def remove(store: Store, key: str, console: Console) -> None:
    """Remove a checkpoint by the beginning of its key, or "all"; LabError when it is in use."""
    if key != "all":
        console.print(f"removed {store.remove(key)[:_SHORT]}")
        return
    for name in store.remove_all():
        console.print(f"removed {name[:_SHORT]}")
    for checkpoint in store:
        users = ", ".join(store.users(checkpoint.key))
        console.print(f"kept {checkpoint.key[:_SHORT]}: in use by {users}")


def _rows(store: Store) -> Iterator[tuple[str, ...]]:
    now = time.time()
    for one in sorted(store, key=lambda checkpoint: checkpoint.used):
        yield (
            one.key[:_SHORT],
            one.manifest.label,
            f"{one.size / 2**20:.0f}",
            age(now - one.manifest.created),
            age(now - one.used),
            " ".join(parent[:_SHORT] for parent in one.manifest.parents),
            ", ".join(store.users(one.key)),
        )
    for path in store.unreadable:
        name, users = path.name.lstrip(".")[:_SHORT], ", ".join(store.users(path.name))
        yield name, "of no use", f"{size_of(path) / 2**20:.0f}", "", "", "", users


def age(seconds: float) -> str:
    """Return a time span in the largest unit that it fills."""
    unit, name = next((unit for unit in _AGES if seconds >= unit[0]), _AGES[-1])
    return f"{max(0.0, seconds) / unit:.0f} {name}"
