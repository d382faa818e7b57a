"""The portal, the drop-in and the genuine one, on the loopback, in front of an API that is made up.

Both ask the same API and keep what they asked it; users and passwords are the same. What the
genuine one needs beyond this project is said by `why_not`.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from lab.wait import until
from provision.genuine import catalogue, sources
from provision.genuine.recipe import DEBIAN
from provision.genuine.recipes import recipes
from provision.genuine.stage import stage
from tests.reference.drop_in import Machine, guide_profile, php

ROOT = "/vpn-user-portal/"
PASSWORDS = {"demo": "demo's password", "admin": "admin's password", "o\"'<b>": "odd"}
NAMES = {"demo": "0123456789abcdef" * 2, "other": "fedcba9876543210" * 2}
_PHP_NEEDS = ("curl", "mbstring", "pdo_sqlite", "sodium")
_GENUINE = (
    "vpn-user-portal", "vpn-lib-common", "constant-time-encoding", "psr-log", "php-secookie",
    "php-sqlite-migrate", "php-jwt", "php-oauth2-server", "php-saml-sp", "php-otp-verifier",
    "bacon-qr-code",
)  # fmt: skip


@dataclass
class MadeUpApi:
    """An API with two profiles and a connected client; `asked` keeps every call."""

    uri: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    disabled: set[str] = field(default_factory=set)
    display_name: str = "a laptop"

    def answer(self, call: str, given: Mapping[str, str]) -> Any:
        certificate = {
            "display_name": self.display_name,
            "valid_from": "2026-01-01T00:00:00+00:00",
            "valid_to": "2026-04-01T12:30:00+00:00",
            "client_id": None,
        }
        own = {**certificate, "common_name": NAMES["demo"]}
        client = {
            **own,
            "user_id": "demo",
            "user_is_disabled": False,
            "virtual_address": ["10.1.0.2", "fd00:1:1:1::2"],
        }
        connected = given.get("user_id", "demo") == "demo"
        key = "-----BEGIN MADE UP-----\nAA\n-----END MADE UP-----"
        return {
            "profile_list": {
                "node-a": _profile(1, "a"),
                "node-b": _profile(2, "b", hideProfile=True),
            },
            "client_certificate_list": [own] if given.get("user_id") == "demo" else [],
            "client_connections": {"node-a": [client] if connected else [], "node-b": []},
            "user_session_expires_at": "2026-04-01T12:30:00+00:00",
            "is_disabled_user": given.get("user_id") in self.disabled,
            "add_client_certificate": {
                "certificate": key, "private_key": key, "valid_from": 1, "valid_to": 2,
            },
            "server_info": {"ca": key, "tls_crypt": "a key"},
            "user_list": [
                {"user_id": user, "is_disabled": user in self.disabled, "has_totp_secret": False}
                for user in PASSWORDS
            ],
            "system_messages": [],
            "user_messages": [],
            "has_totp_secret": False,
        }.get(call)  # fmt: skip


def _profile(number: int, letter: str, **options: Any) -> dict[str, Any]:
    from vpn_lib_common.profile import Profile

    return Profile(f"node-{letter}", guide_profile(number, letter, **options)).complete()


@contextmanager
def made_up_api() -> Iterator[MadeUpApi]:
    """Serve an API that believes everybody and changes nothing."""
    api = MadeUpApi()

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._answer(parts.path.strip("/"), dict(parse_qsl(parts.query)))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._answer(self.path.strip("/"), dict(parse_qsl(self.rfile.read(length).decode())))

        def _answer(self, call: str, given: dict[str, str]) -> None:
            api.asked.append((call, given))
            data = api.answer(call, given)
            said = {"ok": True} if data is None else {"ok": True, "data": data}
            body = json.dumps({call: said}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    api.uri = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def config(api_uri: str) -> dict[str, Any]:
    """Return a portal's configuration for plain HTTP."""
    return {
        "authMethod": "FormPdoAuthentication",
        "sessionExpiry": "P90D",
        "adminUserIdList": ["admin"],
        "twoFactorMethods": [],
        "supportedLanguages": {"en_US": "English"},
        "secureCookie": False,
        "apiUser": "vpn-user-portal",
        "apiPass": "portal-secret",
        "apiUri": api_uri,
    }


def add_users(machine: Machine) -> None:
    """Make the drop-in portal's users known."""
    machine.run("/usr/bin/vpn-user-portal-init")
    for user, password in PASSWORDS.items():
        machine.run("/usr/bin/vpn-user-portal-add-user", "--user", user, stdin=f"{password}\n")


@contextmanager
def drop_in(machine: Machine, api_uri: str, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve the drop-in portal of a machine that has its users; yield its port."""
    from vpn_user_portal.app import create_app
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            pass

        def make_environ(self) -> dict[str, Any]:
            """Return what Apache would say: it is who it was asked for."""
            environ: dict[str, Any] = super().make_environ()
            asked = urlsplit(f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}")
            usual = 443 if asked.scheme == "https" else 80
            return {
                **environ,
                "SERVER_NAME": asked.hostname,
                "SERVER_PORT": str(asked.port or usual),
            }

    machine.write_config("vpn-user-portal", config(api_uri))
    mounted = DispatcherMiddleware(_nothing_here, {ROOT.rstrip("/"): create_app(machine.root)})
    server = make_server(
        "127.0.0.1", 0, mounted, threaded=True, request_handler=Quiet, ssl_context=tls
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _nothing_here(_: Any, start: Any) -> list[bytes]:
    start("404 Not Found", [])
    return []


def why_not() -> str:
    """Return why the genuine portal cannot be served here; "" when it can."""
    if sources.bundles() is None:
        return f"{sources.DIRECTORY} names no directory with the genuine sources"
    if shutil.which("php") is None:
        return "there is no php"
    said = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True)
    missing = [one for one in _PHP_NEEDS if one not in said.stdout.split()]
    return f"php has no {', '.join(missing)}" if missing else ""


def installed_genuine(place: Path) -> Path:
    """Put the genuine portal and its libraries below `place`, as its packages do."""
    listed, root = catalogue.read(), place / "root"
    root.mkdir()
    for recipe in recipes(DEBIAN):
        if recipe.source in _GENUINE:
            tree = sources.get(listed[recipe.source])
            tree.unpack(place / recipe.source)
            stage(recipe, place / recipe.source, root, tree.committed)
    share = root / "usr/share/vpn-user-portal"
    autoload = share / "vendor/autoload.php"
    autoload.write_text(
        autoload.read_text().replace("'/usr/share/php/'", f"'{root}/usr/share/php/'")
    )
    for name, kept in {"config": "etc", "data": "var/lib"}.items():
        (share / name).unlink()
        (share / name).symlink_to(root / kept / "vpn-user-portal")
        (root / kept / "vpn-user-portal").mkdir(parents=True, exist_ok=True)
    (root / "site").mkdir()
    (root / f"site/{ROOT.strip('/')}").symlink_to(share / "web")
    (root / "sessions").mkdir()
    return root


@contextmanager
def genuine(root: Path, api_uri: str) -> Iterator[int]:
    """Serve the genuine portal by PHP's own web server; yield its port."""
    (root / "etc/vpn-user-portal/config.php").write_text(f"<?php return {php(config(api_uri))};\n")
    commands = root / "usr/share/vpn-user-portal/bin"
    _php(root, commands / "generate-oauth-key.php")
    _php(root, commands / "init.php")
    for user, password in PASSWORDS.items():
        _php(root, commands / "add-user.php", "--user", user, "--pass", password)
    port = _free_port()
    line = ["php", "-d", f"session.save_path={root}/sessions", "-d", "display_errors=0"]
    line += ["-S", f"127.0.0.1:{port}", "-t", str(root / "site")]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(line, stdin=quiet, stdout=quiet, stderr=quiet) as server:
        try:
            until(lambda: _listens(port), 20, "PHP's web server to listen")
            yield port
        finally:
            server.terminate()


def _php(root: Path, program: Path, *arguments: str) -> None:
    subprocess.run(["php", program, *arguments], cwd=root, check=True, capture_output=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _listens(port: int) -> bool:
    with closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Answer:
    """What a portal answered."""

    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def cookie(self) -> str:
        """The value of the cookie that was set, "" for none; the last one is what counts."""
        return (self.headers.get_all("Set-Cookie") or ["="])[-1].partition(";")[0].partition("=")[2]


@dataclass
class Browser:
    """Somebody who looks at the portal of one port."""

    port: int
    session: str = ""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        page: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Ask for a page below the portal's root; a header that is None is left out."""
        sent: dict[str, str | None] = {"Accept": "text/html", "Host": f"127.0.0.1:{self.port}"}
        if self.session:
            sent["Cookie"] = f"SID={self.session}"
        if method == "POST":
            sent["Origin"] = self.origin
        sent.update(headers or {})
        body = urlencode(form) if form is not None else None
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            given = {name: value for name, value in sent.items() if value is not None}
            connection.request(method, ROOT + page, body, given)
            said = connection.getresponse()
            return Answer(said.status, said.headers, said.read().decode())

    def log_in(self, user: str, password: str | None = None, leads_to: str | None = None) -> Answer:
        """Log in, and keep the session if that went well."""
        form = {
            "userName": user,
            "userPass": PASSWORDS[user] if password is None else password,
            "_form_auth_redirect_to": leads_to or f"{self.origin}{ROOT}home",
        }
        answer = self.ask("POST", "_form/auth/verify", form)
        if answer.status == 302:
            self.session = answer.cookie
        return answer


def sessions_of(machine: Machine) -> int:
    """Return how many sessions the drop-in keeps."""
    path = machine.root / "var/lib/vpn-user-portal/sessions.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM sessions").fetchone()[0])
