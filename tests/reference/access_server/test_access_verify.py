"""The programs that OpenVPN starts at log-ins, connects and disconnects."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from openvpnas import passwords, verify
from openvpnas.paths import Paths
from openvpnas.users import Users


def log_in(paths: Paths, user: str, password: str, common_name: str) -> bool:
    return verify.log_in(str(paths.users_db), user, password, common_name)[0]


def test_a_one_time_password_opens_once(paths: Paths, users: Users):
    users.add_one_time_passwords("alice", ["one"])
    assert log_in(paths, "alice", "one", "alice")
    assert not log_in(paths, "alice", "one", "alice")


def test_a_one_time_password_of_another_user_does_not_open(paths: Paths, users: Users):
    users.add_one_time_passwords("alice", ["one"])
    users.put("bob", "type", "user_connect")
    assert not log_in(paths, "bob", "one", "bob")
    assert users.unused_one_time_passwords("alice") == 1


def test_using_a_one_time_password_makes_the_database_newer(paths: Paths, users: Users):
    users.add_one_time_passwords("alice", ["one"])
    before = users.database.number("serial")
    log_in(paths, "alice", "one", "alice")
    assert users.database.number("serial") > before


def test_a_local_password_opens_every_time(paths: Paths, users: Users):
    users.set_password("alice", "secret")
    assert log_in(paths, "alice", "secret", "alice")
    assert log_in(paths, "alice", "secret", "alice")


def test_a_denied_user_is_refused_and_keeps_the_one_time_password(paths: Paths, users: Users):
    users.add_one_time_passwords("alice", ["one"])
    users.put("alice", "prop_deny", "true")
    assert not log_in(paths, "alice", "one", "alice")
    assert users.unused_one_time_passwords("alice") == 1


@pytest.mark.parametrize("name", ["known", "once", "denied", "nobody"])
def test_whoever_is_refused_costs_one_hash(
    paths: Paths, users: Users, monkeypatch: pytest.MonkeyPatch, name: str
):
    users.set_password("known", "right")
    users.set_password("denied", "wrong")
    users.put("denied", "prop_deny", "true")
    users.add_one_time_passwords("once", ["right"])
    rounds: list[int] = []
    make = hashlib.pbkdf2_hmac
    monkeypatch.setattr(
        hashlib, "pbkdf2_hmac", lambda *given: rounds.append(given[-1]) or make(*given)
    )
    assert not log_in(paths, name, "wrong", name)
    assert rounds == [passwords.ROUNDS]


def test_a_local_password_is_not_taken_for_a_one_time_password(paths: Paths, users: Users):
    users.set_password("alice", "same")
    users.add_one_time_passwords("alice", ["same"])
    assert log_in(paths, "alice", "same", "alice")
    assert users.unused_one_time_passwords("alice") == 1


def test_the_certificate_of_another_user_is_refused(paths: Paths, users: Users):
    users.set_password("alice", "secret")
    assert not log_in(paths, "alice", "secret", "mallory")


def test_an_auto_login_certificate_needs_no_user_name(paths: Paths, users: Users):
    users.put("alice", "prop_autologin", "true")
    assert log_in(paths, "", "", "alice_AUTOLOGIN")


def test_an_auto_login_certificate_without_the_property_is_refused(paths: Paths, users: Users):
    users.put("alice", "type", "user_connect")
    assert not log_in(paths, "", "", "alice_AUTOLOGIN")


def test_a_user_certificate_without_a_user_name_is_refused(paths: Paths, users: Users):
    users.put("alice", "prop_autologin", "true")
    assert not log_in(paths, "", "", "alice")


@pytest.mark.parametrize(("password", "status"), [("one", 0), ("two", 1)])
def test_the_program_answers_openvpn_by_its_exit_code_and_logs_the_call(
    installed: Path, paths: Paths, users: Users, tmp_path: Path, password: str, status: int
):
    users.add_one_time_passwords("alice", ["one"])
    credentials, log = tmp_path / "credentials", tmp_path / "node.log"
    credentials.write_text(f"alice\n{password}\n")
    program = installed / "usr/local/openvpn_as/libexec/verify-user"
    done = subprocess.run(
        [program, paths.users_db, log, credentials],
        env={**os.environ, "common_name": "alice"},
        check=False,
    )
    assert done.returncode == status
    assert log.read_text().count("auth-user-pass-verify user='alice'") == 1
    assert password not in log.read_text().replace("one-time", "")


def test_the_program_loads_neither_flask_nor_cryptography():
    source = Path(verify.__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(source)!r}); import openvpnas.verify; " + (
        "print(sorted({'flask', 'cryptography', 'subprocess', 'dataclasses', 'pathlib'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-ISc", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def session(paths: Paths, tmp_path: Path, name: str, script: str) -> tuple[int, str]:
    program = Path(verify.__file__).parents[1] / "libexec/session"
    log, denied = tmp_path / "sessions.log", tmp_path / "denied"
    denied.write_text("mallory\n")
    done = subprocess.run(
        [program, log, denied],
        env={
            "PATH": os.environ["PATH"],
            "script_type": script,
            "common_name": name,
            "trusted_ip": "198.51.100.20",
            "trusted_port": "4711",
            "ifconfig_pool_remote_ip": "172.27.224.2",
        },
        check=False,
    )
    return done.returncode, log.read_text() if log.exists() else ""


def test_a_connect_is_kept_as_one_line(paths: Paths, tmp_path: Path):
    status, kept = session(paths, tmp_path, "alice_AUTOLOGIN", "client-connect")
    assert status == 0
    _, event, user, name, client, tunnel, *_ = kept.rstrip("\n").split("\t")
    assert (event, user, name) == ("connect", "alice", "alice_AUTOLOGIN")
    assert (client, tunnel) == ("198.51.100.20:4711", "172.27.224.2")


@pytest.mark.parametrize("name", ["mallory", "mallory_AUTOLOGIN"])
def test_a_denied_user_cannot_connect_even_with_a_valid_token(
    paths: Paths, tmp_path: Path, name: str
):
    assert session(paths, tmp_path, name, "client-connect") == (1, "")


def test_every_guest_program_can_be_executed():
    source = Path(verify.__file__).parents[1]
    for folder in ("bin", "scripts", "libexec", "libexec/alone"):
        for program in (source / folder).iterdir():
            if program.suffix == ".sh":
                continue  # sourced
            assert program.stat().st_mode & stat.S_IXUSR, program
