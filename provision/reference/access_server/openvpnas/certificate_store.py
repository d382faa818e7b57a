"""The certificates database: issued certificates, and the secrets that a pair shares.

Only keeps; `certificates` makes. So the service, which must take over fast, need not load the
cryptography package.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from openvpnas.database import Database
from openvpnas.errors import NotInitialised
from openvpnas.paths import Paths

SERVER_NAME = "OpenVPN Server"
WEB_NAME = "OpenVPN Web"
SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS certificates (
    serial TEXT PRIMARY KEY, common_name TEXT NOT NULL, certificate TEXT NOT NULL,
    private_key TEXT NOT NULL, revoked_at REAL);
"""


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, both PEM; `revoked_at` in seconds since 1970, or None."""

    serial: str
    common_name: str
    certificate: str
    private_key: str
    revoked_at: float | None = None


class CertificateStore:
    """Certificates and named secrets of one node."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def at(cls, paths: Paths) -> CertificateStore:
        """Give the live certificates of a node."""
        return cls(Database(paths.certificates_db, SCHEMA))

    def secret(self, name: str) -> str:
        """Give a secret; NotInitialised if the node has none of this name."""
        with self.database.reading() as connection:
            row = connection.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise NotInitialised(f"this node has no {name}: run ovpn-init first")
        return str(row[0])

    def put_secrets(self, values: Mapping[str, str]) -> None:
        """Keep secrets under their names."""
        with self.database.changing() as connection:
            connection.executemany("INSERT OR REPLACE INTO secrets VALUES (?, ?)", values.items())

    def add(self, issued: Issued) -> None:
        """Keep a new certificate."""
        with self.database.changing() as connection:
            connection.execute(
                "INSERT INTO certificates VALUES (?, ?, ?, ?, ?)",
                (
                    issued.serial,
                    issued.common_name,
                    issued.certificate,
                    issued.private_key,
                    issued.revoked_at,
                ),
            )

    def valid(self, common_name: str) -> Issued | None:
        """Give the newest certificate of this name that is not revoked."""
        found = [kept for kept in self.all(common_name) if kept.revoked_at is None]
        return found[-1] if found else None

    def all(self, common_name: str = "") -> list[Issued]:
        """Give all certificates, or those of one name, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT serial, common_name, certificate, private_key, revoked_at "
                "FROM certificates WHERE ? IN ('', common_name) ORDER BY rowid",
                (common_name,),
            ).fetchall()
        return [Issued(*row) for row in rows]

    def revoke(self, common_name: str, at: float) -> int:
        """Mark every valid certificate of this name as revoked; gives how many."""
        with self.database.changing() as connection:
            return connection.execute(
                "UPDATE certificates SET revoked_at = ? "
                "WHERE common_name = ? AND revoked_at IS NULL",
                (at, common_name),
            ).rowcount

    def pair_id(self) -> str:
        """Identify whose data this is: both nodes of a pair have the same authority."""
        return hashlib.sha256(self.secret("ca.crt").encode()).hexdigest()[:16]
