"""The web service's process: everything loaded at once, TCP 943 opened when told so.

`web-service` waits for the line "serve" on its standard input; its end is the end of the
service. A thread a connection, and the TLS handshake in that thread: a client that connects and
says nothing holds up nobody.
"""

from __future__ import annotations

import socketserver
import ssl
import subprocess
import sys
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from openvpnas.commit import RESTART
from openvpnas.config import Config
from openvpnas.paths import Paths
from openvpnas.shell import LocalShell
from openvpnas.web import Node, make_app

IDLE_SECONDS = 30.0
MOST_CONNECTIONS = 64
"""At once: each has a thread and a descriptor, and a stranger can have them."""


class _ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64
    context: ssl.SSLContext

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as socketserver has it
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(*arguments, **named)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread has begun
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        try:
            self._converse(request, client_address)
        finally:
            self._room.release()

    def _converse(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        request.settimeout(IDLE_SECONDS)
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            # a port probe, or a client that doesn't trust us: its own business
            self.shutdown_request(request)
            return
        super().process_request_thread(secured, client_address)

    def server_bind(self) -> None:
        # HTTPServer asks the resolver for its own name, which takes seconds where there is none
        socketserver.TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    def address_string(self) -> str:
        return str(self.client_address[0])

    def get_stderr(self) -> Any:  # noqa: ANN401 - as wsgiref has it
        return sys.stdout


def make_web_server(paths: Paths, port: int, host: str = "0.0.0.0") -> WSGIServer:  # noqa: S104 - the active node serves on all of its addresses
    """Open the port; needs the rendered certificate, and an initialised node."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(paths.rendered / "web.crt", paths.rendered / "web.key")
    app = make_app(Node(paths, LocalShell(), lambda: _restart(paths)))
    server = make_server(host, port, app, _ThreadingServer, _Handler)
    server.context = context
    return server


def _restart(paths: Paths) -> None:
    """Have systemd restart the service; without waiting, for it ends this process too."""
    if paths.is_machine:
        subprocess.run(RESTART, check=False, timeout=30)


def main() -> int:
    """Run as the service's child."""
    paths = Paths.here()
    if sys.stdin.readline().strip() != "serve":
        return 0
    port = int(Config.at(paths).get("admin_ui.https.port"))
    server = make_web_server(paths, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()  # the service holds the other end for as long as it lives
    server.shutdown()
    return 0
