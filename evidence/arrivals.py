"""Whether evidence that came home is what its host read: sizes and hashes, file by file.

The host makes the manifest of a part where the part was written, home compares. While a run goes on
a file that has grown since is as good: histories and captures are only added to. Once it is over
each is as it came last: home writes none of them. `secrets.json` is in no manifest: a hash of it in
the history would help who guesses at a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from evidence import secret
from evidence.errors import Absent, BadEvidence
from evidence.events.hosts import EvidenceArrived, FileArrived
from evidence.files import digest_of, inside

REWRITTEN = ("run.json", "verdicts.json")
"""Of a part: written anew as a whole, so another one than at an earlier arrival says nothing."""


def manifest(directory: Path) -> dict[str, FileArrived]:
    """Return what each file of a part holds; no secrets, no locks, nothing that is only begun."""
    return {name: _read(path) for name, path in _files(directory)}


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(directory.rglob("*")):
        told = path.name != secret.FILE_NAME and not path.name.startswith(".")
        if told and path.is_file() and not path.is_symlink():
            yield str(path.relative_to(directory)), path


def wrong_with(directory: Path, files: Mapping[str, FileArrived]) -> list[str]:
    """Say of each file in a manifest what is wrong with it in `directory`; empty: it is all there.

    Only so much of a file is looked at as the manifest is about.
    """
    found = ((name, _wrong(directory, name, said)) for name, said in files.items())
    return [f"{name}: {why}" for name, why in found if why]


def hosts_of(arrived: Iterable[EvidenceArrived]) -> list[str]:
    """Return the hosts of which evidence came home, whether or not it is still there."""
    return list(dict.fromkeys(one.host for one in arrived))


def since_arrival(directory: Path, host: str, arrived: Iterable[EvidenceArrived]) -> Iterator[str]:
    """Yield what is wrong with a host's files by all that the run's own history says of them."""
    files, _ = _came(host, arrived)
    yield from wrong_with(
        directory, {name: said for name, said in files.items() if name not in REWRITTEN}
    )


def other_than_arrived(
    directory: Path, host: str, arrived: Iterable[EvidenceArrived]
) -> Iterator[str]:
    """Yield what is other with a host's files, in anything, than when each of them came last.

    A file that did not come right then may have more than came before, and is told of by
    `wrong_at_arrival`. Of a host of which nothing came, nothing is known.
    """
    files, wrong = _came(host, arrived)
    for name, said in files.items():
        if name in wrong and name in REWRITTEN:
            continue
        if why := _wrong(directory, name, said, grown=name in wrong):
            yield f"{name}: {why}"
    for name, _ in _files(directory) if files else ():
        if name not in files and name not in wrong:
            yield f"{name}: did not come from its host"


def _came(host: str, arrived: Iterable[EvidenceArrived]) -> tuple[dict[str, FileArrived], set[str]]:
    """Return what each file of a host held when it came right last, and which came wrong since."""
    files: dict[str, FileArrived] = {}
    wrong: set[str] = set()
    for one in arrived:
        if one.host == host:
            every = {*files, *wrong, *one.files}
            told = {name for name in every if any(it.startswith(f"{name}: ") for it in one.wrong)}
            files |= {name: said for name, said in one.files.items() if name not in told}
            wrong = (wrong - one.files.keys()) | told
            for name in one.gone:
                files.pop(name, None)
                wrong.discard(name)
    return files, wrong


def wrong_at_arrival(host: str, arrived: Iterable[EvidenceArrived]) -> list[str]:
    """Return what was wrong with a host's files when they came, and did not come right since."""
    found: dict[str, None] = {}
    for one in arrived:
        if one.host == host:
            again = tuple(f"{name}: " for name in one.files)
            found = {told: None for told in found if not told.startswith(again)}
            found |= dict.fromkeys(one.wrong)
    return list(found)


def _wrong(directory: Path, name: str, said: FileArrived, *, grown: bool = True) -> str:
    """Say what is wrong with a file; grown: whether it may have more than is said of it."""
    try:
        path = inside(directory, name)
        found = _read(path, said.size)
    except Absent:
        return "is not there"
    except BadEvidence as error:
        return f"cannot be read: {error.message}"
    if found.size < said.size:
        return f"is cut: {found.size} octets of {said.size}"
    if found != said:
        return "is not what its host read"
    return "" if grown or path.stat().st_size == said.size else "was added to since it came"


def _read(path: Path, octets: int | None = None) -> FileArrived:
    size, digest = digest_of(path, "file of a run", octets)
    return FileArrived(size=size, sha256=digest)
