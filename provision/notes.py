"""What a person following a guide writes down on the way: secrets, certificates, passwords.

A value is noted by one step and used by others through the placeholder `{note:NAME}` in commands
and files. A dry run shows the placeholder; transcripts show it in place of every secret.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

from provision.errors import NoteMissing

_PLACEHOLDER = re.compile(r"\{note:([^{}\n]+)\}")
_SHORTEST_SECRET = 4  # shorter ones would blacken half the transcript, and are none


def placeholder(name: str) -> str:
    """Return how a text refers to the note `name`."""
    return f"{{note:{name}}}"


class Notes:
    """The notes of one run of a plan; nodes that are set up side by side share them."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._secrets: set[str] = set()
        self._lock = threading.Lock()

    def __contains__(self, name: object) -> bool:
        with self._lock:
            return name in self._values

    def __getitem__(self, name: str) -> str:
        """Return a note; NoteMissing names it and those that there are."""
        with self._lock:
            if name not in self._values:
                raise NoteMissing(
                    f"nothing was noted as {name!r}",
                    hint=f"noted so far: {', '.join(sorted(self._values)) or 'nothing'}",
                )
            return self._values[name]

    def keep(self, name: str, value: str, *, secret: bool) -> None:
        """Note `value`; a secret one is never shown again."""
        with self._lock:
            self._values[name] = value
            if secret:
                self._secrets.add(name)

    def secrets(self) -> dict[str, str]:
        """Return the secret notes by name: what must not be found in any evidence."""
        with self._lock:
            return {name: self._values[name] for name in self._secrets}

    def fill(self, text: str) -> str:
        """Return `text` with every placeholder replaced by what was noted."""
        return _PLACEHOLDER.sub(lambda match: self[match[1]], text)

    def mask(self, text: str) -> str:
        """Return `text` with every secret replaced by its placeholder."""
        with self._lock:
            secrets = [(self._values[name].strip(), name) for name in self._secrets]
        for value, name in sorted(secrets, reverse=True, key=lambda pair: len(pair[0])):
            if len(value) >= _SHORTEST_SECRET:
                text = text.replace(value, placeholder(name))
        return text

    def write(self, path: Path) -> None:
        """Write all notes to a file that only its owner can read: it holds the secrets."""
        with self._lock:
            content = json.dumps({"values": self._values, "secret": sorted(self._secrets)})
        path.touch(mode=0o600)
        path.write_text(content)

    @classmethod
    def read(cls, path: Path) -> Notes:
        """Read notes as `write` left them."""
        content = json.loads(path.read_text())
        notes = cls()
        for name, value in content["values"].items():
            notes.keep(name, value, secret=name in content["secret"])
        return notes
