"""Every way in which a run or a record from anywhere is bad, by its name.

`IN_PLACE` puts something else where a file was, `TEXTS` are octets that are no JSON of ours, and
`VALUES` are what no reader expects in a value's place.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

HOSTILE = "[/red]\x1b[2J\x1b]0;x\x07[bold]\u202e:warning:\x9b\r\nPASS\u200b"
"""A name, or a reason."""


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line on standard error; nothing that acts on a terminal stands anywhere."""
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert (out + err).replace("\n", "").isprintable()
    (line,) = err.splitlines()
    assert len(line) < 1100
    return line


def _gone(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _instead(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        _gone(path)
        make(path)

    return put


def _bound(path: Path) -> None:
    directory = os.open(path.parent, os.O_PATH)  # names of sockets end at 107 octets
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def _sparse(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(8 << 30)


IN_PLACE: dict[str, Callable[[Path], None]] = {
    "nothing": _gone,
    "a directory": _instead(lambda path: path.mkdir()),
    "a FIFO": _instead(os.mkfifo),
    "a socket": _instead(_bound),
    "a link to a device that never ends": _instead(lambda path: path.symlink_to("/dev/zero")),
    "a link to a terminal": _instead(lambda path: path.symlink_to("/dev/tty")),
    "a link to itself": _instead(lambda path: path.symlink_to(path.name)),
    "a link to nowhere": _instead(lambda path: path.symlink_to("none")),
    "what cannot be read": _instead(lambda path: path.symlink_to("/proc/self/mem")),
    "8 GiB of nothing behind it": _sparse,
    "random octets": _instead(lambda path: path.write_bytes(os.urandom(5000))),
}

TEXTS: dict[str, bytes] = {
    "nothing at all": b"",
    "a newline": b"\n",
    "deep lists": b"[" * 100_000,
    "deep tables": b'{"a":' * 100_000,
    "deep and closed": b"[" * 900 + b"]" * 900,
    "invalid UTF-8": b'{"format": 2, "requirements": {"\xff\xfe": {}}}',
    "UTF-16": '{"format": 2}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"format": 2}',
    "a list": b"[1, 2]",
    "a number": b"17",
    "null": b"null",
    "two tables": b"{}{}",
    "cut off": b'{"format": 2, "requ',
    "NULs": bytes(5000),
}

VALUES: dict[str, bytes] = {
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "NaN": b"NaN",
    "1e999": b"1e999",
    "-1e999": b"-1e999",
    "a million digits": b"9" * 1_000_000,
    "a number above 64 bits": b"99999999999999999999",
    "a negative number": b"-5",
    "a fraction": b"1.5",
    "null instead": b"null",
    "a list instead": b"[[]]",
    "a table instead": b'{"a": {}}',
    "deep instead": b"[" * 5000 + b"]" * 5000,
    "a lone surrogate": rb'"\ud800"',
    "invalid UTF-8 instead": b'"\xff"',
}
