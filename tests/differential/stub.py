"""An API on the loopback that says what a test wants, and keeps what it was asked."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

Reply = tuple[int, object]
"""A status, and what is answered: a text as it is, anything else as JSON."""


@dataclass(frozen=True)
class Asked:
    """A request, as it came."""

    method: str
    path: str
    consumer: str
    form: tuple[tuple[str, str], ...]
    type: str


@dataclass
class Stub:
    """The API: what it answers each request with, and the requests so far."""

    reply: Callable[[Asked], Reply]
    uri: str = ""
    asked: list[Asked] = field(default_factory=list)


def granting(calls: Mapping[str, object]) -> Callable[[Asked], Reply]:
    """Return an API that says yes to `calls`, each with its data (None: yes, and no more)."""

    def reply(asked: Asked) -> Reply:
        call = asked.path.lstrip("/").partition("?")[0]
        if call not in calls:
            return 404, {"error": f'"/{call}" not found'}
        data = calls[call]
        return 200, {call: {"ok": True, **({} if data is None else {"data": data})}}

    return reply


@contextmanager
def answering(reply: Callable[[Asked], Reply]) -> Iterator[Stub]:
    """Serve an API that answers by `reply`."""
    stub = Stub(reply)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _answer(self, body: bytes) -> None:
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            asked = Asked(
                self.command,
                self.path,
                base64.b64decode(given).decode(),
                tuple(parse_qsl(body.decode(), keep_blank_values=True)),
                self.headers.get("Content-Type", ""),
            )
            stub.asked.append(asked)
            status, said = stub.reply(asked)
            text = said if isinstance(said, str) else json.dumps(said)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    stub.uri = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
