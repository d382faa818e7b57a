"""A web server on loopback that can misbehave, and a cache of one's own."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.image.signer import Signer


class Site(ThreadingHTTPServer):
    """Serves `files` from memory.

    `cut` closes the connection after so many bytes, once; `hold` sends so many bytes and then waits
    for the event.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.files: dict[str, bytes] = {}
        self.cut: int | None = None
        self.hold: tuple[int, threading.Event] | None = None
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def publish(self, name: str, content: bytes) -> tuple[str, str]:
        self.files[f"/{name}"] = content
        return f"{self.url}/{name}", hashlib.sha256(content).hexdigest()


class _Request(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
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


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
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
