"""`SHA256SUMS` of all files of a run, the report's own included: what was changed since, by name.

The file is what `sha256sum -c` reads. It says nothing of who made it: that is `signing`'s matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from evidence import secret
from evidence.errors import BadEvidence
from evidence.files import digest_of, read_whole
from report.writing import write_whole

NAME = "SHA256SUMS"
SIGNATURE = f"{NAME}.sig"
_LINE = re.compile(r"(?P<escaped>\\?)(?P<digest>[0-9a-f]{64}) [ *](?P<name>.+)")
LARGEST = 32 * 1024 * 1024
"""Octets of the sums: some 300 000 files."""
LARGEST_FILE = 16 * 1024 * 1024 * 1024
"""Octets of a file that they speak of: a capture of hours has some GiB."""
_LEFT_OUT = (NAME, SIGNATURE, secret.FILE_NAME)


def files_of(run: Path) -> list[Path]:
    """Return every regular file of a run that is handed on, but the sums and their signature.

    Not its secrets, nor locks and what is only begun.
    """
    found = (
        path
        for path in run.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
    )
    return sorted(path for path in found if path.name not in _LEFT_OUT)


def write_sums(run: Path, directory: Path, others: Iterable[Path] = ()) -> Path:
    """Write the sums of a run's files, and of `others` elsewhere, into `directory`.

    Names are relative to the run's directory: `sha256sum -c` is to be run there.
    """
    lines = []
    for path in dict.fromkeys((*files_of(run), *others)):
        name = os.path.relpath(path, run)
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        mark = "\\" if escaped != name else ""
        lines.append(f"{mark}{_digest(path)}  {escaped}\n")
    content, path = os.fsencode("".join(lines)), directory / NAME
    if not path.is_file() or path.read_bytes() != content:
        path.with_name(SIGNATURE).unlink(missing_ok=True)  # it was over something else
    return write_whole(path, content)


def changed(run: Path, sums: Path) -> Iterator[str]:
    """Yield each file that is not what the sums say: changed, gone, or not there by then.

    Raises BadEvidence when there are no sums, or they cannot be read.
    """
    before = _read(sums)
    for name, digest in before.items():
        path = run / name
        if not os.path.isfile(path):  # noqa: PTH113 - Path's falls over a name that is too long
            yield f"{name}: is not there any more"
        elif _digest(path) != digest:
            yield f"{name}: was changed"
    for path in files_of(run):
        name = os.path.relpath(path, run)
        if name not in before:
            yield f"{name}: was added"


def _read(sums: Path) -> dict[str, str]:
    hint = "make the report first: python -m report RUN"
    text = os.fsdecode(read_whole(sums, "list of sums", LARGEST, hint))
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        if (told := _LINE.fullmatch(line)) is None:
            raise BadEvidence(f"{sums}:{number}: no line of sums: {line[:80]!r}")
        name = told["name"]
        if told["escaped"]:
            name = re.sub(r"\\(.)", lambda one: {"n": "\n", "r": "\r"}.get(one[1], one[1]), name)
        found[name] = told["digest"]
    return found


def _digest(path: Path) -> str:
    if path.stat().st_size > LARGEST_FILE:  # such as /proc/kcore
        raise BadEvidence(f"{path}: no file of a run has more than {LARGEST_FILE} octets")
    return digest_of(path, "file of the run")[1]
