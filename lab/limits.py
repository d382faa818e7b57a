"""What a guest may take of this host: limits with a name, a default, and the user's own word.

A guest that misbehaves may flood its network, its console, and whatever asks it something. Each
limit is an environment variable in MiB. When one is reached the lab goes on: what was left out is
named where it would have stood (in the capture, the console's file, an error), and the run's
history holds a `limit.reached` of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from lab.errors import LabError

_MIB = 2**20


@dataclass(frozen=True)
class Limit:
    """A limit: the environment variable that sets it, its default in MiB, and what it is for."""

    name: str
    default_mib: float
    what: str

    @property
    def mib(self) -> float:
        """How many MiB; LabError when the environment holds no such number."""
        chosen = os.environ.get(self.name) or str(self.default_mib)
        try:
            number = float(chosen)
        except ValueError:
            number = -1.0
        if not 0 <= number < 2**40:  # nor is "nan", or "inf"
            raise LabError(
                f"{self.name} is {chosen!r}",
                hint=f"give a number of MiB, say {self.default_mib:g}: {self.what}",
            )
        return number

    @property
    def octets(self) -> int:
        """How many octets."""
        return int(self.mib * _MIB)

    def __str__(self) -> str:
        """Say it with its name: "32 MiB (VPNPROOF_OUTPUT_MIB)"."""
        return f"{self.mib:g} MiB ({self.name})"


CAPTURE = Limit("VPNPROOF_CAPTURE_MIB", 1024, "what the capture of one lab may take")
"""A run of hours leaves some 10 MiB a lab; a guest that floods writes 400 MiB a second."""
FREE = Limit("VPNPROOF_FREE_MIB", 512, "what recording leaves free on the disk of a capture")
"""More than all labs of a host can write between two looks, which are half a second apart."""
CONSOLE = Limit("VPNPROOF_CONSOLE_MIB", 16, "what the console of one machine may take")
OUTPUT = Limit("VPNPROOF_OUTPUT_MIB", 32, "what one command, or one file, of a machine may say")
DOWNLOAD = Limit("VPNPROOF_DOWNLOAD_MIB", 2500, "what one download of an image may take")
"""As much room is made in the cache before one begins."""


def bounded(limit: Limit, command: Sequence[str]) -> list[str]:
    """Return a command that is `command`, but cannot write a file larger than `limit`."""
    return ["sh", "-c", f'ulimit -f {limit.octets // 512}; exec "$@"', "sh", *command]


@dataclass(frozen=True)
class Reached:
    """A limit that was reached: by what (the wire, or a machine), when, and what became of it."""

    limit: str
    source: str
    what: str
    at_ns: int

    @classmethod
    def now(cls, limit: Limit, source: str, what: str) -> Reached:
        """Return that it was reached just now."""
        return cls(limit.name, source, what, time.time_ns())
