"""Configuration, users and passwords as a node keeps them."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openvpnas import keys, passwords, ucarp_options
from openvpnas.config import Config
from openvpnas.database import Database
from openvpnas.errors import InvalidValue
from openvpnas.paths import Paths
from openvpnas.users import PASSWORD_PROPERTY, Users


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


@pytest.mark.parametrize(
    "value",
    [
        "--upscript=/tmp/x",
        "--upscript /tmp/x",
        "-u /tmp/x",
        "-u/tmp/x",
        "--ups=/tmp/x",
        "-r 10 --upscript=/tmp/x",
        "-r10 '--upscript=/tmp/x'",
        "-r --upscript=/tmp/x",
        "-M\n-u\n/tmp/x",
        "-Mu/tmp/x",
        "--downscript=/tmp/x",
        "-d /tmp/x",
        "--xparam=x",
        "-x y",
        "--daemonize",
        "-B",
        "--passfile=/etc/shadow",
        "-o /etc/shadow",
        "--pass=x",
        "-p x",
        "--interface=lo",
        "-i lo",
        "--srcip=127.0.0.1",
        "-s 127.0.0.1",
        "--vhid=1",
        "-v 1",
        "--addr=192.0.2.1",
        "-a 192.0.2.1",
        "--preempt",
        "-P",
        "--pidfile=/tmp/x",
        "--help",
        "--",
        "-",
        "x",
        "--deadratio",
        "--deadratio=",
        "--deadratio=0",
        "--deadratio=9999",
        "--deadratio=٣",
        "--deadratio=3;reboot",
        "--advbase=0",
        "--debug=1",
        "--mcast=192.0.2.1",
        "--mcast=224.0.0.18 x",
        "--facility=../x",
        "--deadratio=3\x00",
        '--deadratio="3',
    ],
)
def test_an_option_of_ucarp_that_is_not_on_the_list_is_refused(config: Config, value: str):
    with pytest.raises(InvalidValue, match=r"ucarp\.extra_parms"):
        config.put({"ucarp.extra_parms": value})
    assert config.get("ucarp.extra_parms") == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", []),
        ("-r 10", ["--deadratio=10"]),
        ("-r10 -b2 -k 100", ["--deadratio=10", "--advbase=2", "--advskew=100"]),
        ("--deadratio 10 --nomcast", ["--deadratio=10", "--nomcast"]),
        ("-M -S -D", ["--nomcast", "--ignoreifstate", "--debug"]),
        ("--mcast='239.192.0.1'", ["--mcast=239.192.0.1"]),
        ("-f none --facility=local0", ["--facility=none", "--facility=local0"]),
    ],
)
def test_options_of_ucarp_that_are_on_the_list_become_one_word_each(value: str, words: list[str]):
    keys.check("ucarp.extra_parms", value)
    assert ucarp_options.parse(value) == words


@given(st.lists(st.sampled_from(["-u", "-d", "--upscript", "-r", "3", "-M", "=", "x", "--"])))
def test_whatever_the_options_say_ucarp_gets_words_of_the_list_only(words: list[str]):
    for text in (" ".join(words), "".join(words)):
        try:
            found = ucarp_options.parse(text)
        except ucarp_options.NotAllowed:
            continue
        assert {word.partition("=")[0] for word in found} <= set(ucarp_options.ALLOWED)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("failover.primary.host", "-oProxyCommand=reboot"),
        ("failover.primary.host", "192.0.2.1\n"),
        ("failover.primary.host", "192.0.2.1 x"),
        ("failover.primary.ssh_user", "-oProxyCommand=reboot"),
        ("failover.primary.ssh_user", "root\n"),
        ("failover.primary.ssh_port", "22 -oProxyCommand=reboot"),
        ("failover.primary.ssh_port", "1" * 5000),
        ("failover.secondary.ssh_password", "a\nb"),
        ("failover.secondary.ssh_password", "a\x00b"),
        ("failover.secondary.ssh_password", "x" * 256),
        ("failover.vip", "192.0.2.1\n"),
        ("host.name", "-host"),
        ("host.name", "a\nremote evil.example"),
        ("host.name", "a\n"),
        ("host.name", "x" * 300),
        ("keepalived.advert_int", "٣"),
        ("keepalived.advert_int", "1\n}"),
        ("keepalived.version", "2\n"),
        ("ucarp.password", "a\nb"),
        ("vpn.server.daemon.udp.port", "1194\nup /tmp/x"),
        ("vpn.daemon.0.client.network", "172.27.224.0\nup /tmp/x"),
        ("vpn.server.port_share.ip_address", "127.0.0.1\n"),
        ("vpn.server.config_text", "mssfix 1300\x00"),
        ("vpn.server.config_text", "# \udcff"),
        ("vpn.server.config_text", "x" * 70_000),
        ("a.key.of.nobody", "a\nb"),
        ("a.key.of.nobody", "\x1b[2J"),
        ("-key", "x"),
        ("a\nb", "x"),
        ("a b", "x"),
        ("../../etc/passwd", "x"),
        ("a" * 70, "x"),
        ("", "x"),
    ],
)
def test_a_value_that_would_be_more_than_a_value_is_refused(config: Config, key: str, value: str):
    before = config.all()
    with pytest.raises(InvalidValue) as refused:
        config.put({key: value})
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000
    assert config.all() == before


def test_text_of_several_lines_is_for_openvpns_own_configuration_only(config: Config):
    config.put({"vpn.server.config_text": "mssfix 1300\n# tab:\t"})
    assert config.get("vpn.server.config_text") == "mssfix 1300\n# tab:\t"


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


@pytest.mark.parametrize(
    "name", ["", "a b", "x" * 49, "alice_AUTOLOGIN", "a/b", "a\nb", "a\n", "-a", "..", "é"]
)
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


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the rounds of every slow hash that is made."""
    rounds: list[int] = []
    make = hashlib.pbkdf2_hmac

    def counted(name: str, password: bytes, salt: bytes, count: int) -> bytes:
        rounds.append(count)
        return make(name, password, salt, count)

    monkeypatch.setattr(passwords.hashlib, "pbkdf2_hmac", counted)
    return rounds


@pytest.mark.parametrize("password", ["right", "wrong", "", "\udcff", "x" * 5000])
@pytest.mark.parametrize("name", ["boss", "denied", "plain", "once", "odd", "nobody", "", "a\nb"])
def test_a_log_in_of_an_administrator_costs_one_hash_whoever_asks(
    users: Users, hashed: list[int], name: str, password: str
):
    for user in ("boss", "denied", "plain"):
        users.set_password(user, "right")
    for user in ("boss", "denied"):
        users.put(user, "prop_superuser", "true")
    users.put("denied", "prop_deny", "true")
    users.add_one_time_passwords("once", ["right"])
    users.put("odd", PASSWORD_PROPERTY, "pbkdf2_sha256$1$00$00")
    hashed.clear()
    right = users.is_administrator(name, password)
    assert right == ((name, password) == ("boss", "right"))
    assert hashed == [passwords.ROUNDS]


def test_a_denied_administrator_is_none(users: Users):
    users.set_password("boss", "right")
    users.put("boss", "prop_superuser", "true")
    assert users.is_administrator("boss", "right")
    users.put("boss", "prop_deny", "TRUE")
    assert not users.is_administrator("boss", "right")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("", "x"),
        ("a b", "x"),
        ("a\nb", "x"),
        ("-a", "x"),
        ("prop_deny", "true\nfalse"),
        ("prop_deny", "\x00"),
        ("prop_deny", "\x1b[31m"),
        ("prop_deny", "\udcff"),
        ("prop_deny", "x" * 70_000),
    ],
)
def test_a_property_that_is_no_text_is_refused(users: Users, key: str, value: str):
    with pytest.raises(InvalidValue):
        users.put("alice", key, value)
    assert users.properties("alice") == {}


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
