"""A browser's way to a web server of a lab: a port of the loopback, led through a machine by SSH.

The server is verified by its authority before a browser goes there. That browser knows no other
name, and forgives nothing but what it would say of this very key.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import paramiko
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lab.ssh import Way

_SECONDS = 60  # in which an emulated machine opens a connection, or shakes hands


@contextmanager
def led_through(machine: Way, host: str, port: int) -> Iterator[int]:
    """Lead connections through a machine to `host`, as that machine knows it; yield the port."""
    with closing(machine.connect(_SECONDS)) as client:
        transport = client.get_transport()
        assert transport is not None

        class Led(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError, EOFError, paramiko.SSHException):
                    channel = transport.open_channel(
                        "direct-tcpip", (host, port), self.client_address, timeout=_SECONDS
                    )
                    with closing(channel):
                        there = threading.Thread(target=_copy, args=(self.request, channel))
                        there.start()
                        _copy(channel, self.request)
                        there.join()

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Led) as listening:
            listening.daemon_threads = True
            serving = threading.Thread(target=listening.serve_forever, args=(0.02,))
            serving.start()
            try:
                yield int(listening.server_address[1])
            finally:
                listening.shutdown()
                serving.join()


def _copy(source: socket.socket | paramiko.Channel, sink: socket.socket | paramiko.Channel) -> None:
    with suppress(OSError, EOFError):
        while came := source.recv(65536):
            sink.sendall(came)
    with suppress(OSError, EOFError):
        sink.shutdown(socket.SHUT_WR)


def verified_key(port: int, name: str, authority: str) -> str:
    """Return the SHA-256 of a server's key, in base64; ssl.SSLError if it is not `name`'s.

    authority: certificates in PEM, the only ones that are trusted.
    """
    trusting = ssl.create_default_context(cadata=authority)
    trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13 asks for more than browsers do
    with (
        socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as plain,
        trusting.wrap_socket(plain, server_hostname=name) as connection,
    ):
        shown = connection.getpeercert(binary_form=True)
    assert shown is not None
    key = x509.load_der_x509_certificate(shown).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()


def only_to(port: int, name: str, key: str) -> tuple[str, ...]:
    """Return the arguments for a browser that finds `name` at a port, by its key, and nobody else.

    They are of no use without a profile directory of its own, which the driver gives it.
    """
    return (
        f"--host-resolver-rules=MAP {name}:443 127.0.0.1:{port}, MAP * ~NOTFOUND",
        f"--ignore-certificate-errors-spki-list={key}",
    )
