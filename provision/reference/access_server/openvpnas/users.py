"""User properties and one-time passwords."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping

from openvpnas import keys, passwords
from openvpnas.database import Database
from openvpnas.errors import AccessServerError, InvalidValue
from openvpnas.paths import Paths

SCHEMA = """
CREATE TABLE IF NOT EXISTS properties (
    user TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (user, key));
CREATE TABLE IF NOT EXISTS one_time_passwords (
    user TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (user, digest));
"""
AUTOLOGIN_SUFFIX = "_AUTOLOGIN"
PASSWORD_PROPERTY = "pvt_password_digest"  # noqa: S105 - the property's name, not a password


def check_name(user: str) -> str:
    """Give the name back, or refuse it: it becomes a certificate's common name."""
    name = r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,47}"  # a leading "-" would make it an option
    if re.fullmatch(name, user) is None or user.endswith(AUTOLOGIN_SUFFIX):
        raise InvalidValue("user", user, "1 to 48 letters, digits, or any of _ . @ -")
    return user


def check_property(key: str, value: str) -> None:
    """Refuse a property that no program could be given to read; raises InvalidValue."""
    if re.fullmatch(r"[A-Za-z0-9_]{1,64}(\.[A-Za-z0-9_]{1,64}){0,8}", key) is None:
        raise InvalidValue("key", key, "letters, digits and underscores, joined by dots")
    if not keys.is_text(value):
        raise InvalidValue(key, "(hidden)" if key.startswith("pvt_") else value, keys.TEXT)


class Users:
    """The users of one node: a user is who has at least one property."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def at(cls, paths: Paths) -> Users:
        """Give the live users of a node."""
        return cls(Database(paths.users_db, SCHEMA))

    def properties(self, user: str = "") -> dict[str, dict[str, str]]:
        """Give {user: {property: value}} of all users, or of one (empty if unknown)."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT user, key, value FROM properties WHERE ? IN ('', user) ORDER BY user, key",
                (user,),
            ).fetchall()
        found: dict[str, dict[str, str]] = {}
        for name, key, value in rows:
            found.setdefault(name, {})[key] = value
        return found

    def put(self, user: str, key: str, value: str) -> None:
        """Set one property; a user that did not exist comes to be."""
        check_name(user)
        check_property(key, value)
        with self.database.changing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO properties VALUES (?, ?, ?)", (user, key, value)
            )

    def delete(self, user: str, key: str) -> bool:
        """Remove one property; False if it was not set."""
        with self.database.changing() as connection:
            return (
                connection.execute(
                    "DELETE FROM properties WHERE user = ? AND key = ?", (user, key)
                ).rowcount
                > 0
            )

    def delete_all(self, user: str) -> bool:
        """Remove the user with all that belongs to it; False if there was none."""
        with self.database.changing() as connection:
            connection.execute("DELETE FROM one_time_passwords WHERE user = ?", (user,))
            return connection.execute("DELETE FROM properties WHERE user = ?", (user,)).rowcount > 0

    def set_password(self, user: str, password: str) -> None:
        """Set a user's local password."""
        if not password:
            raise AccessServerError("an empty password is not accepted")
        self.put(user, "type", "user_connect")
        self.put(user, PASSWORD_PROPERTY, passwords.digest(password))

    def add_one_time_passwords(self, user: str, words: Iterable[str]) -> int:
        """Add passwords of which each opens the door once; gives how many are unused now."""
        self.put(user, "type", "user_connect")
        with self.database.changing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO one_time_passwords VALUES (?, ?)",
                [(user, passwords.one_time_digest(user, word)) for word in words if word],
            )
        return self.unused_one_time_passwords(user)

    def unused_one_time_passwords(self, user: str) -> int:
        """Count the one-time passwords that were not used yet."""
        with self.database.reading() as connection:
            row = connection.execute(
                "SELECT count(*) FROM one_time_passwords WHERE user = ?", (user,)
            ).fetchone()
        return int(row[0])

    def has(self, user: str, key: str) -> bool:
        """Whether a property of a user says "true"."""
        return _says(self.properties(user).get(user, {}), key)

    def denied(self) -> list[str]:
        """Give the names of users that may not connect (`prop_deny`)."""
        return [name for name, kept in self.properties().items() if _says(kept, "prop_deny")]

    def is_administrator(self, user: str, password: str) -> bool:
        """Whether this is the password of a user who may administrate."""
        return bool(self.begin_session(user, password, ""))

    def begin_session(self, user: str, password: str, secret: str) -> str:
        """Give what this administrator's session is known by, "" for whoever may not have one.

        As much work for a user that does not exist, or may not, as for one who may.
        """
        kept = self.properties(user).get(user, {}) if user else {}
        right = passwords.matches(password, kept.get(PASSWORD_PROPERTY, ""))
        return _session(user, kept, secret) if right and _may_administrate(kept) else ""

    def goes_on(self, user: str, begun: str, secret: str) -> bool:
        """Whether a session that `begin_session` began is still one.

        Not after a change of the password, also to the same one, nor once the user is denied.
        """
        kept = self.properties(user).get(user, {}) if user else {}
        now = _session(user, kept, secret)
        return _may_administrate(kept) and hmac.compare_digest(now.encode(), begun.encode())


def _session(user: str, kept: Mapping[str, str], secret: str) -> str:
    """Tell a session by its user and password; without `secret` nobody gets from it to those."""
    told = f"{user}\0{kept.get(PASSWORD_PROPERTY, '')}"
    return hmac.new(secret.encode(), told.encode(), hashlib.sha256).hexdigest()


def _may_administrate(kept: Mapping[str, str]) -> bool:
    """Whether a user with these properties may log in to the admin pages: `prop_deny` forbids."""
    return _says(kept, "prop_superuser") and not _says(kept, "prop_deny")


def _says(kept: Mapping[str, str], key: str) -> bool:
    return kept.get(key, "").lower() == "true"
