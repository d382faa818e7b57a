"""The log-in check that OpenVPN runs: `verify-user USERS_DB LOG FILE` (auth-user-pass-verify).

It judges every password, never a session token that OpenVPN itself accepted: a line a call in the
node's log shows which happened. OpenVPN waits for it, on machines that may be emulated: usually
the running service judges (`asked`), and the program by itself imports only what it needs.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time

from openvpnas import passwords

AUTOLOGIN_SUFFIX = "_AUTOLOGIN"


def log_in(database: str, user: str, password: str, common_name: str) -> tuple[bool, str]:
    """Judge a log-in; gives (accepted, why). A one-time password that fits is used up."""
    if not user:
        if not common_name.endswith(AUTOLOGIN_SUFFIX):
            return False, "no user name, and no auto-login certificate"
        return _by_certificate(database, common_name[: -len(AUTOLOGIN_SUFFIX)])
    if common_name not in (user, user + AUTOLOGIN_SUFFIX):
        return False, "certificate of another user"
    connection = sqlite3.connect(database, timeout=10, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        verdict = _by_password(connection, user, password)
        connection.execute("COMMIT")
    finally:
        connection.close()
    return verdict


def _by_certificate(database: str, user: str) -> tuple[bool, str]:
    connection = sqlite3.connect(database, timeout=10)
    try:
        kept = _properties(connection, user)
    finally:
        connection.close()
    if kept.get("prop_deny", "").lower() == "true":
        return False, "denied"
    return kept.get("prop_autologin", "").lower() == "true", "auto-login"


def _by_password(connection: sqlite3.Connection, user: str, password: str) -> tuple[bool, str]:
    """Whoever is refused has cost the same work, known or not: time must not tell who exists."""
    kept = _properties(connection, user)
    digest = kept.get("pvt_password_digest", "")
    denied = kept.get("prop_deny", "").lower() == "true"
    one_time = (user, passwords.one_time_digest(user, password))
    unused = connection.execute(
        "SELECT count(*) FROM one_time_passwords WHERE user = ? AND digest = ?", one_time
    ).fetchone()[0]
    # a one-time password alone needs no slow digest: that it was right is no secret
    right = (digest or denied or not unused) and passwords.matches(password, digest)
    if denied:
        return False, "denied"
    if right:
        return True, "password"
    if not unused:
        return False, "wrong or used password"
    connection.execute("DELETE FROM one_time_passwords WHERE user = ? AND digest = ?", one_time)
    connection.execute("UPDATE meta SET value = value + 1 WHERE name = 'serial'")
    return True, "one-time password"


def _properties(connection: sqlite3.Connection, user: str) -> dict[str, str]:
    query = "SELECT key, value FROM properties WHERE user = ?"
    return dict(connection.execute(query, (user,)).fetchall())


def _write_line(log: str, text: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    with open(log, "a", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs start-up time
        file.write(f'{stamp} [stdout#info] [AUTH] OUT: "{text}"\n')


def judge(database: str, log: str, credentials: str, common_name: str) -> int:
    """Judge the log-in that the file holds, and log the verdict: 0 accepts, 1 refuses."""
    with open(credentials, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs start-up time
        user, password = [*file.read().split("\n"), "", ""][:2]
    accepted, why = log_in(database, user, password, common_name)
    outcome = "accepted" if accepted else "refused"
    _write_line(log, f"auth-user-pass-verify user={user!r} cn={common_name!r} {outcome}: {why}")
    return 0 if accepted else 1


def main(arguments: list[str]) -> int:
    """Run as OpenVPN's script."""
    database, log, credentials = arguments
    common_name = os.environ.get("common_name", "")  # noqa: SIM112 - OpenVPN's spelling
    return judge(database, log, credentials, common_name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
