"""SSH keys of a lab: one that opens every machine, and one a machine to be known by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class KeyPair:
    """An Ed25519 key: OpenSSH's PEM, and the public line ("ssh-ed25519 AAAA...")."""

    private: str
    public: str

    @classmethod
    def generate(cls) -> KeyPair:
        """Make a new key."""
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        return cls(private.decode(), public.decode())

    def write_private(self, path: Path) -> None:
        """Write the private half, readable by its owner only."""
        path.touch(mode=0o600)
        path.write_text(self.private)
