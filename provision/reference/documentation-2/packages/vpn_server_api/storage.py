"""The controller's memory in SQLite: users, certificates and the log of connections.

Times are ATOM texts in UTC (``2020-04-06T12:00:00+00:00``), which sort as the times do.
No decision is taken here.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

SCHEMA_VERSION = "2019032701"
_SCHEMA = """
CREATE TABLE users (
    user_id VARCHAR(255) NOT NULL PRIMARY KEY,
    session_expires_at VARCHAR(255) NOT NULL,
    permission_list TEXT NOT NULL DEFAULT '[]',
    is_disabled BOOLEAN NOT NULL DEFAULT 0
);
CREATE TABLE certificates (
    common_name VARCHAR(255) NOT NULL UNIQUE,
    user_id VARCHAR(255) NOT NULL REFERENCES users(user_id) ON DELETE CASCADE,
    display_name VARCHAR(255) NOT NULL,
    valid_from VARCHAR(255) NOT NULL,
    valid_to VARCHAR(255) NOT NULL,
    client_id VARCHAR(255) DEFAULT NULL
);
CREATE TABLE connection_log (
    user_id VARCHAR(255) NOT NULL,
    profile_id VARCHAR(255) NOT NULL,
    common_name VARCHAR(255) NOT NULL,
    ip4 VARCHAR(255) NOT NULL,
    ip6 VARCHAR(255) NOT NULL,
    connected_at VARCHAR(255) NOT NULL,
    disconnected_at VARCHAR(255) DEFAULT NULL,
    bytes_transferred INTEGER DEFAULT NULL,
    client_lost BOOLEAN NOT NULL DEFAULT 0
);
CREATE INDEX connection_log_ip4 ON connection_log (ip4);
CREATE TABLE version (current_version TEXT NOT NULL);
"""


def atom(moment: datetime) -> str:
    """Return a moment as the database and the API write it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def atom_of_unix(seconds: int) -> str:
    """Return seconds since 1970 as the database writes them."""
    return atom(datetime.fromtimestamp(seconds, tz=timezone.utc))


@dataclass(frozen=True)
class Lease:
    """Who has which addresses in which profile since when: a row of the log while it is open."""

    profile_id: str
    common_name: str
    ip4: str
    ip6: str
    connected_at: str


@dataclass(frozen=True)
class Storage:
    """An open database."""

    db: sqlite3.Connection

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, create: bool = False) -> Iterator[Storage]:
        """Open ``path`` for one transaction; nothing is written when the block raises."""
        mode = "rwc" if create else "rw"
        # Half a minute: connects arrive in bursts, and each waits for the ones before it.
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=30)
        with contextlib.closing(db):
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA foreign_keys = ON")
            with db:
                yield cls(db)

    def create_schema(self) -> None:
        """Make the tables; sqlite3.OperationalError when they are there.

        With a write-ahead log from then on: who only reads need not wait for the hooks, and what
        was committed is there after the process is killed.
        """
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(_SCHEMA)
        self.db.execute("INSERT INTO version VALUES (?)", (SCHEMA_VERSION,))

    # Users

    def add_user(self, user_id: str) -> None:
        """Make the user known; a known one stays as it is."""
        self.db.execute(
            "INSERT OR IGNORE INTO users (user_id, session_expires_at) VALUES (?, ?)",
            (user_id, atom(datetime.now(timezone.utc))),
        )

    def user(self, user_id: str) -> sqlite3.Row:
        """Return the user's row; asking makes an unknown user known."""
        self.add_user(user_id)
        row: sqlite3.Row = self._one("SELECT * FROM users WHERE user_id = ?", user_id)
        return row

    def users(self) -> list[sqlite3.Row]:
        """Return every user's row, in the order in which they became known."""
        return self._all("SELECT * FROM users ORDER BY rowid")

    def set_disabled(self, user_id: str, disabled: bool) -> None:
        """Disable or enable a user."""
        self.add_user(user_id)
        self.db.execute(
            "UPDATE users SET is_disabled = ? WHERE user_id = ?", (int(disabled), user_id)
        )

    def set_session(self, user_id: str, expires_at: str, permissions: str) -> None:
        """Keep how long the user's session lasts and which permissions (JSON) it has."""
        self.add_user(user_id)
        self.db.execute(
            "UPDATE users SET session_expires_at = ?, permission_list = ? WHERE user_id = ?",
            (expires_at, permissions, user_id),
        )

    # Certificates

    def add_certificate(
        self,
        name: str,
        user_id: str,
        display_name: str,
        valid: tuple[int, int],
        client_id: str | None,
    ) -> None:
        """Keep whose certificate ``name`` is; ``valid`` is its first and last second (unix)."""
        self.add_user(user_id)
        self.db.execute(
            "INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?)",
            (name, user_id, display_name, *map(atom_of_unix, valid), client_id),
        )

    def certificate(self, name: str) -> sqlite3.Row | None:
        """Return a certificate's row with its user's ``user_is_disabled``, None if unknown."""
        return self._one(
            "SELECT c.*, u.is_disabled AS user_is_disabled, u.permission_list"
            " FROM certificates c JOIN users u USING (user_id) WHERE c.common_name = ?",
            name,
        )

    def certificates_of(self, user_id: str) -> list[sqlite3.Row]:
        """Return the user's certificates, the newest first; asking makes the user known."""
        self.add_user(user_id)
        return self._all(
            "SELECT * FROM certificates WHERE user_id = ? ORDER BY valid_from DESC", user_id
        )

    def delete_certificate(self, name: str) -> None:
        """Forget a certificate: the connect hook refuses it from now on."""
        self.db.execute("DELETE FROM certificates WHERE common_name = ?", (name,))

    # The log of connections

    def log_connect(self, user_id: str, lease: Lease) -> None:
        """Open a row; one still open for the same addresses is closed as lost."""
        self.db.execute(
            "UPDATE connection_log SET disconnected_at = ?, client_lost = 1"
            " WHERE profile_id = ? AND ip4 = ? AND ip6 = ? AND disconnected_at IS NULL",
            (lease.connected_at, lease.profile_id, lease.ip4, lease.ip6),
        )
        self.db.execute(
            "INSERT INTO connection_log"
            " (user_id, profile_id, common_name, ip4, ip6, connected_at) VALUES (?, ?, ?, ?, ?, ?)",
            (
                user_id,
                lease.profile_id,
                lease.common_name,
                lease.ip4,
                lease.ip6,
                lease.connected_at,
            ),
        )

    def log_disconnect(self, lease: Lease, disconnected_at: str, transferred: int) -> None:
        """Close the lease's row with its bytes; nothing happens when there is none."""
        self.db.execute(
            "UPDATE connection_log SET disconnected_at = ?, bytes_transferred = ?"
            " WHERE profile_id = ? AND common_name = ? AND ip4 = ? AND ip6 = ?"
            " AND connected_at = ?",
            (
                disconnected_at,
                transferred,
                lease.profile_id,
                lease.common_name,
                lease.ip4,
                lease.ip6,
                lease.connected_at,
            ),
        )

    def log_entry(self, at: str, address: str) -> sqlite3.Row | None:
        """Return who had ``address`` at the moment ``at``."""
        return self._one(
            "SELECT user_id, profile_id, common_name, ip4, ip6, connected_at, disconnected_at,"
            " client_lost FROM connection_log WHERE (ip4 = ? OR ip6 = ?) AND connected_at < ?"
            " AND (disconnected_at > ? OR disconnected_at IS NULL)",
            address,
            address,
            at,
            at,
        )

    def clean(self, *, log_before: str, certificates_before: str) -> None:
        """Drop closed log rows and expired certificates older than the given moments."""
        self.db.execute(
            "DELETE FROM connection_log WHERE connected_at < ? AND disconnected_at IS NOT NULL",
            (log_before,),
        )
        self.db.execute("DELETE FROM certificates WHERE valid_to < ?", (certificates_before,))

    def _one(self, query: str, *values: str) -> Any:  # noqa: ANN401 - a row or None
        return self.db.execute(query, values).fetchone()

    def _all(self, query: str, *values: str) -> list[sqlite3.Row]:
        return self.db.execute(query, values).fetchall()
