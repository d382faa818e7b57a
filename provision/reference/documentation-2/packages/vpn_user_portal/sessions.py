"""Who has logged in: sessions in a SQLite file, found by the cookie's value.

The file holds hashes of the values, so that reading it lets nobody in, and looking one up tells
nothing by how long it takes. Only a login makes a session, and each user has a number of them at
most: who is not let in cannot make the file grow.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LASTS_S = 30 * 60
MOST_EACH = 20

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    id_hash VARCHAR(64) NOT NULL PRIMARY KEY,
    user_id VARCHAR(255) NOT NULL,
    ends_at INTEGER NOT NULL,
    api_knows BOOLEAN NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True)
class Session:
    """A session that goes on; ``api_knows`` whether the API was told when it ends."""

    user_id: str
    api_knows: bool


@dataclass(frozen=True)
class Sessions:
    """The sessions kept in the file ``path``, which is made when it is missing."""

    path: Path

    def begin(self, user_id: str) -> str:
        """Return the cookie's value for a user who has just logged in."""
        session_id, now = secrets.token_hex(32), int(time.time())
        with self._open() as db:
            db.execute("DELETE FROM sessions WHERE ends_at <= ?", (now,))
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, 0)",
                (_hash(session_id), user_id, now + LASTS_S),
            )
            db.execute(
                "DELETE FROM sessions WHERE user_id = ? AND rowid NOT IN"
                " (SELECT rowid FROM sessions WHERE user_id = ? ORDER BY rowid DESC LIMIT ?)",
                (user_id, user_id, MOST_EACH),
            )
        return session_id

    def find(self, session_id: str) -> Session | None:
        """Return the session of a cookie's value; None when there is none, or it is over."""
        with self._open() as db:
            row = db.execute(
                "SELECT user_id, api_knows FROM sessions WHERE id_hash = ? AND ends_at > ?",
                (_hash(session_id), int(time.time())),
            ).fetchone()
        return Session(row[0], bool(row[1])) if row else None

    def api_was_told(self, session_id: str) -> None:
        """Remember that the API knows when the session ends."""
        with self._open() as db:
            db.execute("UPDATE sessions SET api_knows = 1 WHERE id_hash = ?", (_hash(session_id),))

    def end(self, session_id: str) -> None:
        """End a session; one that there is not is over already."""
        with self._open() as db:
            db.execute("DELETE FROM sessions WHERE id_hash = ?", (_hash(session_id),))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as db, db:
            db.execute(_SCHEMA)
            yield db


def _hash(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
