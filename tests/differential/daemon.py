"""A node's vpn-daemon as the controller sees it: TLS, one line a request, what it was asked."""

from __future__ import annotations

import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.reference.drop_in import Machine

PORT = 41194


@dataclass
class Daemon:
    """What it answers `LIST` with, and the lines that came."""

    listed: Sequence[str] = ()
    asked: list[str] = field(default_factory=list)

    def answer(self, line: str) -> str:
        """Return the answer to a request."""
        self.asked.append(line)
        if line != "LIST":
            return "OK: 0\n"
        return "".join([f"OK: {len(self.listed)}\n", *(f"{one}\n" for one in self.listed)])


@dataclass(frozen=True)
class Credentials:
    """A directory with a CA and two certificates of it: the daemon's and the controller's."""

    directory: Path

    @classmethod
    def make(cls, authority: Path, directory: Path) -> Credentials:
        """Issue them, as the guide types it."""
        asked = (["-init"], ["-server", "vpn-daemon"], ["-client", "vpn-daemon-client"])
        for words in asked:
            subprocess.run([authority, "-ca-dir", directory, *words], check=True)
        return cls(directory)

    def give_to(self, controller: Machine) -> None:
        """Put the controller's where its API looks for them."""
        place = controller.root / "etc/vpn-server-api/vpn-daemon"
        place.mkdir(exist_ok=True)
        for name in ("ca.crt", "vpn-daemon-client.crt", "vpn-daemon-client.key"):
            (place / name).write_bytes((self.directory / name).read_bytes())


@contextmanager
def listening(daemon: Daemon, credentials: Credentials, address: str) -> Iterator[None]:
    """Let the daemon be at `address`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = credentials.directory / "vpn-daemon"
    context.load_cert_chain(own.with_suffix(".crt"), own.with_suffix(".key"))
    context.load_verify_locations(credentials.directory / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with context.wrap_socket(self.request, server_side=True) as wire:
                stream = wire.makefile("rwb")
                for line in stream:
                    stream.write(daemon.answer(line.decode().rstrip("\n")).encode())
                    stream.flush()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a peer that went away

    with Server((address, PORT), Session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
