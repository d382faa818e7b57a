"""A cache of a benchmark's own, so that it begins with nothing frozen, and leaves nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.cache import cache_root

_CHECKPOINTS = "checkpoints"


@contextmanager
def own_cache() -> Iterator[None]:
    """Use a cache that has all of the user's but the checkpoints, while the block runs."""
    usual = cache_root().absolute()
    before = os.environ.get("VPNPROOF_CACHE")
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=usual) as scratch:
        for each in usual.iterdir():
            if each.name != _CHECKPOINTS and not each.name.startswith("."):
                Path(scratch, each.name).symlink_to(each)
        os.environ["VPNPROOF_CACHE"] = scratch
        try:
            yield
        finally:
            del os.environ["VPNPROOF_CACHE"]
            if before is not None:
                os.environ["VPNPROOF_CACHE"] = before
