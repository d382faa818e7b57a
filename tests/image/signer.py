"""Somebody with a GnuPG key, made for the test."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType


class Signer:
    """Signs as gpg does; `keyring` holds the public key. No agent outlives a call."""

    def __init__(self, name: str) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="gpg-")  # an agent's socket needs it short
        self._gpg("--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "0")
        self.keyring = Path(self._home.name, f"{name}.gpg")
        self.keyring.write_bytes(self._gpg("--export"))
        shown = self._gpg("--with-colons", "--fingerprint").decode()
        self.fingerprint = next(
            line.split(":")[9] for line in shown.splitlines() if line.startswith("fpr")
        )

    def __enter__(self) -> Signer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._home.cleanup()

    def shown(self, keyring: Path) -> list[str]:
        """Return the lines that gpg has for programs about the keys in a file."""
        return self._gpg("--with-colons", "--show-keys", str(keyring)).decode().splitlines()

    def clear(self, text: str) -> bytes:
        """Return the text with its signature within."""
        return self._gpg("--clear-sign", given=text)

    def apart(self, text: str) -> bytes:
        """Return the signature alone."""
        return self._gpg("--armor", "--detach-sign", given=text)

    def _gpg(self, *arguments: str, given: str = "") -> bytes:
        command = ["gpg", "--homedir", self._home.name, "--batch", "--quiet", "--passphrase", ""]
        try:
            return subprocess.run(
                [*command, *arguments], input=given.encode(), capture_output=True, check=True
            ).stdout
        finally:  # each time: who kills the tests meanwhile is not left with an agent
            subprocess.run(["gpgconf", "--homedir", self._home.name, "--kill", "all"], check=False)
