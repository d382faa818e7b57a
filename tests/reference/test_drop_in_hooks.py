"""The hooks that OpenVPN starts: shells that ask by curl, and the programs that do it alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.reference.drop_in import Machine
from tests.reference.test_drop_in_node import HOOKS, node_config

NAME = "0123456789abcdef" * 2
LEASE = {
    "PATH": os.environ["PATH"],
    "PROFILE_ID": "node-a",
    "common_name": NAME,
    "time_unix": "1586174400",
    "ifconfig_pool_remote_ip": "10.1.0.2",
    "ifconfig_pool_remote_ip6": "fd00:1:1:1::2",
}
GONE = {"time_duration": "60", "bytes_received": "40", "bytes_sent": "2"}
Said = tuple[int, str, str]


def configured(machine: Machine, uri: str, **options: Any) -> Machine:
    """Configure a node as before its first server-config: hooks do it alone."""
    machine.write_config("vpn-server-node", node_config(uri, **options))
    return machine


def kept(machine: Machine) -> Machine:
    """Keep for curl what server-config keeps."""
    from vpn_lib_common import php_config
    from vpn_server_node import curl_config
    from vpn_server_node.node import Node

    node = Node(machine.root)
    curl_config.keep(node, node.config_file.read_bytes(), php_config.read(node.config_file))
    return machine


def alone_is_gone(machine: Machine) -> Machine:
    """Leave nothing that could do it alone: 99 says that it was tried."""
    for program in (machine.root / HOOKS.lstrip("/") / "alone").iterdir():
        program.write_text("#!/bin/sh\nexit 99\n")
    return machine


def hook(machine: Machine, name: str, missing: tuple[str, ...] = (), **environment: str) -> Said:
    given = {**LEASE, **environment}
    env = {key: value for key, value in given.items() if key not in missing}
    done = machine.run(f"{HOOKS}/{name}", "ignored argument", env=env)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def client(machine: Machine, api_uri: str) -> Machine:
    """Give a node whose controller knows one client."""
    from vpn_server_api.controller import Controller

    with Controller(machine.root).storage() as storage:
        storage.add_certificate(NAME, "alice", "laptop", (0, 2**31), None)
    return configured(machine, api_uri)


@pytest.fixture(params=["alone", "by curl"])
def known_client(client: Machine, request: pytest.FixtureRequest) -> Machine:
    return kept(client) if request.param == "by curl" else client


def rows(machine: Machine) -> list[dict[str, Any]]:
    from vpn_server_api.controller import Controller

    with Controller(machine.root).storage() as storage:
        return [dict(row) for row in storage.db.execute("SELECT * FROM connection_log")]


def test_a_client_comes_and_goes_in_the_controllers_log(known_client: Machine) -> None:
    assert hook(known_client, "client-connect") == (0, "", "")
    assert hook(known_client, "client-disconnect", **GONE) == (0, "", "")
    (row,) = rows(known_client)
    assert (row["disconnected_at"], row["bytes_transferred"]) == ("2020-04-06T12:01:00+00:00", 42)


def test_a_refused_client_makes_the_hook_fail_with_the_reason(known_client: Machine) -> None:
    refused = hook(known_client, "client-connect", common_name="f" * 32)
    assert refused == (1, "", "client-connect: user or certificate does not exist\n")
    assert rows(known_client) == []


def test_a_controller_that_is_down_refuses_every_client(known_client: Machine) -> None:
    way = kept if (known_client.root / "etc/vpn-server-node/hooks/config.php").exists() else None
    configured(known_client, "http://127.0.0.1:1")
    if way is not None:
        way(known_client)
    code, _, error = hook(known_client, "client-connect")
    assert code == 1
    assert error.startswith('client-connect: failure performing the HTTP request: "')
    assert error.endswith('"\n')


def test_a_missing_variable_fails_the_hook(known_client: Machine) -> None:
    code, _, error = hook(known_client, "client-disconnect")
    assert (code, error) == (1, 'client-disconnect: item "time_duration" not available\n')


ODD: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("client-connect", {"common_name": "a&ip4=10.0.0.1 %20+\"'\\é="}, ()),
    ("client-connect", {"common_name": ""}, ()),
    ("client-connect", {"PROFILE_ID": "node-z"}, ()),
    ("client-connect", {"ifconfig_pool_remote_ip": "nowhere"}, ()),
    ("client-connect", {"time_unix": "soon"}, ()),
    ("client-connect", {}, ("PROFILE_ID",)),
    ("client-connect", {}, ("common_name", "time_unix")),
    ("client-disconnect", {**GONE, "bytes_sent": "many"}, ()),
    ("client-disconnect", {**GONE, "bytes_sent": "010"}, ()),
    ("client-disconnect", {**GONE, "bytes_received": "4294967296000"}, ()),
    ("client-disconnect", {**GONE, "time_duration": ""}, ()),
    ("client-disconnect", GONE, ("ifconfig_pool_remote_ip6",)),
]


@pytest.mark.parametrize(("name", "environment", "missing"), ODD)
def test_a_hook_says_the_same_by_curl_as_alone(
    client: Machine, name: str, environment: dict[str, str], missing: tuple[str, ...]
) -> None:
    alone = hook(client, name, missing, **environment)
    log = rows(client)
    asked = hook(kept(client), name, missing, **environment)
    assert asked == alone
    assert [{**row, "id": 0} for row in rows(client)] == [{**row, "id": 0} for row in log]


@pytest.mark.parametrize(
    ("secret", "path"), [("guessed", ""), ("node-secret", "/nowhere"), ('a "b\\c$(id)', "")]
)
def test_a_wrong_secret_or_address_is_said_the_same_by_curl_as_alone(
    client: Machine, api_uri: str, secret: str, path: str
) -> None:
    configured(client, api_uri + path, apiPass=secret)
    alone = hook(client, "client-connect")
    assert (alone[0], alone[1]) == (1, "")
    assert hook(kept(client), "client-connect") == alone


def test_no_interpreter_is_started_for_a_client_that_may_come(client: Machine) -> None:
    alone_is_gone(kept(client))
    assert hook(client, "client-connect") == (0, "", "")
    assert hook(client, "client-disconnect", **GONE) == (0, "", "")
    assert len(rows(client)) == 1


def test_an_edited_configuration_counts_at_once(client: Machine) -> None:
    kept(client)
    configured(client, "http://127.0.0.1:1")
    assert hook(client, "client-connect")[0] == 1
    assert hook(alone_is_gone(client), "client-connect")[0] == 99


def test_server_config_keeps_what_the_hooks_need(client: Machine) -> None:
    (client.root / "usr/bin/vpn-ca").write_text(
        '#!/bin/sh\ncp "$2/ca.crt" "$2/$4.crt" && cp "$2/ca.key" "$2/$4.key"\n'
    )
    done = client.run("/usr/bin/vpn-server-node-server-config")
    assert (done.returncode, done.stderr) == (0, "")
    assert hook(alone_is_gone(client), "client-connect") == (0, "", "")


def test_what_is_kept_is_as_secret_as_the_configuration(client: Machine) -> None:
    config = client.root / "etc/vpn-server-node/config.php"
    config.chmod(0o640)
    directory = kept(client).root / "etc/vpn-server-node/hooks"
    assert {file.stat().st_mode & 0o777 for file in directory.iterdir()} == {0o640}
    assert directory.stat().st_mode & 0o777 == 0o750


def test_no_process_list_shows_the_secret(client: Machine, tmp_path: Path) -> None:
    kept(client)
    (tmp_path / "curl").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >"{tmp_path}/seen"\nexec {shutil.which("curl")} "$@"\n'
    )
    (tmp_path / "curl").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert hook(client, "client-connect", PATH=path) == (0, "", "")
    seen = (tmp_path / "seen").read_text()
    assert NAME in seen
    assert "node-secret" not in seen


def test_a_controller_that_says_nothing_sensible_refuses_the_client(client: Machine) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Elsewhere(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>welcome</html>")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    uri = f"http://127.0.0.1:{server.server_port}"
    configured(client, uri)
    try:
        alone = hook(client, "client-connect")
        assert hook(kept(client), "client-connect") == alone
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    said = f'client-connect: [200] POST "{uri}/connect": unable to parse/decode JSON\n'
    assert alone == (1, "", said)
