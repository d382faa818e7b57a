"""Errors that reach a person: what is wrong, and where."""

from __future__ import annotations

import sqlite3

LONGEST_SHOWN = 200


class AccessServerError(Exception):
    """Something was refused; nothing has been changed."""


class InvalidValue(AccessServerError):
    """A configuration value cannot be right."""

    def __init__(self, key: str, value: str, expected: str) -> None:
        shown = value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}..."
        super().__init__(f"{key}: {shown!r} is not {expected}")
        self.key = key
        self.value = value
        self.expected = expected


class NotInitialised(AccessServerError):
    """The node holds no configuration yet, or is a standby."""


class SnapshotRefused(AccessServerError):
    """A snapshot is incomplete or damaged, and will not be used."""


REFUSALS = (AccessServerError, OSError, sqlite3.Error)
"""What may go wrong with files, programs and databases, and ends no service."""
