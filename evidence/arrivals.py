"""Whether evidence that came home is what its host read: sizes and hashes, file by file.

The host makes the manifest of a part where the part was written, home compares. A file that has
grown since is as good: histories and captures are only added to. `secrets.json` is in no manifest:
a hash of it in the history would help who guesses at a secret.
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
    return {
        str(path.relative_to(directory)): _read(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not path.is_symlink()
        and path.name != secret.FILE_NAME
        and not path.name.startswith(".")
    }


def wrong_with(directory: Path, files: Mapping[str, FileArrived]) -> list[str]:
    """Say of each file in a manifest what is wrong with it in `directory`; empty: it is all there.

    Only so much of a file is looked at as the manifest is about.
    """
    found = ((name, _wrong(directory, name, said)) for name, said in files.items())
    return [f"{name}: {why}" for name, why in found if why]


def since_arrival(directory: Path, host: str, arrived: Iterable[EvidenceArrived]) -> Iterator[str]:
    """Yield what is wrong with a host's files by all that the run's own history says of them."""
    files: dict[str, FileArrived] = {}
    for one in arrived:
        if one.host == host:
            files |= {
                name: said
                for name, said in one.files.items()
                if not any(told.startswith(f"{name}: ") for told in one.wrong)
            }
    yield from wrong_with(
        directory, {name: said for name, said in files.items() if name not in REWRITTEN}
    )


def wrong_at_arrival(host: str, arrived: Iterable[EvidenceArrived]) -> list[str]:
    """Return what was wrong with a host's files when they came, and did not come right since."""
    found: dict[str, None] = {}
    for one in arrived:
        if one.host == host:
            again = tuple(f"{name}: " for name in one.files)
            found = {told: None for told in found if not told.startswith(again)}
            found |= dict.fromkeys(one.wrong)
    return list(found)


def _wrong(directory: Path, name: str, said: FileArrived) -> str:
    try:
        found = _read(inside(directory, name), said.size)
    except Absent:
        return "is not there"
    except BadEvidence as error:
        return f"cannot be read: {error.message}"
    if found.size < said.size:
        return f"is cut: {found.size} octets of {said.size}"
    return "" if found == said else "is not what its host read"


def _read(path: Path, octets: int | None = None) -> FileArrived:
    size, digest = digest_of(path, "file of a run", octets)
    return FileArrived(size=size, sha256=digest)
