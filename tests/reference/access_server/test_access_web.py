"""The web service: who may see what, Validate and Commit, and its port."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from access_network import PAIR_REQUEST, FakeNetwork
from flask.testing import FlaskClient
from openvpnas import rendering, web_server
from openvpnas.config import Config
from openvpnas.paths import Paths
from openvpnas.users import PASSWORD_PROPERTY, Users
from openvpnas.web import Node, make_app
from openvpnas.web_server import make_web_server

ADMIN = ("boss", "right")
JSON = {"Accept": "application/json"}


@pytest.fixture
def restarts() -> list[int]:
    return []


@pytest.fixture
def client(
    paths: Paths, users: Users, network: FakeNetwork, restarts: list[int]
) -> Iterator[FlaskClient]:
    users.set_password("boss", "right")
    users.put("boss", "prop_superuser", "true")
    users.set_password("alice", "word")
    app = make_app(Node(paths, network, lambda: restarts.append(1)))
    with app.test_client() as client:
        client.environ_base["wsgi.url_scheme"] = "https"
        yield client


def token(client: FlaskClient) -> str:
    client.post(
        "/admin/login", data={"username": "boss", "password": "right"}, base_url="https://x"
    )
    page = client.get("/admin/failover", base_url="https://x").text
    found = re.search(r'name="token" value="([0-9a-f]{32})"', page)
    assert found is not None
    return found.group(1)


FORM = {
    "mode": "ucarp",
    "virtual_ip": "192.168.70.222",
    "primary_host": "192.168.70.1",
    "secondary_host": "192.168.70.2",
}


def test_the_status_page_needs_no_log_in(client: FlaskClient):
    assert client.get("/", headers=JSON).status_code == 200
    assert "Access Server" in client.get("/").text


@pytest.mark.parametrize("path", ["/admin/failover/validate", "/admin/failover/commit"])
def test_a_program_without_credentials_is_refused(client: FlaskClient, path: str):
    assert client.post(path, json=dict(PAIR_REQUEST)).status_code == 401


@pytest.mark.parametrize("login", [("boss", "wrong"), ("alice", "word"), ("nobody", "x")])
def test_only_an_administrator_gets_in(client: FlaskClient, login: tuple[str, str]):
    assert client.get("/admin/failover", auth=login, headers=JSON).status_code == 401


def test_a_denied_administrator_does_not_get_in(client: FlaskClient, users: Users):
    users.put("boss", "prop_deny", "true")
    assert client.get("/admin/failover", auth=ADMIN, headers=JSON).status_code == 401
    form = {"username": "boss", "password": "right"}
    assert client.post("/admin/login", data=form, base_url="https://x").status_code == 401


def within(client: FlaskClient) -> bool:
    return client.get("/admin/failover", base_url="https://x").status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users.set_password("boss", "other"),
        lambda users: users.set_password("boss", "right"),
        lambda users: users.put("boss", "prop_deny", "true"),
        lambda users: users.put("boss", "prop_superuser", "false"),
        lambda users: users.delete("boss", PASSWORD_PROPERTY),
        lambda users: users.delete_all("boss"),
    ],
    ids=["another password", "the same again", "denied", "no superuser", "no password", "no user"],
)
def test_every_session_of_an_administrator_ends_with_a_change(
    client: FlaskClient, users: Users, change: Callable[[Users], object]
):
    others = [client.application.test_client() for _ in range(2)]
    for one in (client, *others):
        token(one)
        assert within(one)
    change(users)
    assert [within(one) for one in (client, *others)] == [False] * 3


def test_sessions_of_others_go_on_when_a_password_is_changed(client: FlaskClient, users: Users):
    token(client)
    users.set_password("alice", "other")
    users.put("boss", "prop_autologin", "true")
    assert within(client)


def test_a_session_shows_no_digest(client: FlaskClient, users: Users):
    token(client)
    digest = users.properties("boss")["boss"][PASSWORD_PROPERTY]
    with client.session_transaction(base_url="https://x") as session:
        assert digest not in str(dict(session))
        assert digest.rpartition("$")[2] not in str(dict(session))


def test_a_refused_log_in_ends_the_session_that_was(client: FlaskClient):
    token(client)
    client.post(
        "/admin/login", data={"username": "boss", "password": "wrong"}, base_url="https://x"
    )
    assert not within(client)


def test_brackets_in_brackets_are_a_refused_request(client: FlaskClient):
    answer = client.post(
        "/admin/failover/validate",
        data="[" * 60_000,
        content_type="application/json",
        auth=ADMIN,
    )
    assert answer.status_code == 400


def test_a_web_administrator_has_no_program_started_by_ucarp(
    client: FlaskClient, config: Config, restarts: list[int]
):
    body = {**PAIR_REQUEST, "extra_parms": "--upscript=/tmp/x"}
    answer = client.post("/admin/failover/commit", json=body, auth=ADMIN)
    assert answer.status_code == 400
    assert "--upscript" in answer.text
    assert config.get("ucarp.extra_parms") == ""
    assert restarts == []


def test_a_person_is_led_to_the_log_in(client: FlaskClient):
    answer = client.get("/admin/failover", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.location) == (302, "/admin/login")


def test_validate_answers_a_program_with_four_rows(client: FlaskClient):
    answer = client.post("/admin/failover/validate", json=dict(PAIR_REQUEST), auth=ADMIN)
    assert answer.json is not None
    assert [row["status"] for row in answer.json["rows"]] == ["GOOD"] * 4
    assert answer.json["good"] is True


def test_validate_does_not_commit(client: FlaskClient, config: Config, restarts: list[int]):
    client.post("/admin/failover/validate", json=dict(PAIR_REQUEST), auth=ADMIN)
    assert config.get("failover.mode") == "none"
    assert restarts == []


def test_commit_keeps_the_pair_and_restarts(
    client: FlaskClient, config: Config, restarts: list[int]
):
    answer = client.post("/admin/failover/commit", json=dict(PAIR_REQUEST), auth=ADMIN)
    assert answer.json is not None
    assert (answer.status_code, answer.json["committed"]) == (200, True)
    assert config.get("failover.vip") == "192.168.70.222"
    assert restarts == [1]


def test_a_commit_that_is_not_good_is_a_conflict(
    client: FlaskClient, network: FakeNetwork, restarts: list[int]
):
    network.says("ssh", "rsync --version", status=127)
    answer = client.post("/admin/failover/commit", json=dict(PAIR_REQUEST), auth=ADMIN)
    assert answer.json is not None
    assert answer.status_code == 409
    assert answer.json["rows"][3]["status"] == "BAD"
    assert restarts == []


@pytest.mark.parametrize("body", [{}, [], {"virtual_ip": "x"}, {**PAIR_REQUEST, "vhid": 256}])
def test_a_request_that_cannot_be_is_refused(client: FlaskClient, body: object):
    answer = client.post("/admin/failover/commit", json=body, auth=ADMIN)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]


def test_a_person_sees_the_result_table(client: FlaskClient):
    form = {**FORM, "token": token(client)}
    page = client.post("/admin/failover/validate", data=form, base_url="https://x").text
    assert page.count('<td class="GOOD">') == 4


def test_a_form_from_elsewhere_is_refused(client: FlaskClient, config: Config):
    token(client)
    answer = client.post("/admin/failover/commit", data=FORM, base_url="https://x")
    assert answer.status_code == 400
    assert config.get("failover.mode") == "none"


def test_what_was_typed_is_shown_as_text(client: FlaskClient):
    form = {**FORM, "virtual_ip": "<script>", "token": token(client)}
    page = client.post("/admin/failover/validate", data=form, base_url="https://x").text
    assert "<script>" not in page


def test_settings_show_no_password(client: FlaskClient, config: Config):
    config.put({"ucarp.password": "secret94", "failover.primary.ssh_password": "pw"})
    shown = client.get("/admin/failover", auth=ADMIN, headers=JSON).text
    assert "secret94" not in shown
    assert "pw" not in shown.replace("ssh_", "")


@contextmanager
def served(paths: Paths) -> Iterator[tuple[str, int]]:
    rendering.render(paths, "/dev/null")
    server = make_web_server(paths, 0, "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "127.0.0.1", server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(paths: Paths, place: tuple[str, int]) -> int:
    context = ssl.create_default_context(cafile=str(paths.rendered / "ca.crt"))
    context.check_hostname = False
    connection = http.client.HTTPSConnection(*place, timeout=10, context=context)
    connection.request("GET", "/", headers=JSON)
    answered = connection.getresponse().status
    connection.close()
    return answered


def test_a_silent_connection_holds_up_nobody(paths: Paths):
    with served(paths) as place, socket.create_connection(place):
        assert status(paths, place) == 200


def test_strangers_have_so_many_threads_and_no_more(paths: Paths, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(web_server, "MOST_CONNECTIONS", 3)
    with served(paths) as place, ExitStack() as silent:
        for _ in range(3):
            silent.enter_context(socket.create_connection(place))
        with socket.create_connection(place) as one_too_many:
            one_too_many.settimeout(10)
            assert one_too_many.recv(1) == b""
        silent.close()
        while True:  # until the threads have seen that they have gone
            with suppress(OSError):
                assert status(paths, place) == 200
                break
