"""The daemon's log: a line each on standard output, which systemd takes to the journal.

What a peer has sent is shown, never obeyed: no control characters, and no more than a line.
"""

from __future__ import annotations

import sys

LONGEST_SHOWN = 200


def say(level: str, text: str) -> None:
    """Write a line; a reader that has gone is no reason to end."""
    try:
        sys.stdout.write(f"{level}: {text}\n")
        sys.stdout.flush()
    except OSError:
        pass


def shown(line: bytes) -> str:
    """Return what a peer has sent, fit to be printed: ASCII, and no longer than can be read."""
    text = line[:LONGEST_SHOWN].decode("ascii", "backslashreplace")
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return clean if len(line) <= LONGEST_SHOWN else f"{clean}... ({len(line)} octets)"
