"""Looking for secrets in the evidence of a run: where each stands, in whatever form.

Every file below the run's directory is searched, captures too, for every secret as it is, in
base64 (wherever it begins in what was encoded), hexadecimal, URL-encoded and escaped as in JSON.
Of a secret of several lines (a key) each long line is looked for. What a protocol encrypts or
hashes is not found, as nobody else finds it either. The search is grep's: it looks for thousands of
strings at once, and is given them on its standard input, which no process list shows.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from evidence import secret
from evidence.errors import BadEvidence
from evidence.secret import SHORTEST, Known

FILE_NAME = "leaks.json"
_LONG_LINE = 24  # characters: a line of a key, and not one of its headings
_MOST_LINES = "200"  # in which a file holds secrets; no more of it need be told
_FILES_AT_ONCE = 500  # grep needs as long to take in the secrets as to search some MiB
_MATCH = re.compile(rb"([^\0]+)\0(\d+):([^\n]*)\n")  # of grep: a file, where, and what
_LEFT_OUT = (secret.FILE_NAME, FILE_NAME)


@dataclass(frozen=True)
class Leak:
    """A secret that stands in a file: which one, in which form, at which octet."""

    secret: str
    file: str
    form: str
    octet: int

    def __str__(self) -> str:
        return f"{self.file}: {self.secret} stands there ({self.form}, octet {self.octet})"


@dataclass(frozen=True)
class Search:
    """What was looked for (by its name), in how many files, and what was found.

    too_short: what was not looked for. unread: files that could not be searched.
    """

    files: int
    secrets: tuple[str, ...]
    too_short: tuple[str, ...]
    unread: tuple[str, ...]
    leaks: tuple[Leak, ...]

    @property
    def clean(self) -> bool:
        """Whether all was searched, and nothing found."""
        return not self.leaks and not self.unread

    def write(self, directory: Path) -> None:
        """Keep it with the evidence; no secret stands in it."""
        told = {"shareable": self.clean, **asdict(self)}
        (directory / FILE_NAME).write_text(json.dumps(told, indent=1) + "\n")


def search(directory: Path, secrets: Iterable[Known]) -> Search:
    """Search every file of a run for secrets."""
    known = list(secrets)
    patterns: dict[bytes, tuple[str, str]] = {}
    too_short = []
    for one in known:
        parts = list(pieces(one.value))
        if not parts:
            too_short.append(one.of)
        for piece in parts:
            for form, octets in forms(piece):
                patterns.setdefault(octets, (one.of, form))
    files = [str(path.relative_to(directory)) for path in _files(directory)] if patterns else []
    leaks: list[Leak] = []
    unread: list[str] = []
    for first in range(0, len(files), _FILES_AT_ONCE):
        some = files[first : first + _FILES_AT_ONCE]
        try:
            leaks += _in_files(directory, some, patterns)
        except (OSError, BadEvidence):  # find out which
            for name in some:
                try:
                    leaks += _in_files(directory, [name], patterns)
                except (OSError, BadEvidence) as error:
                    unread.append(f"{name}: {error}")
    names = sorted({one.of for one in known} - set(too_short))
    return Search(len(files), tuple(names), tuple(too_short), tuple(unread), tuple(leaks))


def forms(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield every way in which a text may stand in a file, the plain one first."""
    plain = text.encode()
    yield "plain", plain
    yield "hexadecimal", plain.hex().encode()
    yield "hexadecimal", plain.hex().upper().encode()
    for encoded in (quote(text, safe=""), quote_plus(text)):
        if encoded != text:
            yield "URL-encoded", encoded.encode()
            yield "URL-encoded", _lower_escapes(encoded).encode()
    for ascii_only in (True, False):
        if (escaped := json.dumps(text, ensure_ascii=ascii_only)[1:-1]) != text:
            yield "escaped as in JSON", escaped.encode()
            yield "escaped as in JSON", escaped.replace("/", "\\/").encode()
    for before in range(3):
        for alphabet in (b"+/", b"-_"):
            yield "base64", _base64(plain, before, alphabet)


def _base64(plain: bytes, before: int, alphabet: bytes) -> bytes:
    """Return the characters that depend on `plain` alone, when `before` octets stand before it."""
    encoded = base64.b64encode(bytes(before) + plain + bytes(2), alphabet)
    return encoded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]


def _lower_escapes(encoded: str) -> str:
    first, *rest = encoded.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def pieces(value: str) -> Iterator[str]:
    """Yield what of a secret is looked for: each long line of a key; nothing of what is short."""
    lines = [line.strip() for line in value.strip().splitlines()]
    if len(lines) == 1:
        yield from (line for line in lines if len(line) >= SHORTEST)
        return
    yield from (
        line for line in lines if len(line) >= _LONG_LINE and not line.startswith(("-----", "#"))
    )


def _files(directory: Path) -> Iterator[Path]:
    for root, _, names in os.walk(directory):
        for name in sorted(names):
            path = Path(root) / name
            ours = name in _LEFT_OUT or name.endswith(".lock")
            if not ours and path.is_file() and not path.is_symlink():
                yield path


def _in_files(
    directory: Path, names: Sequence[str], patterns: Mapping[bytes, tuple[str, str]]
) -> list[Leak]:
    """Return the first place of each form of each secret in each of some files."""
    options = ["--text", "--only-matching", "--byte-offset", "--fixed-strings"]
    options += ["--with-filename", "--null", f"--max-count={_MOST_LINES}", "--file=-"]
    done = subprocess.run(
        ["grep", *options, "--", *names],
        cwd=directory,
        input=b"".join(one + b"\n" for one in patterns),
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    if done.returncode > 1:
        raise BadEvidence(f"it could not be searched: {done.stderr.decode(errors='replace')}")
    found: dict[tuple[str, str, str], Leak] = {}
    for file, at, octets in _MATCH.findall(done.stdout):
        name, (of, form) = os.fsdecode(file), patterns[octets]
        found.setdefault((name, of, form), Leak(of, name, form, int(at)))
    return list(found.values())
