"""The controller's API: who may ask, and how it answers."""

from __future__ import annotations

import base64
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.reference.drop_in import NODE, PORTAL, Machine, guide_config, guide_profile

LEASE = {"profile_id": "node-a", "ip4": "10.1.0.2", "ip6": "fd00:1:1:1:0::2"}
Ask = Callable[..., Any]


@pytest.fixture
def client(machine: Machine) -> FlaskClient:
    from vpn_server_api.app import create_app

    return create_app(machine.root).test_client()


def credentials(consumer: tuple[str, str]) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(":".join(consumer).encode()).decode()}


@pytest.fixture
def get(client: FlaskClient) -> Ask:
    def ask(call: str, consumer: tuple[str, str] = PORTAL, **query: str) -> Any:
        return client.get(f"/{call}", query_string=query, headers=credentials(consumer))

    return ask


@pytest.fixture
def post(client: FlaskClient) -> Ask:
    def ask(call: str, consumer: tuple[str, str] = PORTAL, **form: Any) -> Any:
        return client.post(f"/{call}", data=form, headers=credentials(consumer))

    return ask


@pytest.fixture
def common_name(machine: Machine) -> str:
    """Make a certificate known to the controller, without the cost of its key."""
    from vpn_server_api.controller import Controller

    name = "0123456789abcdef" * 2
    with Controller(machine.root).storage() as storage:
        storage.add_certificate(name, "alice", "laptop", (0, 2**31), None)
    return name


def log_rows(machine: Machine) -> list[dict[str, Any]]:
    from vpn_server_api.controller import Controller

    with Controller(machine.root).storage() as storage:
        rows = storage.db.execute("SELECT * FROM connection_log ORDER BY rowid").fetchall()
    return [dict(row) for row in rows]


# Who may ask


@pytest.mark.parametrize("path", ["", "/profile_list", "/nonsense"])
def test_without_credentials_every_path_is_401_in_the_guides_words(
    client: FlaskClient, path: str
) -> None:
    answer = client.get(path, base_url="https://localhost/vpn-server-api/api.php")
    assert answer.status_code == 401
    assert answer.data == b'{"error":"missing authentication information"}'
    assert answer.content_type == "application/json"
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="vpn-server-backend"'


def test_a_wrong_secret_is_401(get: Ask) -> None:
    answer = get("profile_list", ("vpn-server-node", "guessed"))
    assert (answer.status_code, answer.json) == (
        401,
        {"error": "invalid authentication information"},
    )


def test_a_browser_gets_plain_text(client: FlaskClient) -> None:
    answer = client.get("/profile_list", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 401
    assert answer.text == "401: missing authentication information"
    assert answer.mimetype == "text/plain"


def test_an_unknown_call_is_404(get: Ask) -> None:
    answer = get("nonsense")
    assert (answer.status_code, answer.data) == (404, b'{"error":"\\"/nonsense\\" not found"}')


def test_the_wrong_method_is_405_and_names_the_right_one(post: Ask) -> None:
    answer = post("profile_list")
    assert (answer.status_code, answer.json) == (405, {"error": 'method "POST" not allowed'})
    assert answer.headers["Allow"] == "GET"


def test_a_node_may_not_ask_for_client_certificates(post: Ask) -> None:
    answer = post("add_client_certificate", NODE)
    error = 'user "vpn-server-node" is not allowed to perform this operation'
    assert (answer.status_code, answer.json) == (403, {"error": error})


def test_missing_and_wrong_parameters_are_400(get: Ask, post: Ask) -> None:
    assert get("server_info").json == {"error": 'missing query parameter "profile_id"'}
    assert post("kill_client").json == {"error": 'missing post parameter "common_name"'}
    answer = post("kill_client", common_name="../../ca")
    assert (answer.status_code, answer.json) == (400, {"error": 'invalid "common_name"'})


# Profiles and configuration


def test_profiles_are_listed_with_every_option(get: Ask) -> None:
    answer = get("profile_list", NODE)
    assert answer.json["profile_list"]["ok"] is True
    profile = answer.json["profile_list"]["data"]["node-a"]
    assert profile["listen"] == "::"
    assert profile["vpnProtoPorts"] == ["udp/1194", "tcp/1194"]
    assert list(profile) == sorted(profile)


def test_an_edited_configuration_is_seen_without_a_restart(machine: Machine, get: Ask) -> None:
    get("profile_list")
    machine.write_config(
        "vpn-server-api", guide_config(vpnProfiles={"other": guide_profile(3, "c")})
    )
    assert list(get("profile_list").json["profile_list"]["data"]) == ["other"]


def test_php_that_does_not_parse_is_500_with_nothing_in_it(machine: Machine, get: Ask) -> None:
    (machine.root / "etc/vpn-server-api/config.php").write_text("<?php return [;\n")
    answer = get("profile_list")
    assert (answer.status_code, answer.data) == (500, b"")


def test_an_unknown_profile_is_no_section(post: Ask, common_name: str) -> None:
    lease = {**LEASE, "profile_id": "nope", "common_name": common_name}
    answer = post("connect", NODE, **lease, connected_at="1586174400")
    assert (answer.status_code, answer.json) == (500, {"error": '"nope" is not a section'})


# Certificates and keys


def test_a_node_gets_a_certificate_that_ends_with_the_ca(machine: Machine, post: Ask) -> None:
    answer = post(
        "add_server_certificate", NODE, profile_id="node-a", common_name="20200406.node-a"
    )
    found = answer.json["add_server_certificate"]["data"]
    assert answer.status_code == 201
    assert found["valid_to"] - found["valid_from"] > 4 * 365 * 86400
    key = machine.root / "var/lib/vpn-server-api/tls-crypt-node-a.key"
    assert key.read_text() == found["tls_crypt"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert [len(line) for line in found["tls_crypt"].splitlines()[4:-1]] == [32] * 16


def test_the_portal_is_told_when_no_node_has_made_the_profiles_key(get: Ask) -> None:
    answer = get("server_info", profile_id="node-a")
    assert answer.status_code == 500
    assert answer.json["error"].endswith('tls-crypt-node-a.key" could not be found')


def test_ta_key_wins_over_every_profiles_key(machine: Machine, get: Ask) -> None:
    data = machine.root / "var/lib/vpn-server-api"
    (data / "tls-crypt-node-b.key").write_text("of its own")
    (data / "ta.key").write_text("shared")
    answer = get("server_info", profile_id="node-b")
    assert answer.json["server_info"]["data"]["tls_crypt"] == "shared"


def test_a_ta_key_that_cannot_be_read_is_500_for_node_and_portal(
    machine: Machine, get: Ask, post: Ask
) -> None:
    # A directory is unreadable as a file even for root, whom modes don't stop.
    key = machine.root / "var/lib/vpn-server-api/ta.key"
    key.mkdir()
    named = machine.root / "usr/share/vpn-server-api/data/ta.key"
    error = {"error": f'unable to read file "{named}"'}
    for answer in (
        get("server_info", profile_id="node-a"),
        post("add_server_certificate", NODE, profile_id="node-a", common_name="x"),
    ):
        assert (answer.status_code, answer.json) == (500, error)


def test_a_client_certificate_is_listed_until_it_is_deleted(get: Ask, post: Ask) -> None:
    end = (datetime.now(UTC) + timedelta(days=90)).isoformat(timespec="seconds")
    made = post("add_client_certificate", user_id="bob", display_name="phone", expires_at=end)
    assert made.status_code == 201
    listed = get("client_certificate_list", user_id="bob").json["client_certificate_list"]["data"]
    assert [entry["display_name"] for entry in listed] == ["phone"]
    name = listed[0]["common_name"]
    assert post("delete_client_certificate", common_name=name).json == {
        "delete_client_certificate": {"ok": True}
    }
    gone = get("client_certificate_info", common_name=name).json
    assert gone == {"client_certificate_info": {"ok": True, "data": False}}
    assert post("delete_client_certificate", common_name=name).json == {
        "delete_client_certificate": {"ok": False, "error": "certificate does not exist"}
    }


# Connections


def test_an_unknown_certificate_may_not_connect(post: Ask) -> None:
    answer = post("connect", NODE, **LEASE, common_name="0" * 32, connected_at="1586174400")
    assert answer.status_code == 200
    assert answer.json == {"connect": {"ok": False, "error": "user or certificate does not exist"}}


def test_a_disabled_user_may_not_connect_until_enabled(post: Ask, common_name: str) -> None:
    connecting = {**LEASE, "common_name": common_name, "connected_at": "1586174400"}
    post("disable_user", user_id="alice")
    refused = post("connect", NODE, **connecting).json["connect"]
    assert refused == {
        "ok": False,
        "error": "[VPN] unable to connect, account is disabled",
    }
    post("enable_user", user_id="alice")
    assert post("connect", NODE, **connecting).json == {"connect": {"ok": True}}


def test_with_an_access_list_only_its_members_connect(
    machine: Machine, post: Ask, common_name: str
) -> None:
    profile = guide_profile(1, "a", enableAcl=True, aclPermissionList=["staff"])
    machine.write_config("vpn-server-api", guide_config(vpnProfiles={"node-a": profile}))
    connecting = {**LEASE, "common_name": common_name, "connected_at": "1586174400"}
    assert post("connect", NODE, **connecting).json["connect"]["ok"] is False
    post(
        "user_update_session_info",
        user_id="alice",
        session_expires_at="2030-01-01T00:00:00+00:00",
        permission_list='["staff"]',
    )
    assert post("connect", NODE, **connecting).json["connect"]["ok"] is True


def test_a_connection_is_logged_from_connect_to_disconnect(
    machine: Machine, post: Ask, common_name: str
) -> None:
    lease = {**LEASE, "common_name": common_name, "connected_at": "1586174400"}
    post("connect", NODE, **lease)
    post("disconnect", NODE, **lease, disconnected_at="1586174460", bytes_transferred="42")
    assert log_rows(machine) == [
        {
            "user_id": "alice",
            "profile_id": "node-a",
            "common_name": common_name,
            "ip4": "10.1.0.2",
            "ip6": "fd00:1:1:1::2",
            "connected_at": "2020-04-06T12:00:00+00:00",
            "disconnected_at": "2020-04-06T12:01:00+00:00",
            "bytes_transferred": 42,
            "client_lost": 0,
        }
    ]


def test_a_connect_to_taken_addresses_closes_the_open_row_as_lost(
    machine: Machine, post: Ask, common_name: str
) -> None:
    for moment in ("1586174400", "1586174500"):
        post("connect", NODE, **LEASE, common_name=common_name, connected_at=moment)
    lost, standing = log_rows(machine)
    assert (lost["client_lost"], lost["bytes_transferred"]) == (1, None)
    assert lost["disconnected_at"] == standing["connected_at"]
    assert standing["disconnected_at"] is None


def test_a_disconnect_of_nobody_is_ok(post: Ask) -> None:
    answer = post(
        "disconnect",
        NODE,
        **LEASE,
        common_name="0" * 32,
        connected_at="1",
        disconnected_at="2",
        bytes_transferred="0",
    )
    assert answer.json == {"disconnect": {"ok": True}}


def test_the_log_says_who_had_an_address_at_a_moment(get: Ask, post: Ask, common_name: str) -> None:
    post("connect", NODE, **LEASE, common_name=common_name, connected_at="1586174400")

    def asked(at: str) -> Any:
        return get("log", date_time=at, ip_address="10.1.0.2").json["log"]["data"]

    assert asked("2020-04-06 12:00:01")["user_id"] == "alice"
    assert asked("2020-04-06 11:59:59") is False


def test_every_profile_has_its_place_when_no_daemon_can_be_asked(
    machine: Machine, get: Ask
) -> None:
    profiles = {
        "node-a": guide_profile(1, "a", managementIp="127.0.0.1"),
        "node-b": guide_profile(2, "b", managementIp="127.0.0.1"),
    }
    machine.write_config("vpn-server-api", guide_config(vpnProfiles=profiles, useVpnDaemon=True))
    answer = get("client_connections")
    assert answer.json["client_connections"]["data"] == {"node-a": [], "node-b": []}


def test_who_reads_keeps_no_hook_waiting(machine: Machine) -> None:
    from vpn_server_api.controller import Controller

    database = Controller(machine.root).database
    with closing(sqlite3.connect(database)) as reads, closing(sqlite3.connect(database, 0)) as hook:
        reads.execute("BEGIN")
        reads.execute("SELECT * FROM users").fetchall()
        hook.execute("INSERT INTO users (user_id, session_expires_at) VALUES ('a', 'b')")
        hook.commit()


def test_a_hook_takes_as_long_however_long_the_log_is(machine: Machine) -> None:
    from vpn_server_api.controller import Controller
    from vpn_server_api.storage import Lease

    asked: list[str] = []
    lease = Lease("node-a", "0" * 32, "10.1.0.2", "fd00::2", "2020-04-06T12:00:00+00:00")
    with Controller(machine.root).storage() as storage:
        storage.db.set_trace_callback(asked.append)
        storage.log_connect("alice", lease)
        storage.log_disconnect(lease, "2020-04-06T13:00:00+00:00", 1)
        storage.db.set_trace_callback(None)
        updates = [one for one in asked if one.startswith("UPDATE")]
        plans = [storage.db.execute(f"EXPLAIN QUERY PLAN {one}").fetchall() for one in updates]
    assert len(plans) == 2
    assert not any("SCAN" in step["detail"] for plan in plans for step in plan)
