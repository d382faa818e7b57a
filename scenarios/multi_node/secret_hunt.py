"""Looks for secrets on the machine that it runs on. It stands alone, and is told them by stdin.

    secret_hunt.py watch DIRECTORY           notes every command line, until it is ended
    secret_hunt.py search DIRECTORY [ROOT]   JSON on stdin: a list of [name, text] for each secret

What is printed: a JSON list of {"where", "searched", "found": [{"secret", "at"}], "unread"}. Logs
are the files below /var/log, and the journal with all of its fields. Files that everybody may read
are those that are, in directories that everybody may enter; what packages put below /usr is left
out. What a command line holds is seen if it is there when it is looked at, four times a second.
What could not be searched is unread: that nothing was found there says nothing.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

EVERY_S = 0.25
LARGEST = 1 << 28
"""Octets of a file that is searched."""
SEEN = "command-lines"
"""In DIRECTORY: a line for each command that was seen, its name and its words."""
OPEN = (
    "etc", "var", "run", "tmp", "root", "home", "srv", "opt", "boot", "dev/shm", "usr/local",
    "usr/share/vpn-drop-in", "usr/share/vpn-server-api", "usr/share/vpn-server-node",
    "usr/share/vpn-user-portal", "usr/lib/vpn-server-node", "usr/libexec/vpn-server-node",
)  # fmt: skip
_BATCH = 400  # files that one grep is given
_SEARCHED = (0, 1)  # what grep ends with: something was found, or nothing
_JOURNAL = ("journalctl", "--quiet", "--no-pager", "--all", "--output=export")

Secrets = dict[bytes, str]  # what they are, by what to look for


def command_lines(proc: Path = Path("/proc")) -> Iterator[bytes]:
    """Yield the name and the words of each process, as a line; what ended meanwhile is left out."""
    for one in proc.iterdir():
        if one.name.isdigit():
            with contextlib.suppress(OSError):
                words = (one / "cmdline").read_bytes()
                name = (one / "comm").read_bytes().strip()
                if words:
                    line = name.replace(b" ", b"_") + b" " + words.replace(b"\0", b" ")
                    yield line.replace(b"\n", b" ")


def watch(directory: Path, over: Callable[[], bool] = lambda: False) -> None:
    """Note each command line once, until the process is ended."""
    seen: set[bytes] = set()
    descriptor = os.open(directory / SEEN, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab", buffering=0) as file:
        while True:
            new = set(command_lines()) - seen
            seen |= new
            file.write(b"".join(line + b"\n" for line in new))
            if over():
                return
            time.sleep(EVERY_S)


def search(directory: Path, secrets: Secrets, root: Path) -> list[dict[str, Any]]:
    """Search every kind of place."""
    return [
        _in_commands(directory, secrets),
        _in_logs(root / "var/log", directory, secrets),
        _answer("files that everybody may read", list(readable(root)), secrets),
    ]


def _in_commands(directory: Path, secrets: Secrets) -> dict[str, Any]:
    noted = directory / SEEN
    lines = set(command_lines()) | set(noted.read_bytes().splitlines() if noted.exists() else ())
    texts, unread = _texts_in(lines, secrets)
    found = {
        (secrets[text], line.partition(b" ")[0].decode(errors="replace"))
        for line in lines
        for text in texts
        if text in line
    }
    return _told("command lines", len(lines), found, unread)


def _texts_in(lines: Iterable[bytes], secrets: Secrets) -> tuple[set[bytes], list[str]]:
    """Return each text that grep finds in lines, and why it could not search them, if so."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(lines))
        file.flush()
        path = Path(file.name)
        found, unread = _matches([path], secrets)
    return {text for _, text in found}, [f"the command lines: {why}" for why in unread.values()]


def _in_logs(logs: Path, directory: Path, secrets: Secrets) -> dict[str, Any]:
    paths, unread = list(_files(logs)), []
    with tempfile.TemporaryDirectory(dir=directory) as place:
        named: dict[Path, str] = {}
        journal = Path(place) / "journal"
        with journal.open("wb") as file:
            try:
                subprocess.run(_JOURNAL, stdout=file, stderr=subprocess.PIPE, check=True)
                named[journal] = "the journal"
            except (OSError, subprocess.CalledProcessError) as error:
                unread.append(f"the journal: {error}")
        for number, path in enumerate([one for one in paths if one.suffix == ".gz"]):
            unpacked = Path(place) / str(number)
            try:
                unpacked.write_bytes(gzip.decompress(path.read_bytes()))
                named[unpacked] = str(path)
            except (OSError, EOFError) as error:
                unread.append(f"{path}: {error}")
        told = _answer("logs", [*paths, *named], secrets, named)
    told["unread"] += unread
    return told


def _files(top: Path) -> Iterator[Path]:
    for place, _, names in os.walk(top):
        yield from (Path(place) / name for name in names)


def readable(root: Path) -> Iterator[Path]:
    """Yield the files that everybody may read, where everybody may enter."""
    left_out = _namespaces()
    for top in OPEN:
        above = [root.joinpath(*Path(top).parts[: n + 1]) for n in range(len(Path(top).parts))]
        if not all(one.is_dir() and not one.is_symlink() and _enters(one) for one in above):
            continue
        for place, inner, names in os.walk(above[-1]):
            inner[:] = [name for name in inner if _enters(Path(place) / name)]
            for name in names:
                path = Path(place) / name
                with contextlib.suppress(OSError):
                    mode = path.lstat().st_mode
                    if stat.S_ISREG(mode) and mode & stat.S_IROTH and path not in left_out:
                        yield path


def _namespaces() -> set[Path]:
    """Return where namespaces are mounted (`ip netns`): they look like files, and hold nothing."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {Path(fields[4]) for fields in mounts if fields[fields.index("-") + 1] == "nsfs"}


def _enters(directory: Path) -> bool:
    with contextlib.suppress(OSError):
        return bool(directory.lstat().st_mode & stat.S_IXOTH)
    return False


def _answer(
    where: str, paths: list[Path], secrets: Secrets, named: dict[Path, str] | None = None
) -> dict[str, Any]:
    """Search files. named: what to call some of them, in place of their paths."""

    def called(path: Path) -> str:
        return (named or {}).get(path, str(path))

    small, unread = [], []
    for path in paths:
        with contextlib.suppress(OSError):  # gone meanwhile
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                continue
            if found.st_size > LARGEST:
                unread.append(f"{called(path)}: it has {found.st_size} octets")
            else:
                small.append(path)
    matches, failed = _matches(small, secrets)
    unread += [f"{called(path)}: {why}" for path, why in failed.items()]
    at = {(secrets[text], called(path)) for path, text in matches}
    return _told(where, len(small) - len(failed), at, unread)


def _told(
    where: str, searched: int, found: Iterable[tuple[str, str]], unread: list[str]
) -> dict[str, Any]:
    rows = [{"secret": secret, "at": at} for secret, at in sorted(found)]
    return {"where": where, "searched": searched, "found": rows, "unread": unread}


def _matches(
    paths: list[Path], secrets: Secrets
) -> tuple[set[tuple[Path, bytes]], dict[Path, str]]:
    """Return each file with each text that stands in it, and why any could not be searched.

    Where grep fails at some files, halves of them are searched again, down to single files. What
    has gone meanwhile is left out: it is as if it had gone before.
    """
    found: set[tuple[Path, bytes]] = set()
    unread: dict[Path, str] = {}
    todo = [paths[first : first + _BATCH] for first in range(0, len(paths), _BATCH)]
    while todo:
        some = todo.pop()
        matched, failure = _grep(some, secrets)
        found |= matched
        if failure and len(some) > 1:
            half = len(some) // 2
            todo += [some[:half], some[half:]]
        elif failure and some[0].exists():
            unread[some[0]] = f"it could not be searched: {failure}"
    return found, unread


def _grep(paths: list[Path], secrets: Secrets) -> tuple[set[tuple[Path, bytes]], str]:
    """Return each file with each text in it, and why grep failed at one of them, "" if at none.

    The texts go to grep by its stdin.
    """
    done = subprocess.run(
        ["grep", "-a", "-o", "-F", "-H", "--null", "-f", "-", "--", *map(str, paths)],
        input=b"".join(text + b"\n" for text in secrets),
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    found = set()
    for line in done.stdout.splitlines():
        path, _, text = line.partition(b"\0")
        if text in secrets:
            found.add((Path(os.fsdecode(path)), text))
    if done.returncode in _SEARCHED:
        return found, ""
    said = done.stderr.decode(errors="replace").strip()
    ended = "ended by signal" if done.returncode < 0 else "ended with"
    return found, said or f"grep {ended} {abs(done.returncode)}"


def main(words: list[str]) -> int:
    """Do what the command line says."""
    directory = Path(words[1])
    if words[0] == "watch":
        watch(directory)
        return 0
    told = {text.encode(): name for name, text in json.load(sys.stdin)}
    json.dump(search(directory, told, Path(*(words[2:] or "/"))), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
