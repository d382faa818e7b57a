"""The portal's own users: who they are, ``vpn-user-portal-init``, ``vpn-user-portal-add-user``.

Hashes are PHP's ``password_hash``, made and verified by PHP, so that a portal in PHP can do so as
well. The password is read from stdin unless given; given, it is visible to everybody who can list
processes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from vpn_lib_common.command import CommandError, finish
from vpn_lib_common.installation import ROOT

_SCHEMA = """
CREATE TABLE users (
    user_id VARCHAR(255) NOT NULL PRIMARY KEY,
    password_hash VARCHAR(255) NOT NULL,
    created_at VARCHAR(255) NOT NULL
)
"""
_HASH = "echo password_hash(stream_get_contents(STDIN), PASSWORD_DEFAULT);"
_VERIFY = (
    "$given = json_decode(stream_get_contents(STDIN));"
    ' echo password_verify($given[0], $given[1]) ? "right" : "wrong";'
)
# Of a user whom there is not: to compare with it takes as long, and no password has it.
_NOBODYS_HASH = "$2y$10$" + 53 * "."


@dataclass(frozen=True)
class Users:
    """The users in the file ``database``."""

    database: Path

    def verified(self, user: str, password: str) -> bool:
        """Whether there is such a user, with that password."""
        uri = f"{self.database.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as db:
            query = "SELECT password_hash FROM users WHERE user_id = ?"
            row = db.execute(query, (user,)).fetchone()
        given = json.dumps([password, row[0] if row else _NOBODYS_HASH])
        done = subprocess.run(
            ["php", "-r", _VERIFY], input=given, capture_output=True, text=True, check=True
        )
        return done.stdout == "right" and row is not None


def init() -> int:
    """``vpn-user-portal-init``: make the database; run it as the web server's user."""
    argparse.ArgumentParser(prog="vpn-user-portal-init").parse_args()
    return finish(lambda: _init(_database()))


def add_user() -> int:
    """``vpn-user-portal-add-user``: a new user, or a new password for a known one."""
    parser = argparse.ArgumentParser(prog="vpn-user-portal-add-user")
    parser.add_argument("--user")
    parser.add_argument("--pass", dest="password")
    arguments = parser.parse_args()
    return finish(lambda: _add_user(_database(), arguments.user, arguments.password))


def _database() -> Path:
    return ROOT / "var/lib/vpn-user-portal/db.sqlite"


def _init(database: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(database)) as db, db:
            db.execute(_SCHEMA)
    except sqlite3.OperationalError as error:
        raise CommandError(f"SQLSTATE[HY000]: General error: 1 {error}") from None
    database.chmod(0o600)


def _add_user(database: Path, user: str | None, password: str | None) -> None:
    user = user or _asked("User ID: ")
    password = password or _asked("Setting password for user: ")
    if not user or not password:
        raise CommandError("a user needs a name and a password")
    done = subprocess.run(
        ["php", "-r", _HASH], input=password, capture_output=True, text=True, check=True
    )
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    uri = f"{database.as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as db, db:
        db.execute(
            "INSERT INTO users VALUES (?, ?, ?)"
            " ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash",
            (user, done.stdout, now),
        )


def _asked(prompt: str) -> str:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(prompt) if "password" in prompt else input(prompt)
    return sys.stdin.readline().rstrip("\n")
