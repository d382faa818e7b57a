"""What an image's address held when it was first seen: the digest that it must hold from then on.

A publisher that signs nothing can be impersonated by whoever has its server. Who was lucky the
first time is not fooled the second. A pin outlives its image; a person lets go of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from lab.cache import cache_root, locked, replacing
from lab.errors import ImageError
from lab.image.catalogue import Download
from lab.image.checksum import Published


class Pin(BaseModel):
    """What was seen first at the address of an image, when, and who had signed it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    sha256: str
    signed_by: str
    seen: str


_PINS = TypeAdapter(dict[str, Pin])


def pins() -> Mapping[str, Pin]:
    """Return the pins by the names of images. ImageError when the file is damaged."""
    try:
        return _PINS.validate_json(_path().read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as wrong:
        raise ImageError(
            f"what images are to be cannot be read from {_path()}: {wrong}",
            hint="look at it; whoever removes it trusts the next download as if it were the first",
        ) from wrong


def require_as_seen(entry: Download, told: Published) -> None:
    """Raise ImageError when an image is to be another than the one that was seen first."""
    pin = pins().get(entry.name)
    if pin is None or pin.url != entry.url:
        return
    if pin.sha256 != told.sha256:
        raise ImageError(
            f"{entry.url} is not what it was: its SHA-256 was {pin.sha256} on {pin.seen}, "
            f"and is said to be {told.sha256}",
            hint=f"is it a new build that you want? `python -m lab images --unpin {entry.name}`",
        )
    if pin.signed_by and not told.signed_by:
        raise ImageError(
            f"the checksum of {entry.url} is signed no more; on {pin.seen} it was",
            hint="something on the way may have taken the signature off; do not use that image",
        )


def pin(entry: Download, told: Published) -> None:
    """Keep what was seen of an image; of what is known already, that it is signed by now."""
    with locked("pins"):
        known = pins()
        before = known.get(entry.name)
        again = before is not None and before.url == entry.url
        seen = before.seen if before and again else time.strftime("%Y-%m-%d", time.gmtime())
        signed_by = told.signed_by or (before.signed_by if before and again else "")
        fresh = Pin(url=entry.url, sha256=told.sha256, signed_by=signed_by, seen=seen)
        if fresh != before:
            _write({**known, entry.name: fresh})


def unpin(name: str) -> Pin:
    """Forget what was seen of an image, and return it; ImageError when there is no such pin."""
    with locked("pins"):
        known = dict(pins())
        if name not in known:
            raise ImageError(
                f"no digest of {name!r} is pinned", hint=f"pinned: {', '.join(known) or 'none'}"
            )
        gone = known.pop(name)
        _write(known)
        return gone


def _write(known: Mapping[str, Pin]) -> None:
    with replacing(_path()) as partial:
        partial.write_bytes(_PINS.dump_json(dict(known), indent=1) + b"\n")


def _path() -> Path:
    return cache_root() / "pins.json"
