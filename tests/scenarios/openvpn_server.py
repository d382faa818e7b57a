"""A genuine OpenVPN server on loopback, without a tunnel device, to be greeted."""

from __future__ import annotations

import datetime
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.wait import until


def _certificate(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (directory / "server.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (directory / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@contextmanager
def server(directory: Path) -> Iterator[tuple[int, str]]:
    """Run a server with tls-crypt; give its UDP port and the text of its key file."""
    _certificate(directory)
    key = directory / "tls-crypt.key"
    subprocess.run(["openvpn", "--genkey", "tls-crypt", str(key)], check=True)
    port = _free_udp_port()
    log = directory / "server.log"
    command = ["openvpn", "--dev", "null", "--tls-server", "--dh", "none", "--proto", "udp4"]
    command += ["--local", "127.0.0.1", "--lport", str(port), "--tls-crypt", str(key)]
    command += ["--ca", "server.crt", "--cert", "server.crt", "--key", "server.key"]
    with log.open("wb") as output:
        running = subprocess.Popen(command, cwd=directory, stdout=output, stderr=output)
    try:
        until(lambda: "UDPv4 link local" in log.read_text(), 10, "the server to listen")
        yield port, key.read_text()
    finally:
        running.terminate()
        running.wait()


def answered(port: int, packet: bytes) -> bool:
    """Say whether a server of 127.0.0.1 answers a packet within a second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(1)
        asker.sendto(packet, ("127.0.0.1", port))
        try:
            return asker.recv(2048)[0] >> 3 == 8
        except TimeoutError:
            return False
