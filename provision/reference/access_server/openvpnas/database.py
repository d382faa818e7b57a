"""One SQLite file with a serial number that every change raises.

The serial tells which of two copies of a database is newer; synchronisation depends on it.
What the tables mean is the business of the modules that own them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from openvpnas.whole_file import sync

META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"
BUSY_SECONDS = 10.0


class Database:
    """A file with a schema; connections live only as long as one use of them."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema

    def create(self) -> None:
        """Make the file and its tables where they don't exist; who finds it finds it whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.exists:
            fresh = self.path.with_name(f".{self.path.name}.fresh")
            fresh.touch(mode=0o600)
            self._make_tables(fresh)
            fresh.replace(self.path)
            sync(self.path.parent)
        self._make_tables(self.path)

    def _make_tables(self, path: Path) -> None:
        with closing(self._connect(path)) as connection:
            connection.executescript(META + self._schema)
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('serial', 0)")
            connection.commit()

    @property
    def exists(self) -> bool:
        """Whether the node has this database."""
        return self.path.is_file()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open for one reading."""
        with closing(self._connect()) as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Open for one change: all of it happens, and the serial rises, or none of it."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'serial'")
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def number(self, name: str) -> int:
        """Read a number of the meta table, 0 where it was never set."""
        with self.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def set_number(self, name: str, value: int) -> None:
        """Set a number of the meta table without raising the serial."""
        with closing(self._connect()) as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
            connection.commit()

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy, whatever is being changed meanwhile."""
        with self.reading() as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)

    def _connect(self, path: Path | None = None) -> sqlite3.Connection:
        # mode=rw: a missing file is an error here, not an empty database
        uri = f"{(path or self.path).absolute().as_uri()}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
