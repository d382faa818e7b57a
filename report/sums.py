"""`SHA256SUMS` of all files of a run, the report's own included: what was changed since, by name.

The file is what `sha256sum -c` reads. It says nothing of who made it: that is `signing`'s matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from checks.engine.seal import differs, growing
from evidence import secret
from evidence.combinations import FOLDER
from evidence.errors import BadEvidence, EvidenceError
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

    Names are relative to the run's directory: `sha256sum -c` is to be run there. A capture that may
    grow, of a lab that was kept, has no sum: so much as was sealed of it stands in `verdicts.json`.
    """
    lines, may_grow = [], _growing(run)
    for path in dict.fromkeys((*files_of(run), *others)):
        name = os.path.relpath(path, run)
        if name in may_grow:
            continue
        escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        mark = "\\" if escaped != name else ""
        lines.append(f"{mark}{_digest(path)}  {escaped}\n")
    content, path = os.fsencode("".join(lines)), directory / NAME
    if not path.is_file() or path.read_bytes() != content:
        path.with_name(SIGNATURE).unlink(missing_ok=True)  # it was over something else
    return write_whole(path, content)


def changed(run: Path, sums: Path) -> Iterator[str]:
    """Yield each file that is not what the sums say: changed, gone, or not there by then.

    So is every link: whoever verifies a copy would look at something else. A capture that was
    sealed while the wire went on with it may have grown since.
    Raises BadEvidence when there are no sums, or they cannot be read.
    """
    before, may_grow = _read(sums), _growing(run)
    for name, digest in before.items():
        path = run / name
        if name in may_grow:
            continue
        if os.path.islink(path):  # noqa: PTH114 - as below
            yield f"{name}: is a link by now, and was a file"
        elif not os.path.isfile(path):  # noqa: PTH113 - Path's falls over a name that is too long
            yield f"{name}: is not there any more"
        elif _digest(path) != digest:
            yield f"{name}: was changed"
    for name, (directory, own, said) in may_grow.items():
        if wrong := differs(directory, own, said):
            yield f"{name}: {wrong}"
    for path in files_of(run):
        name = os.path.relpath(path, run)
        if name not in before and name not in may_grow:
            yield f"{name}: was added"
    for path in _links_of(run):
        if (name := os.path.relpath(path, run)) not in before:
            yield f"{name}: was added, a link"


def _links_of(run: Path) -> list[Path]:
    return sorted(
        path for path in run.rglob("*") if path.is_symlink() and not path.name.startswith(".")
    )


_Growing = tuple[Path, str, Mapping[str, Any]]
"""The directory whose verdicts seal a capture, its name there, and what was sealed of it."""


def _growing(run: Path) -> dict[str, _Growing]:
    """Return the captures that may grow, by name; of a matrix, those of its combinations."""
    found: dict[str, _Growing] = {}
    for directory in (run, *sorted((run / FOLDER).glob("*/"))):
        with suppress(EvidenceError):  # then no file of it may grow
            for name, said in growing(directory).items():
                found[os.path.relpath(directory / name, run)] = directory, name, said
    return found


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
