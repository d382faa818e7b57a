"""The configuration database: flat dotted keys with string values."""

from __future__ import annotations

from collections.abc import Mapping

from openvpnas import keys
from openvpnas.database import Database
from openvpnas.paths import Paths

SCHEMA = "CREATE TABLE IF NOT EXISTS config (key TEXT PRIMARY KEY, value TEXT NOT NULL);"


class Config:
    """The keys of one node; what was never set has its default."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def at(cls, paths: Paths) -> Config:
        """Give the live configuration of a node."""
        return cls(Database(paths.config_db, SCHEMA))

    def all(self) -> dict[str, str]:
        """Give every key with its value, defaults included, sorted by key."""
        with self.database.reading() as connection:
            kept = dict(connection.execute("SELECT key, value FROM config").fetchall())
        return dict(sorted({**keys.DEFAULTS, **kept}.items()))

    def get(self, key: str, default: str = "") -> str:
        """Give one value, its default, or `default`."""
        return self.all().get(key, default)

    def put(self, values: Mapping[str, str]) -> None:
        """Set all these keys, or none if one is refused (InvalidValue)."""
        keys.check_all(values)
        with self.database.changing() as connection:
            connection.executemany("INSERT OR REPLACE INTO config VALUES (?, ?)", values.items())

    def delete(self, key: str) -> bool:
        """Forget a key, so that its default holds again; False if it was not set."""
        with self.database.changing() as connection:
            return connection.execute("DELETE FROM config WHERE key = ?", (key,)).rowcount > 0
