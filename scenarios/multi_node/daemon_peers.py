"""Peers of vpn-daemon, each showing something else. It stands alone: it runs on the controller.

    daemon_peers.py PORT ADDRESS...     a JSON list, an object a peer and address

The certificates are the guide's own; the other CA's is made on the spot, and removed.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

KEYS = Path("/etc/vpn-server-api/vpn-daemon")
MADE = Path("/root/ca")
"""Where the guide's CA is, and so the daemon's own certificate and key."""
SECONDS = 20.0
_SELF_SIGNED = (
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
    "-nodes", "-sha256", "-days", "2", "-subj", "/CN=vpn-daemon-client",
    "-addext", "extendedKeyUsage=clientAuth", "-keyout", "other.key", "-out", "other.crt",
)  # fmt: skip


def main(port: int, addresses: list[str], keys: Path = KEYS, made: Path = MADE) -> int:
    """Try every peer at every address, and print what became of each."""
    with tempfile.TemporaryDirectory() as other:
        subprocess.run(_SELF_SIGNED, cwd=other, check=True, capture_output=True)
        tried = [
            {"address": address, "shown": shown, "tls": tls, **attempt(address, port, context)}
            for address in addresses
            for shown, tls, context in peers(keys, made, Path(other))
        ]
    json.dump(tried, sys.stdout)
    return 0


def peers(keys: Path, made: Path, other: Path) -> Iterator[tuple[str, str, ssl.SSLContext | None]]:
    """Yield what each peer shows, the TLS version it offers, and its side of TLS."""
    own = keys / "vpn-daemon-client.crt", keys / "vpn-daemon-client.key"
    yield "client", "1.2", context_of(keys, own)
    yield "none", "1.2", context_of(keys, None)
    yield "other-ca", "1.2", context_of(keys, (other / "other.crt", other / "other.key"))
    yield "server", "1.2", context_of(keys, (made / "vpn-daemon.crt", made / "vpn-daemon.key"))
    yield "plain", "", None
    yield "client", "1.1", context_of(keys, own, ssl.TLSVersion.TLSv1_1)


def context_of(
    keys: Path,
    shown: tuple[Path, Path] | None,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
) -> ssl.SSLContext:
    """Return the controller's side of TLS: of one version, and with a certificate to show."""
    context = ssl.create_default_context(cafile=str(keys / "ca.crt"))
    if version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")  # today's libraries offer it only when told to
    context.minimum_version = context.maximum_version = version
    if shown is not None:
        context.load_cert_chain(*shown)
    return context


def attempt(address: str, port: int, context: ssl.SSLContext | None) -> dict[str, Any]:
    """Connect and ask LIST; tell whether it connected, what was sent, and what was answered."""
    told: dict[str, Any] = {"connected": False, "sent": 0, "answer": "", "detail": ""}
    try:
        with socket.create_connection((address, port), SECONDS) as connection:
            told["connected"] = True
            peer = Peer(connection, context)
            try:
                told["answer"] = peer.ask()
            finally:
                told["sent"] = peer.sent
    except (OSError, ValueError) as error:
        told["detail"] = str(error) or type(error).__name__
    return told


class Peer:
    """One conversation; `sent` counts the octets that went out, whatever came of them."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        """Talk over a connection, in the clear without a context."""
        self.sent = 0
        self._connection = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        if context is not None:
            self._tls = context.wrap_bio(
                self._incoming, self._outgoing, server_hostname="vpn-daemon"
            )

    def ask(self) -> str:
        """Return the first line that LIST is answered; "" when the daemon just closes."""
        tls = self._tls
        if tls is None:
            self._send(b"LIST\n")
            answer = self._connection.recv(1000)
        else:
            self._step(tls.do_handshake)
            self._step(lambda: tls.write(b"LIST\n"))
            answer = self._step(lambda: tls.read(1000))
        # an alert in answer to plain text is no answer, only a good-bye
        return answer.decode("ascii", "replace").partition("\n")[0] if answer[:1].isalpha() else ""

    def _step(self, act: Callable[[], T]) -> T:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._connection.recv(65536)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            except ssl.SSLError:
                self._flush()
                raise
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._send(data)

    def _send(self, data: bytes) -> None:
        self._connection.sendall(data)
        self.sent += len(data)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
