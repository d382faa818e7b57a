"""vpn-ca: the genuine program, compiled here, and the drop-in: certificates, files, messages."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha1
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from provision.genuine import sources
from provision.genuine.catalogue import read
from provision.genuine.golang import compile_program
from provision.genuine.recipe import DEBIAN, GoProgram
from provision.genuine.recipes import recipes
from tests.differential.listed import Permitted, compare
from tests.reference.drop_in import Machine

_STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", re.MULTILINE)
ISSUED = {
    "ca": ["-init"],
    "server": ["-server", "vpn-daemon-node-a"],
    "server to the end": ["-server", "20200406120000.node-a", "-not-after", "CA"],
    "client": ["-client", "vpn-daemon-client"],
    "client to a moment": ["-client", "0123456789abcdef", "-not-after", "{soon}"],
    "client with two dashes": ["--client=two.dashes", "--not-after=CA"],
}
"""What is issued, in this order, and by which words."""
REFUSED: dict[str, list[str]] = {
    "init again": ["-init"],
    "server again": ["-server", "vpn-daemon-node-a"],
    "certificate is there": ["-client", "only-a-certificate"],
    "wrong name": ["-client", "not_allowed"],
    "empty name": ["-client", ""],
    "wrong moment": ["-client", "x", "-not-after", "soon"],
    "moment without zone": ["-client", "x", "-not-after", "2030-01-01T00:00:00"],
    "moment with more": ["-client", "x", "-not-after", "2030-01-01T00:00:00Zulu"],
    "month 13": ["-client", "x", "-not-after", "2030-13-01T00:00:00Z"],
    "day 32": ["-client", "x", "-not-after", "2030-01-32T00:00:00Z"],
    "hour 24": ["-client", "x", "-not-after", "2030-01-01T24:00:00Z"],
    "short hour": ["-client", "x", "-not-after", "2020-01-01T0:00:00Z"],
    "past": ["-client", "x", "-not-after", "2020-01-01T00:00:00Z"],
    "after the CA": ["-client", "x", "-not-after", "2999-01-01T00:00:00+01:00"],
    "wrong name, wrong moment": ["-server", "a b", "-not-after", "soon"],
    "nothing": [],
    "a word": ["init"],
    "unknown flag": ["-name", "x"],
    "no value": ["-client"],
    "help": ["-h"],
    "boolean with a value": ["-init=maybe"],
    "no directory": ["-ca-dir", "nowhere", "-client", "x"],
    "no directory, init": ["-ca-dir", "nowhere", "-init"],
    "no CA, wrong name": ["-ca-dir", "empty", "-client", "a b"],
    "broken CA": ["-ca-dir", "broken", "-client", "x"],
}
PERMITTED: Permitted = {}
_SOON = "2029-02-03T04:05:06+02:00"


@pytest.fixture(scope="module")
def genuine_ca(laid_out: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the genuine program."""
    if shutil.which("go") is None:
        pytest.skip("the genuine vpn-ca is compiled with Go: lab/setup --genuine")
    place = tmp_path_factory.mktemp("vpn-ca")
    (recipe,) = (one for one in recipes(DEBIAN) if one.name == "vpn-ca")
    (program,) = (one for one in recipe.contents if isinstance(one, GoProgram))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VPNPROOF_CACHE", str(place))
        sources.get(read()[recipe.source]).unpack(place / "source")
    compile_program(program, place / "source", place / "program")
    return place / "program"


@pytest.fixture(scope="module")
def both(
    genuine_ca: Path, installed: Machine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Let each program issue the same, in a directory each."""
    made = []
    for program in (genuine_ca, installed.root / "usr/bin/vpn-ca"):
        directory = tmp_path_factory.mktemp("ca")
        (directory / "run").symlink_to(program)
        for words in ISSUED.values():
            done = run(directory, [word.format(soon=_SOON) for word in words])
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        made.append(directory)
    return made[0], made[1]


def run(directory: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [directory / "run", *words], cwd=directory, capture_output=True, text=True, check=False
    )


def told(directory: Path, name: str) -> dict[str, object]:
    """Return what a certificate says, but for its keys and the moment it was issued."""
    found = x509.load_pem_x509_certificate((directory / f"{name}.crt").read_bytes())
    issuer = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
    key = load_pem_private_key((directory / f"{name}.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.public_key() == found.public_key()
    end = found.not_valid_after_utc
    ends = {issuer.not_valid_after_utc: "with the CA", datetime.fromisoformat(_SOON): "soon"}
    hours = round((end - found.not_valid_before_utc) / timedelta(hours=1))
    return {
        "subject": found.subject.rfc4514_string(),
        "issuer": found.issuer.rfc4514_string(),
        "version": found.version,
        "signature": found.signature_algorithm_oid.dotted_string,
        "key": (key.key_size, key.public_key().public_numbers().e),
        "serial": 64 < found.serial_number.bit_length() <= 128,
        "ends": (ends.get(end, hours), hours if name != "0123456789abcdef" else 0),
        "extensions": [
            (one.oid.dotted_string, one.critical, _value(one.value, found, issuer))
            for one in found.extensions
        ],
    }


def _value(value: x509.ExtensionType, found: x509.Certificate, issuer: x509.Certificate) -> str:
    match value:
        case x509.SubjectKeyIdentifier():
            return f"of its key: {value.digest == _identifier(found)}"
        case x509.AuthorityKeyIdentifier():
            return f"of the CA's key: {value.key_identifier == _identifier(issuer)}"
    return repr(value.public_bytes())


def _identifier(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    return sha1(key.public_bytes(Encoding.DER, PublicFormat.PKCS1)).digest()  # noqa: S324 - RFC 5280


NAMES = ("ca", "vpn-daemon-node-a", "20200406120000.node-a", "vpn-daemon-client",
         "0123456789abcdef", "two.dashes")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_certificates_are_the_same_extension_by_extension(
    both: tuple[Path, Path], name: str
) -> None:
    genuine, here = (told(directory, name) for directory in both)
    assert here == genuine


def test_files_are_the_same(both: tuple[Path, Path]) -> None:
    def files(directory: Path) -> dict[str, object]:
        return {
            path.name: (stat.S_IMODE(path.stat().st_mode), path.read_text().splitlines()[0])
            for path in sorted(directory.glob("*.*"))
        }

    assert files(both[1]) == files(both[0])


def test_messages_and_exit_codes_are_the_same(both: tuple[Path, Path], tmp_path: Path) -> None:
    found = []
    for number, made in enumerate(both):
        directory = tmp_path / str(number)
        shutil.copytree(made, directory, symlinks=True)
        (directory / "only-a-certificate.crt").touch()
        (directory / "empty").mkdir()
        (directory / "broken").mkdir()
        for name in ("ca.key", "ca.crt"):
            (directory / "broken" / name).write_text("no PEM\n")
        found.append({case: _said(directory, words) for case, words in REFUSED.items()})
    compare(found[0], found[1], PERMITTED)


def _said(directory: Path, words: Sequence[str]) -> object:
    done = run(directory, words)
    error = _STAMP.sub("<now> ", done.stderr)
    return done.returncode, done.stdout, re.sub(r"(?m)^(    \t).*$", r"\1<what it is for>", error)
