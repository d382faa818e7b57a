"""The drop-in portal beside the genuine one: the same requests, the same answers.

Where the sources are (VPNPROOF_SOURCES), and PHP has what the genuine portal needs. Looks differ:
what is compared is what a program or a browser acts on. Differences on purpose stand at the end.
"""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.reference.drop_in import Machine
from tests.reference.portals import (
    NAMES,
    ROOT,
    Answer,
    Browser,
    MadeUpApi,
    add_users,
    drop_in,
    genuine,
    installed_genuine,
    made_up_api,
    why_not,
)

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no genuine portal: {why_not()}")

#: Calls of parts that the drop-in does not have: messages, one-time passwords.
_LEFT_OUT = {"system_messages", "user_messages", "has_totp_secret"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
_TOLD = (
    "The credentials you provided were not correct.", "No clients connected.",
    "You cannot manage your own user account.", "This user does not have any configurations.",
)  # fmt: skip


@dataclass
class Beside:
    """Both portals; each asks an API of its own."""

    browsers: tuple[Browser, Browser]
    apis: tuple[MadeUpApi, MadeUpApi]

    def log_in(self, user: str) -> None:
        for browser in self.browsers:
            assert browser.log_in(user).status == 302
            browser.ask("GET", "configurations")  # the first page tells the API of the session

    def each(self, act: Callable[[Browser], Answer]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Do the same with both; return what can be compared of it, the drop-in's first."""
        seen = []
        for browser, api in zip(self.browsers, self.apis, strict=True):
            api.asked.clear()
            told = what_counts(browser, act(browser))
            told["asked of the API"] = sorted({_call(*one) for one in api.asked} - {""})
            seen.append(told)
        return seen[0], seen[1]


def _call(name: str, given: Mapping[str, str]) -> str:
    if name in _LEFT_OUT:
        return ""
    said = {key: _MOMENT.sub("MOMENT", value) for key, value in given.items()}
    return f"{name} {sorted(said.items())}"


@pytest.fixture(scope="module")
def roots(installed: Machine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Machine, Path]:
    place = tmp_path_factory.mktemp("beside")
    shutil.copytree(installed.root, place / "machine", symlinks=True)
    add_users(Machine(place / "machine"))
    return Machine(place / "machine"), installed_genuine(place)


@pytest.fixture(scope="module")
def served(roots: tuple[Machine, Path]) -> Iterator[Beside]:
    machine, root = roots
    with ExitStack() as stack:
        apis = stack.enter_context(made_up_api()), stack.enter_context(made_up_api())
        ports = (
            stack.enter_context(drop_in(machine, apis[0].uri)),
            stack.enter_context(genuine(root, apis[1].uri)),
        )
        yield Beside((Browser(ports[0]), Browser(ports[1])), apis)


@pytest.fixture
def beside(served: Beside) -> Beside:
    """Both portals with nobody logged in and nobody disabled."""
    for browser, api in zip(served.browsers, served.apis, strict=True):
        browser.session = ""
        api.disabled.clear()
    return served


def what_counts(browser: Browser, answer: Answer) -> dict[str, Any]:
    """Return what a program or a browser acts on, without the port."""

    def general(text: str | None) -> str | None:
        return text.replace(browser.origin, "http://PORTAL") if text else text

    headers = answer.headers
    page = _Page(f"http://PORTAL{ROOT}")
    if (headers.get("Content-Type") or "").startswith("text/html"):
        page.feed(general(answer.text) or "")
    said = re.search(r"<code>([^<]*)</code>\s*</p>", answer.text) if answer.status >= 400 else None
    return {
        "status": answer.status,
        "location": general(headers.get("Location")),
        "type": (headers.get("Content-Type") or "").partition(";")[0] if answer.text else "",
        "allow": headers.get("Allow"),
        "file": headers.get("Content-Disposition"),
        "forms": sorted(page.forms),
        "links": sorted(page.links),
        "told": [text for text in _TOLD if text in answer.text],
        "message": html.unescape(said[1]) if said else "",
        "body": "" if page.forms or answer.status >= 400 else _drawn(answer),
        "error": answer.text if "json" in (headers.get("Content-Type") or "") else "",
    }


def _drawn(answer: Answer) -> str:
    """Return a file that was handed out."""
    return answer.text if "openvpn" in (answer.headers.get("Content-Type") or "") else ""


class _Page(HTMLParser):
    """The forms of a page, each with its fields, and the links to users."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[str] = []
        self.links: list[str] = []
        self._fields: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attributes}
        if tag == "form":
            action = urljoin(self.address, has.get("action", ""))
            self._open, self._fields = f"{has.get('method')} {action}", []
        elif tag in ("input", "select", "button", "option") and self._open:
            value = has.get("value", "") if tag != "input" or has.get("type") == "hidden" else ""
            if tag in ("option", "button") or "name" in has:
                kind = has.get("type", "") if tag == "input" else ""
                self._fields.append(f"{tag} {kind} {has.get('name', '')}={value}")
        elif tag == "a" and "user_id=" in has.get("href", ""):
            self.links.append(urljoin(self.address, has["href"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            one = " ".join([self._open, *sorted(self._fields)])
            invented = self._open.endswith("/connections")  # see below
            if not invented and "button" in one:
                self.forms.append(one)
            self._open = ""


# Who has not logged in


@pytest.mark.parametrize(
    ("method", "page"),
    [
        ("GET", ""), ("GET", "home"), ("GET", "connections?x=1&y=%2F"), ("GET", "nonsense"),
        ("POST", "configurations"), ("POST", "user"), ("POST", "_logout"), ("PUT", "home"),
        ("GET", "a%20b"),
    ],
)  # fmt: skip
def test_strangers_get_the_form(beside: Beside, method: str, page: str) -> None:
    form = {"x": "y"} if method == "POST" else None
    ours, genuine_ones = beside.each(
        lambda one: one.ask(method, page, form, {"Origin": one.origin})
    )
    assert ours == genuine_ones
    assert ours["forms"]


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("demo", None), ("admin", None), ("o\"'<b>", None), (" demo\t", "demo's password"),
        ("demo", "wrong"), ("nobody", "wrong"), ("demo", ""), ("Demo", "demo's password"),
        ("", ""), ("demo", "demo's password "),
    ],
)  # fmt: skip
def test_logins(beside: Beside, user: str, password: str | None) -> None:
    ours, genuine_ones = beside.each(lambda one: one.log_in(user, password))
    assert ours == genuine_ones


@pytest.mark.parametrize(
    "leads_to",
    [
        "ORIGIN/vpn-user-portal/x?y=z", "http://127.0.0.1/", "http://127.0.0.1:1/x",
        "http://127.0.0.1", "http://localhost/x", "//127.0.0.1/x", "/x", "", "nonsense",
        "https://127.0.0.1/x", "http://127.0.0.1@elsewhere.example/",
    ],
)  # fmt: skip
def test_where_a_login_leads_to(beside: Beside, leads_to: str) -> None:
    def log_in(one: Browser) -> Answer:
        form = {
            "userName": "demo",
            "userPass": "demo's password",
            "_form_auth_redirect_to": leads_to.replace("ORIGIN", one.origin),
        }
        return one.ask("POST", "_form/auth/verify", form)

    ours, genuine_ones = beside.each(log_in)
    assert ours == genuine_ones


@pytest.mark.parametrize("missing", ["userName", "userPass", "_form_auth_redirect_to"])
def test_a_login_lacks_a_field(beside: Beside, missing: str) -> None:
    def log_in(one: Browser) -> Answer:
        form = {"userName": "demo", "userPass": "x", "_form_auth_redirect_to": one.origin + "/"}
        form.pop(missing)
        return one.ask("POST", "_form/auth/verify", form)

    ours, genuine_ones = beside.each(log_in)
    assert ours == genuine_ones
    assert missing in ours["message"]


def test_the_cookie(beside: Beside) -> None:
    set_by = [one.log_in("demo").headers.get_all("Set-Cookie") or [] for one in beside.browsers]
    flags = [sorted(cookies[-1].split("; ")[1:]) for cookies in set_by]
    assert flags[0] == flags[1]
    assert [len(one.session) for one in beside.browsers] == [64, 64]


# Forged forms


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": None, "Referer": "http://elsewhere.example/x"},
        {"Origin": None, "Referer": "ORIGIN"},
        {"Origin": None, "Referer": "ORIGIN/x"},
        {"Origin": "http://elsewhere.example", "Referer": "ORIGIN/x"},
    ],
)
def test_who_sent_a_form(beside: Beside, headers: dict[str, str | None], accept: str) -> None:
    beside.log_in("admin")

    def post(one: Browser) -> Answer:
        sent = {
            name: value and value.replace("ORIGIN", one.origin) for name, value in headers.items()
        }
        form = {"user_id": "demo", "user_action": "enableUser"}
        return one.ask("POST", "user", form, {**sent, "Accept": accept})

    ours, genuine_ones = beside.each(post)
    assert ours == genuine_ones


# Pages


@pytest.mark.parametrize("user", ["demo", "admin"])
@pytest.mark.parametrize(
    ("method", "page"),
    [
        ("GET", ""), ("GET", "home"), ("GET", "configurations"), ("GET", "configurations?all=1"),
        ("GET", "connections"), ("GET", "users"), ("GET", "user?user_id=demo"),
        ("GET", "user?user_id=admin"), ("GET", "user"), ("GET", "user?user_id="),
        ("GET", "nonsense"), ("GET", "home/"), ("POST", "home"), ("PUT", "configurations"),
        ("GET", "deleteCertificate"),
    ],
)  # fmt: skip
def test_pages(beside: Beside, user: str, method: str, page: str) -> None:
    beside.log_in(user)
    ours, genuine_ones = beside.each(
        lambda one: one.ask(method, page, headers={"Origin": one.origin})
    )
    assert ours == genuine_ones


@pytest.mark.parametrize("user", ["demo", "admin"])
@pytest.mark.parametrize(
    ("page", "form"),
    [
        ("configurations", {"profileId": "node-a", "displayName": "my phone"}),
        ("configurations", {"profileId": "node-b", "displayName": "x"}),
        ("configurations", {"profileId": "none", "displayName": "x"}),
        ("configurations", {"profileId": "a b", "displayName": "x"}),
        ("configurations", {"profileId": "node-a", "displayName": ""}),
        ("configurations", {"profileId": "node-a", "displayName": "a\tb"}),
        ("configurations", {"profileId": "node-a"}),
        ("configurations", {"displayName": "x"}),
        ("deleteCertificate", {"commonName": "x"}),
        ("deleteCertificate", {}),
        ("user", {"user_id": "demo", "user_action": "disableUser"}),
        ("user", {"user_id": "demo", "user_action": "enableUser"}),
        ("user", {"user_id": "nobody", "user_action": "disableUser"}),
        ("user", {"user_id": "admin", "user_action": "disableUser"}),
        ("user", {"user_id": "demo", "user_action": "promote"}),
        ("user", {"user_id": "demo"}),
        ("user", {"user_action": "disableUser"}),
        ("user", {"user_id": "x" * 257, "user_action": "disableUser"}),
    ],
)
def test_forms(beside: Beside, user: str, page: str, form: dict[str, str]) -> None:
    beside.log_in(user)
    ours, genuine_ones = beside.each(lambda one: one.ask("POST", page, form))
    assert ours == genuine_ones


def test_deleting_an_own_certificate(beside: Beside) -> None:
    beside.log_in("demo")
    form = {"commonName": NAMES["demo"]}
    ours, genuine_ones = beside.each(lambda one: one.ask("POST", "deleteCertificate", form))
    ours["asked of the API"] = [
        one for one in ours["asked of the API"] if not one.startswith("client_certificate_list")
    ]
    assert ours == genuine_ones


def test_who_is_disabled_sees_nothing(beside: Beside) -> None:
    beside.log_in("demo")
    for api in beside.apis:
        api.disabled.add("demo")
    for page in ("home", "configurations", "nonsense"):
        ours, genuine_ones = beside.each(lambda one, page=page: one.ask("GET", page))
        assert ours == genuine_ones
        assert ours["status"] == 403


def test_signing_out(beside: Beside) -> None:
    beside.log_in("demo")

    def sign_out(one: Browser) -> Answer:
        return one.ask("POST", "_logout", {}, {"Referer": f"{one.origin}{ROOT}users"})

    ours, genuine_ones = beside.each(sign_out)
    assert ours == genuine_ones
    ours, genuine_ones = beside.each(lambda one: one.ask("GET", "home"))
    assert ours == genuine_ones
    assert "userPass" in ours["forms"][0]


# Differences on purpose: the drop-in's first


def test_strangers_get_no_session(beside: Beside) -> None:
    answers = [one.ask("GET", "home") for one in beside.browsers]
    assert ["Set-Cookie" in one.headers for one in answers] == [False, True]


def test_nobody_deletes_the_certificates_of_others(beside: Beside) -> None:
    beside.log_in("demo")
    form = {"commonName": NAMES["other"]}
    ours, genuine_ones = beside.each(lambda one: one.ask("POST", "deleteCertificate", form))
    assert (ours["status"], genuine_ones["status"]) == (400, 302)


def test_an_administrator_can_disconnect_without_disabling(beside: Beside) -> None:
    beside.log_in("admin")
    form = {"commonName": NAMES["demo"]}
    ours, genuine_ones = beside.each(lambda one: one.ask("POST", "connections", form))
    assert (ours["status"], genuine_ones["status"]) == (302, 405)


@pytest.mark.parametrize("name", ['a"b', "ä"])
def test_the_name_of_a_file_is_safe(beside: Beside, name: str) -> None:
    beside.log_in("demo")
    form = {"profileId": "node-a", "displayName": name}
    ours, genuine_ones = beside.each(lambda one: one.ask("POST", "configurations", form))
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9._-]+"', ours["file"])
    assert ours["file"] != genuine_ones["file"]
