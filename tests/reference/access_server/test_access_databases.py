"""Configuration, users and passwords as a node keeps them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openvpnas import keys, passwords
from openvpnas.config import Config
from openvpnas.database import Database
from openvpnas.errors import InvalidValue
from openvpnas.paths import Paths
from openvpnas.users import Users


def test_a_key_that_was_put_is_read_back(config: Config):
    config.put({"host.name": "vpn.example.net"})
    assert config.get("host.name") == "vpn.example.net"


def test_a_deleted_key_has_its_default_again(config: Config):
    config.put({"ucarp.vhid": "77"})
    config.delete("ucarp.vhid")
    assert config.get("ucarp.vhid") == "94"


def test_one_refused_value_leaves_all_keys_as_they_were(config: Config):
    before = config.all()
    with pytest.raises(InvalidValue):
        config.put({"host.name": "other.example.org", "ucarp.vhid": "256"})
    assert config.all() == before


@pytest.mark.parametrize("vhid", ["0", "256", "300", "-1", "", "9x", "٣"])
def test_a_vhid_outside_1_to_255_is_refused(vhid: str):
    with pytest.raises(InvalidValue, match=r"ucarp\.vhid"):
        keys.check("ucarp.vhid", vhid)


@given(st.integers(1, 255))
def test_every_vhid_from_1_to_255_is_accepted(vhid: int):
    keys.check("ucarp.vhid", str(vhid))


def test_a_ucarp_password_of_19_characters_is_accepted():
    keys.check("ucarp.password", "x" * 19)


def test_a_ucarp_password_of_20_characters_is_refused_and_not_shown():
    with pytest.raises(InvalidValue) as refused:
        keys.check("ucarp.password", "s" * 20)
    assert "s" * 20 not in str(refused.value)


def test_extra_parms_with_an_open_quote_are_refused():
    with pytest.raises(InvalidValue):
        keys.check("ucarp.extra_parms", '--upscript "x')


def test_a_renewal_that_openvpn_would_refuse_is_refused():
    with pytest.raises(InvalidValue):
        keys.check("vpn.tls_refresh.interval", "1")


def test_every_default_is_a_value_that_would_be_accepted():
    for key, value in keys.DEFAULTS.items():
        keys.check(key, value)


def test_a_change_that_fails_half_way_is_not_kept(config: Config):
    database = config.database
    serial = database.number("serial")
    script = "INSERT INTO config VALUES ('a', 'b'); nonsense"
    with pytest.raises(sqlite3.Error), database.changing() as connection:
        [connection.execute(statement) for statement in script.split(";")]
    assert "a" not in config.all()
    assert database.number("serial") == serial


def test_every_change_raises_the_serial(config: Config):
    before = config.database.number("serial")
    config.put({"host.name": "a.example"})
    config.put({"host.name": "a.example"})
    assert config.database.number("serial") == before + 2


def test_a_database_that_is_not_there_is_not_made_by_reading(tmp_path):
    paths = Paths(tmp_path)
    with pytest.raises(sqlite3.OperationalError):
        Config.at(paths).all()
    assert not paths.config_db.exists()


def test_removing_a_user_removes_its_one_time_passwords(users: Users):
    users.add_one_time_passwords("alice", ["a", "b"])
    users.delete_all("alice")
    assert users.unused_one_time_passwords("alice") == 0
    assert users.properties("alice") == {}


@pytest.mark.parametrize("name", ["", "a b", "x" * 49, "alice_AUTOLOGIN", "a/b", "a\nb"])
def test_a_name_that_cannot_be_a_certificates_is_refused(users: Users, name: str):
    with pytest.raises(InvalidValue):
        users.put(name, "prop_autologin", "true")


def test_only_a_superuser_with_the_right_password_is_an_administrator(users: Users):
    users.set_password("boss", "right")
    assert not users.is_administrator("boss", "right")
    users.put("boss", "prop_superuser", "true")
    assert users.is_administrator("boss", "right")
    assert not users.is_administrator("boss", "wrong")
    assert not users.is_administrator("nobody", "")


@given(st.text(max_size=60))
def test_a_digest_that_digest_did_not_make_matches_no_password(kept: str):
    assert not passwords.matches("word", kept)


def test_a_database_that_is_being_made_is_not_found_before_it_has_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(tmp_path / "etc" / "config.db", "CREATE TABLE IF NOT EXISTS t (x);")
    connect = sqlite3.connect

    def looking(*arguments, **options) -> sqlite3.Connection:
        if database.exists:
            with connect(database.path) as other:
                assert other.execute("SELECT value FROM meta").fetchall() == [(0,)]
        return connect(*arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", looking)
    database.create()
    database.create()
    assert database.number("serial") == 0
    assert [path.name for path in database.path.parent.iterdir()] == ["config.db"]
