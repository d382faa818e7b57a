"""A web server on loopback that can misbehave, who signs what it says, and a cache of one's own."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.image.authority import Authority
from tests.image.signer import Signer


class Site(ThreadingHTTPServer):
    """Serves `files` from memory, by https where it was given a certificate.

    `cut` closes the connection after so many bytes, once; `hold` sends so many bytes and then waits
    for the event; `elsewhere` sends who asks for a path to another address; not `measured`, it says
    of nothing how long it is.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.files: dict[str, bytes] = {}
        self.elsewhere: dict[str, str] = {}
        self.cut: int | None = None
        self.measured = True
        self.hold: tuple[int, threading.Event] | None = None
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def publish(self, name: str, content: bytes) -> tuple[str, str]:
        self.files[f"/{name}"] = content
        return f"{self.url}/{name}", hashlib.sha256(content).hexdigest()

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that go away."""


class _Request(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        if away := self.server.elsewhere.get(self.path):
            self.send_response(302)
            self.send_header("Location", away)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if self.server.measured:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        body, self.server.cut = content[start:][: self.server.cut], None
        if self.server.hold:
            first, go_on = self.server.hold
            self.wfile.write(body[:first])
            go_on.wait(10)
            body = body[first:]
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def site(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Yield a server that speaks https, and is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.trusted))
    yield from _serving(Site(authority.certificate))


@pytest.fixture
def plain_site() -> Iterator[Site]:
    """Yield a server that speaks http."""
    yield from _serving(Site())


def _serving(site: Site) -> Iterator[Site]:
    with site as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def publisher() -> Iterator[Signer]:
    """Who should have signed."""
    with Signer("publisher") as signer:
        yield signer


@pytest.fixture(scope="session")
def stranger() -> Iterator[Signer]:
    """Anybody else."""
    with Signer("stranger") as signer:
        yield signer


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "cache"
    root.mkdir()
    monkeypatch.setenv("VPNPROOF_CACHE", str(root))
    monkeypatch.setenv("VPNPROOF_LABS", str(tmp_path / "labs"))
    monkeypatch.delenv("VPNPROOF_IMAGES_GIB", raising=False)
    return root
