"""The portal's pages: who is let in, what is shown to whom, and what a stranger can do."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference.drop_in import Machine
from tests.reference.portals import (
    NAMES,
    ROOT,
    Browser,
    MadeUpApi,
    drop_in,
    made_up_api,
    sessions_of,
)


@pytest.fixture
def api() -> Iterator[MadeUpApi]:
    with made_up_api() as made:
        yield made


@pytest.fixture
def machine(with_users: Machine, tmp_path: Path) -> Machine:
    """Copy the installation, for one test."""
    root = tmp_path / "machine"
    shutil.copytree(with_users.root, root, symlinks=True)
    return Machine(root)


@pytest.fixture
def browser(machine: Machine, api: MadeUpApi) -> Iterator[Browser]:
    with drop_in(machine, api.uri) as port:
        yield Browser(port)


def calls(api: MadeUpApi) -> list[str]:
    return [call for call, _ in api.asked]


# Logging in


@pytest.mark.parametrize("page", ["", "home", "connections", "nonsense", "configurations"])
def test_who_has_not_logged_in_gets_the_form_whatever_the_page(browser: Browser, page: str) -> None:
    answer = browser.ask("GET", page)
    assert answer.status == 200
    assert 'name="userPass"' in answer.text
    assert f'value="{browser.origin}{ROOT}{page}"' in answer.text


def test_a_login_leads_to_the_page_that_was_asked_for(browser: Browser) -> None:
    answer = browser.log_in("demo", leads_to=f"{browser.origin}{ROOT}configurations")
    assert (answer.status, answer.headers["Location"]) == (
        302,
        f"{browser.origin}{ROOT}configurations",
    )
    assert answer.headers["Set-Cookie"].split("; ")[1:] == [
        "HttpOnly",
        f"Path={ROOT}",
        "SameSite=Lax",
    ]
    assert "Welcome" in browser.ask("GET", "home").text


def test_the_cookie_is_for_tls_only_unless_the_configuration_says_otherwise(
    browser: Browser, machine: Machine
) -> None:
    config = machine.root / "etc/vpn-user-portal/config.php"
    config.write_text(config.read_text().replace("'secureCookie' => false, ", ""))
    assert "Secure" in browser.log_in("demo").headers["Set-Cookie"].split("; ")


@pytest.mark.parametrize(
    ("user", "password"),
    [("demo", "wrong"), ("demo", ""), ("demo", "admin's password"), ("nobody", "."), ("", "")],
)
def test_a_wrong_password_is_told_so_and_gets_no_session(
    browser: Browser, machine: Machine, user: str, password: str
) -> None:
    answer = browser.log_in(user, password)
    assert answer.status == 200
    assert "The credentials you provided were not correct." in answer.text
    assert "Set-Cookie" not in answer.headers
    assert sessions_of(machine) == 0


def test_a_name_that_is_html_stays_text(browser: Browser) -> None:
    name = '"><script>alert(1)</script>'
    assert "<script" not in browser.log_in(name, "wrong").text
    assert browser.log_in("o\"'<b>").status == 302
    assert "<b>" not in browser.ask("GET", "home").text


@pytest.mark.parametrize(
    "leads_to",
    [
        "http://elsewhere.example/x",
        "//elsewhere.example/x",
        "javascript://127.0.0.1/%0aalert(1)",
        "http://127.0.0.1@elsewhere.example/",
        "http://127.0.0.1/\r\nX-Injected: yes",
        "/home",
        "http://127.0.0.1",
        "http://[/",
        "http://elsewhere.example\\@127.0.0.1/x",
        "http://demo@127.0.0.1/x",
    ],
)
def test_a_login_leads_nowhere_else(browser: Browser, leads_to: str) -> None:
    answer = browser.log_in("demo", leads_to=leads_to)
    assert answer.status == 400
    assert "X-Injected" not in answer.headers


def test_a_login_ends_the_session_it_was_sent_with(browser: Browser, machine: Machine) -> None:
    browser.log_in("demo")
    first = browser.session
    browser.log_in("demo")
    assert browser.session != first
    assert 'name="userPass"' in Browser(browser.port, first).ask("GET", "home").text
    assert sessions_of(machine) == 1


def test_a_session_ends_by_itself(
    browser: Browser, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vpn_user_portal import sessions

    monkeypatch.setattr(sessions, "LASTS_S", 0)
    browser.log_in("demo")
    assert 'name="userPass"' in browser.ask("GET", "home").text


@pytest.mark.parametrize("made_up", ["0" * 64, "x", "' OR 1=1 --", "A" * 64])
def test_a_session_cannot_be_made_up(browser: Browser, made_up: str) -> None:
    browser.log_in("demo")
    browser.session = made_up
    assert 'name="userPass"' in browser.ask("GET", "home").text


def test_signing_out_ends_the_session(browser: Browser, machine: Machine) -> None:
    browser.log_in("demo")
    came_from = f"{browser.origin}{ROOT}home"
    answer = browser.ask("POST", "_logout", {}, {"Referer": came_from})
    assert (answer.status, answer.headers["Location"]) == (302, came_from)
    assert sessions_of(machine) == 0
    assert 'name="userPass"' in browser.ask("GET", "home").text


def test_signing_out_leads_to_no_other_site(browser: Browser) -> None:
    browser.log_in("demo")
    answer = browser.ask("POST", "_logout", {}, {"Referer": "http://elsewhere.example/"})
    assert answer.headers["Location"] == browser.origin + ROOT


# What a stranger can make grow


def test_strangers_leave_nothing_behind(browser: Browser, machine: Machine) -> None:
    state = machine.root / "var/lib/vpn-user-portal"
    before = sum(file.stat().st_size for file in state.iterdir())
    for number in range(20):
        browser.session = f"{number:064x}"
        assert "Set-Cookie" not in browser.ask("GET", f"page-{number}").headers
    browser.log_in("nobody", "x")
    assert sessions_of(machine) == 0
    grown = sum(file.stat().st_size for file in state.iterdir()) - before
    assert grown <= 1 << 15  # an empty file of sessions


def test_a_user_has_twenty_sessions_at_most(browser: Browser, machine: Machine) -> None:
    from vpn_user_portal.sessions import MOST_EACH, Sessions

    kept = Sessions(machine.root / "var/lib/vpn-user-portal/sessions.sqlite")
    other = kept.begin("admin")
    begun = [kept.begin("demo") for _ in range(MOST_EACH + 5)]
    assert [kept.find(one) is not None for one in begun] == [False] * 5 + [True] * MOST_EACH
    assert kept.find(other) is not None
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
    assert not any(one.encode() in kept.path.read_bytes() for one in begun)


def test_a_form_that_is_too_large_is_refused(browser: Browser) -> None:
    assert browser.log_in("demo", "x" * 70_000).status == 413


# Forged forms


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Origin": "http://elsewhere.example"}, "unexpected HTTP_ORIGIN"),
        ({"Origin": "null"}, "unexpected HTTP_ORIGIN"),
        ({"Origin": None}, "no HTTP_ORIGIN or HTTP_REFERER"),
        ({"Origin": None, "Referer": "http://elsewhere.example/"}, "unexpected HTTP_REFERER"),
        ({"Origin": None, "Referer": "http://127.0.0.1.example/"}, "unexpected HTTP_REFERER"),
    ],
)
def test_a_form_of_another_site_does_nothing(
    browser: Browser, api: MadeUpApi, headers: dict[str, str | None], why: str
) -> None:
    browser.log_in("admin")
    form = {"user_id": "demo", "user_action": "disableUser"}
    answer = browser.ask("POST", "user", form, headers)
    assert answer.status == 400
    assert f"CSRF protection failed{',' if why.startswith('no ') else ':'} {why}" in answer.text
    assert "disable_user" not in calls(api)


# Configurations


def test_a_configuration_is_downloaded_as_a_file(browser: Browser, api: MadeUpApi) -> None:
    browser.log_in("demo")
    assert '<option value="node-b">' not in browser.ask("GET", "configurations").text
    answer = browser.ask(
        "POST", "configurations", {"profileId": "node-a", "displayName": 'my "new" laptop'}
    )
    assert answer.headers["Content-Type"] == "application/x-openvpn-profile"
    assert answer.headers["Content-Disposition"].endswith('_my__new__laptop.ovpn"')
    assert "\r\nremote node-a.frkovpn.tuxed.net 1194 udp\r\n" in answer.text
    assert ("display_name", 'my "new" laptop') in dict(api.asked)["add_client_certificate"].items()


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"profileId": "node-b", "displayName": "x"}, "no permission to download"),
        ({"profileId": "nonsense", "displayName": "x"}, "no permission to download"),
        ({"profileId": "../x", "displayName": "x"}, "invalid"),
        ({"profileId": "node-a", "displayName": ""}, "invalid"),
        ({"profileId": "node-a", "displayName": "x" * 65}, "invalid"),
        ({"profileId": "node-a"}, "missing post parameter"),
    ],
)
def test_what_cannot_be_downloaded_is_refused_and_nothing_is_issued(
    browser: Browser, api: MadeUpApi, form: dict[str, str], why: str
) -> None:
    browser.log_in("demo")
    answer = browser.ask("POST", "configurations", form)
    assert answer.status == 400
    assert why in answer.text
    assert "add_client_certificate" not in calls(api)


def test_a_user_deletes_own_certificates_only(browser: Browser, api: MadeUpApi) -> None:
    browser.log_in("demo")
    assert browser.ask("POST", "deleteCertificate", {"commonName": NAMES["other"]}).status == 400
    assert "delete_client_certificate" not in calls(api)
    assert browser.ask("POST", "deleteCertificate", {"commonName": NAMES["demo"]}).status == 302
    assert calls(api)[-2:] == ["delete_client_certificate", "kill_client"]


def test_what_users_call_things_stays_text(browser: Browser, api: MadeUpApi) -> None:
    api.display_name = "<img src=x onerror=alert(1)>"
    browser.log_in("admin")
    assert "<img" not in browser.ask("GET", "connections").text
    browser.log_in("demo")
    assert "<img" not in browser.ask("GET", "configurations").text


# Administrators


@pytest.mark.parametrize(
    ("method", "page"),
    [("GET", "connections"), ("POST", "connections"), ("GET", "users"), ("POST", "user"),
     ("GET", "user?user_id=demo")],
)  # fmt: skip
def test_only_administrators_see_their_pages(
    browser: Browser, api: MadeUpApi, method: str, page: str
) -> None:
    browser.log_in("demo")
    answer = browser.ask(method, page, {} if method == "POST" else None)
    assert answer.status == 403
    assert "user is not an administrator" in answer.text
    assert set(calls(api)) <= {"is_disabled_user", "user_update_session_info"}


def test_who_is_connected_stands_below_the_profile(browser: Browser) -> None:
    browser.log_in("admin")
    shown = browser.ask("GET", "connections").text
    below = shown.partition('<h2 id="node-a">')[2].partition('<h2 id="node-b">')
    assert "10.1.0.2" in below[0]
    assert 'title="a laptop"' in below[0]
    assert "No clients connected." in below[2]


def test_an_administrator_disconnects_a_client(browser: Browser, api: MadeUpApi) -> None:
    browser.log_in("admin")
    answer = browser.ask("POST", "connections", {"commonName": NAMES["demo"]})
    assert answer.headers["Location"] == f"{browser.origin}{ROOT}connections"
    assert api.asked[-1] == ("kill_client", {"common_name": NAMES["demo"]})


def test_who_is_disabled_is_disconnected_and_sees_nothing_more(
    browser: Browser, api: MadeUpApi
) -> None:
    user, admin = Browser(browser.port), browser
    user.log_in("demo")
    admin.log_in("admin")
    answer = admin.ask("POST", "user", {"user_id": "demo", "user_action": "disableUser"})
    assert answer.headers["Location"] == f"{admin.origin}{ROOT}users"
    assert calls(api)[-3:] == ["client_connections", "disable_user", "kill_client"]
    api.disabled.add("demo")
    answer = user.ask("GET", "configurations")
    assert answer.status == 403
    assert "account disabled" in answer.text
    assert user.ask("POST", "configurations", {}).status == 403
    assert 'value="enableUser"' in admin.ask("GET", "user?user_id=demo").text


def test_an_administrator_does_not_lock_himself_out(browser: Browser, api: MadeUpApi) -> None:
    browser.log_in("admin")
    answer = browser.ask("POST", "user", {"user_id": "admin", "user_action": "disableUser"})
    assert (answer.status, "cannot manage own account" in answer.text) == (400, True)
    assert "disable_user" not in calls(api)


# Refusals


def test_programs_are_refused_in_json(browser: Browser) -> None:
    browser.log_in("demo")
    answer = browser.ask("GET", "connections", headers={"Accept": "application/json"})
    assert (answer.status, answer.text) == (403, '{"error":"user is not an administrator"}')


def test_an_api_that_is_away_is_said_and_nothing_is_shown(
    browser: Browser, machine: Machine
) -> None:
    browser.log_in("demo")
    config = machine.root / "etc/vpn-user-portal/config.php"
    config.write_text(config.read_text().replace("'apiUri' => 'http", "'apiUri' => 'http://x<b>"))
    answer = browser.ask("GET", "configurations")
    assert answer.status == 500
    assert "failure performing the HTTP request" in answer.text
    assert "<b>" not in answer.text
    assert "portal-secret" not in answer.text


def test_every_answer_keeps_browsers_from_sniffing_framing_and_keeping(browser: Browser) -> None:
    browser.log_in("demo")
    for page in ("home", "nonsense", "connections"):
        headers = browser.ask("GET", page).headers
        assert headers["Content-Security-Policy"] == "default-src 'self'"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in headers["Cache-Control"]
