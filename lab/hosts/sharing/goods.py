"""`python -m lab.hosts.sharing.goods has|give|take KIND KEY`: what other hosts can have of one.

`has` ends with status 1 when it is not there, or not sound; `give` writes a parcel to its standard
output, and `take` puts one from its standard input into the cache.
"""

from __future__ import annotations

import sys
from typing import BinaryIO

from lab.checkpoint import travel
from lab.checkpoint.store import Store
from lab.errors import LabError
from lab.image import travel as images
from lab.made_once import Cached


def has(thing: Cached) -> bool:
    """Whether a thing is in the cache here, and sound."""
    if thing.kind == "image":
        return images.there(thing.key) is not None
    return Store().find(thing.key) is not None


def give(thing: Cached, to: BinaryIO) -> None:
    """Write a thing as a parcel; LabError when it is not here."""
    if thing.kind == "image" and (place := images.there(thing.key)):
        images.send(place, to)
    elif thing.kind == "checkpoint" and (found := Store().find(thing.key)):
        travel.send(found, to)
    else:
        raise LabError(f"there is no {thing} here any more")


def take(thing: Cached, came: BinaryIO) -> None:
    """Put a thing from a parcel into the cache."""
    if thing.kind == "image":
        images.receive(thing.key, came)
    else:
        travel.receive(thing.key, came, Store())


def main(arguments: list[str]) -> int:
    """Do what is asked; an error is one line, and status 1."""
    what, kind, key = arguments
    thing = Cached.named(f"{kind}.{key}.0")
    try:
        if what == "give":
            give(thing, sys.stdout.buffer)
        elif what == "take":
            take(thing, sys.stdin.buffer)
        else:
            return 0 if has(thing) else 1
    except (LabError, OSError) as error:
        sys.stderr.write(f"{error.message if isinstance(error, LabError) else error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
