"""vpn-daemon as a process, the drop-in's or the genuine one, and peers that talk to it."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WITHIN_S = 60  # for a daemon to listen, and to answer: however busy this machine is


@dataclass(frozen=True)
class Daemon:
    """A running daemon: where it listens, and its process."""

    port: int
    process: subprocess.Popen[str]
    keys: Path | None = None

    @property
    def sockets(self) -> int:
        """How many files it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - names of nothing

    @property
    def resident_kib(self) -> int:
        """How much memory it takes."""
        told = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(told.split("VmRSS:")[1].split()[0])

    def connect(self) -> socket.socket:
        """Open a connection, without TLS."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN_S)

    def ask(self, *lines: str | bytes) -> list[str]:
        """Send lines on one connection, and return all that was answered until it closed."""
        with self.connect() as peer:
            return talk(peer, *lines)


def talk(peer: socket.socket, *lines: str | bytes) -> list[str]:
    """Send lines and QUIT, and return the lines that were answered."""
    for line in (*lines, "QUIT"):
        peer.sendall((line.encode() if isinstance(line, str) else line) + b"\n")
    answered = b""
    while data := peer.recv(65_536):
        answered += data
    return answered.decode().splitlines()


@contextmanager
def running(program: Sequence[str | Path], keys: Path | None = None) -> Iterator[Daemon]:
    """Run a daemon on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = ["-enable-tls"] if keys else []
    process = subprocess.Popen(
        [*program, *words, "-listen", f"127.0.0.1:{port}"],
        cwd=keys,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        _until_it_listens(port, process)
        yield Daemon(port, process, keys)
        assert process.poll() is None, "the daemon has died"
    finally:
        process.terminate()
        process.wait(WITHIN_S)


def _until_it_listens(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S).close()
        except ConnectionRefusedError:
            assert process.poll() is None, f"it ended with {process.returncode}"
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)
        else:
            return


def client_context(
    authority: Path, shown: str | None, *, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Return the controller's side of TLS, showing a certificate of the directory `authority`."""
    context = ssl.create_default_context(cafile=str(authority / "ca.crt"))
    context.check_hostname = False  # vpn-ca 2.x makes certificates without a SAN
    if version is not None:
        context.minimum_version = context.maximum_version = version
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
    if shown is not None:
        context.load_cert_chain(authority / f"{shown}.crt", authority / f"{shown}.key")
    return context


def over_tls(daemon: Daemon, context: ssl.SSLContext, *lines: str) -> list[str]:
    """Ask over TLS; [] when the daemon does not want to. SSL errors of ours are raised."""
    with daemon.connect() as plain:
        try:
            with context.wrap_socket(plain, server_hostname="vpn-daemon") as peer:
                return talk(peer, *lines)
        except (ConnectionError, ssl.SSLEOFError):
            return []
        except ssl.SSLError as error:
            if "ALERT" not in (error.reason or ""):
                raise
            return []


def place_keys(authority: Path, place: Path, name: str = "vpn-daemon") -> Path:
    """Put a CA's certificate and a server's key where the drop-in, and a plain one, look."""
    (place / "private").mkdir(parents=True, exist_ok=True)
    shutil.copy(authority / "ca.crt", place / "ca.crt")
    shutil.copy(authority / f"{name}.crt", place / "server.crt")
    for key in (place / "private/server.key", place / "server.key"):
        shutil.copy(authority / f"{name}.key", key)
    return place
