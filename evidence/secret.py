"""Secrets that a lab knows, and the one file beside the evidence that may hold them.

What goes into the evidence is a reference: what the secret is, and a digest. Who judges looks its
value up in `secrets.json` in the run's directory, mode 0600, which is neither shared nor sealed. A
check that needs a value and has none is UNKNOWN, and says so.

A digest alone does not suffice for ucarp's HMAC: whatever verifies it also makes it. This one only
tells whether the value that is found is the one that was recorded. It is scrypt's, so it helps
nobody to guess: the HMAC-SHA1 in the capture are thousands of times cheaper to try.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock
from pydantic import Field, TypeAdapter, ValidationError

from evidence.errors import Absent, BadEvidence, Missing
from evidence.event import Name, Value
from evidence.files import read_table

FILE_NAME = "secrets.json"
FORMAT = 1
SHORTEST = 6
"""Characters; what is shorter stands everywhere by chance."""


class SecretReference(Value):
    """A secret as evidence names it: what it is (`ucarp.password`), and its digest."""

    of: Name
    digest: Annotated[str, Field(pattern=r"^scrypt:[0-9a-f]{32}:[0-9a-f]{64}$")]


class Known(Value):
    """A secret as the file has it; digest: where evidence refers to it, else ""."""

    of: Name
    value: str
    digest: str = ""


_INLINE = re.compile(r"<(key|tls-crypt(?:-v2)?|tls-auth|secret)>\n")
_KNOWN = TypeAdapter(list[Known])


def in_profile(name: str, profile: str) -> dict[str, str]:
    """Return the secrets of an OpenVPN profile by what they are: its keys.

    A guest wrote it: what is opened thousands of times, and never closed, is looked for once. The
    genuine portal ends its lines with CR LF.
    """
    text = profile.replace("\r\n", "\n")
    found: dict[str, str] = {}
    at, never_closed = 0, set[str]()
    while opening := _INLINE.search(text, at):
        kind, at = opening[1], opening.end()
        end = -1 if kind in never_closed else text.find(f"\n</{kind}>", at)
        if end < 0:
            never_closed.add(kind)
        else:
            found[f"{kind} of {name}"] = text[at:end]
            at = end
    return found


@dataclass(frozen=True)
class Secrets:
    """The secrets of the run in `directory`; several processes may add to them."""

    directory: Path

    @property
    def path(self) -> Path:
        """Where they are kept."""
        return self.directory / FILE_NAME

    def known(self) -> list[Known]:
        """Return all of them; none when there is no file. Raises BadEvidence for one of ours."""
        try:
            tables = read_table(self.path, "secrets")
        except Absent:
            return []
        try:
            return _KNOWN.validate_python(tables.get("secrets"))
        except ValidationError as error:  # its message would hold what it was given
            raise BadEvidence(f"{self.path}: holds no list of secrets") from error

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Remember secrets by what they are, to look for them in the evidence at the end."""
        self._add(Known(of=of, value=value) for of, value in secrets.items() if value.strip())

    def refer(self, of: str, value: str) -> SecretReference:
        """Remember a secret for those who judge, and return how evidence refers to it."""
        for one in self.known():
            if (one.of, one.value) == (of, value) and one.digest:
                return SecretReference(of=of, digest=one.digest)
        digest = _digest(value, os.urandom(16).hex())
        self._add([Known(of=of, value=value, digest=digest)])
        return SecretReference(of=of, digest=digest)

    def resolve(self, reference: SecretReference) -> str:
        """Return the value that is referred to.

        Raises Missing when it is not here, BadEvidence when it is another than was recorded.
        """
        for one in self.known():
            if one.digest == reference.digest:
                _, salt, _ = reference.digest.split(":")
                if hmac.compare_digest(_digest(one.value, salt), reference.digest):
                    return one.value
                raise BadEvidence(f"{FILE_NAME}: its {one.of} is not the one that was recorded")
        raise Missing(
            f"{reference.of} is not here: {FILE_NAME} beside the history has it, and is not shared"
        )

    def forget(self) -> None:
        """Forget what no evidence refers to: it was kept until the evidence was searched."""
        if not self.path.exists():
            return
        with self._alone():
            needed = [one for one in self.known() if one.digest]
            if needed:
                self._write(needed)
            else:
                self.path.unlink(missing_ok=True)

    def mask(self, text: str) -> str:
        """Return a text with each secret replaced by what it is."""
        for one in sorted(self.known(), key=lambda one: -len(one.value)):
            if len(one.value.strip()) >= SHORTEST:
                text = text.replace(one.value.strip(), f"({one.of})")
        return text

    def _add(self, more: Iterable[Known]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._alone():
            before = self.known()
            every = list(dict.fromkeys([*before, *more]))
            if every != before:
                self._write(every)

    def _alone(self) -> FileLock:
        return FileLock(self.directory / f".{FILE_NAME}.lock")

    def _write(self, secrets: list[Known]) -> None:
        """Write the file whole; nobody else can read it at any moment."""
        told: dict[str, Any] = {
            "format": FORMAT,
            "what": "secrets of this run's labs: do not share this file",
            "secrets": [one.model_dump() for one in secrets],
        }
        fresh = self.directory / f".{FILE_NAME}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(told, file, indent=1)
        fresh.replace(self.path)


@lru_cache(maxsize=64)
def _digest(value: str, salt: str) -> str:
    made = hashlib.scrypt(value.encode(), salt=bytes.fromhex(salt), n=1 << 14, r=8, p=1, dklen=32)
    return f"scrypt:{salt}:{made.hex()}"
