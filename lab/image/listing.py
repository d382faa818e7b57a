"""`python -m lab images`: what lies in the cache, and removing it.

Says what there is; what may be removed, `lab.image.kept` decides.
"""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from lab.checkpoint.listing import age
from lab.image.kept import Images
from lab.image.pins import pins, unpin

_SHORT = 12  # digits of a key that a person types: no two share them


def show(images: Images, console: Console) -> None:
    """Print a table of all images, the one used last at the bottom, and the room they take."""
    columns = (
        Column("image", no_wrap=True),
        "name",
        Column("MiB", justify="right"),
        Column("age", justify="right"),
        Column("last used", justify="right"),
        "used by",
    )
    table, now = Table(*columns, box=None), time.time()
    held = sorted(images, key=lambda one: one.used)
    for one in held:
        table.add_row(
            one.key[:_SHORT],
            one.manifest.name if one.manifest else "of no use",
            f"{one.size / 2**20:.0f}",
            age(now - one.manifest.made) if one.manifest else "",
            age(now - one.used),
            ", ".join(images.users(one)),
        )
    if held:
        console.print(table)
        total = sum(one.size for one in held) / 2**30
        console.print(f"{total:.1f} of {images.limit_gib:g} GiB in {escape(str(images.directory))}")
    else:
        console.print(f"no images in {escape(str(images.directory))}")
    for path in images.left_alone():
        console.print(f"left alone, for nothing in it says that it is ours: {escape(str(path))}")
    for name, pin in pins().items():
        console.print(f"{name} is pinned to what was seen on {pin.seen}: {pin.sha256[:_SHORT]}")


def remove(images: Images, key: str, console: Console) -> None:
    """Remove an image by the beginning of its key, or "all"; ImageError when it is in use."""
    if key != "all":
        console.print(f"removed {images.remove(key)}")
        return
    for name in images.remove_all():
        console.print(f"removed {name}")
    for one in images:
        console.print(f"kept {one.path.name}: in use by {', '.join(images.users(one))}")


def forget(name: str, console: Console) -> None:
    """Forget which digest of an image was seen first: the next download is trusted."""
    console.print(f"forgot {name}: {unpin(name).sha256}")
