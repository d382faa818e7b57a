"""A vpn-ca that draws no keys, for what is not about them: the rest is the drop-in's own.

A key is seconds of arithmetic; there, every certificate is for the same one, made once.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.reference.drop_in import SOFTWARE

_PROGRAM = """#!{python}
import sys
from types import SimpleNamespace

sys.path.insert(0, {packages!r})

from cryptography.hazmat.primitives import serialization
from vpn_ca import authority, command

with open({key!r}, "rb") as file:
    key = serialization.load_pem_private_key(file.read(), password=None)
authority.rsa = SimpleNamespace(
    RSAPrivateKey=authority.rsa.RSAPrivateKey, generate_private_key=lambda **_: key
)
sys.exit(command.main())
"""


def quick_authority(directory: Path) -> Path:
    """Put the program into `directory`, as vpn-ca; return its path."""
    key = directory / "the.key"
    key.write_bytes(
        rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    program = directory / "usr/bin/vpn-ca"
    program.parent.mkdir(parents=True)
    program.write_text(
        _PROGRAM.format(python=sys.executable, packages=str(SOFTWARE / "packages"), key=str(key))
    )
    program.chmod(0o755)
    return program
