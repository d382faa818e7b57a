"""Sources by commit id, each proven by git's own hashes, and kept in the cache.

They come from a directory of bundles (VPNPROOF_SOURCES) where that is set, else from their public
repositories. A source enters the cache when git has read every object of it and found the commit
that the catalogue names; each time it is used, that is proven again. What is something else is
refused by name, with what was expected and what was found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.cache import cache_root, locked
from lab.image.fetch import reachable
from lab.limits import DOWNLOAD, Limit, bounded
from provision.errors import SourceRefused
from provision.genuine.catalogue import Source

DIRECTORY = "VPNPROOF_SOURCES"
"""The environment variable that names a directory of bundles, NAME.bundle each."""

REACHED_WITHIN = 4.0
"""Seconds in which a public repository must answer to count as reachable."""

_FETCH_SECONDS = 600
# No configuration of this machine, no question on a terminal: what is fetched is the same anywhere.
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_NO_REPLACE_OBJECTS": "1",  # git archive would take another commit for the one it names
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}


@dataclass(frozen=True)
class Tree:
    """A source that was proven: the files of its commit, ready to be unpacked."""

    source: Source
    repository: Path
    """A bare git repository in the cache."""

    @property
    def committed(self) -> int:
        """When the commit was made, in seconds since 1970: the date of all that is made of it."""
        return int(_git(self.repository, "show", "-s", "--format=%ct", self.source.commit).stdout)

    def unpack(self, place: Path, *paths: str) -> None:
        """Write the commit's files (of `paths`, or all) into the directory `place`."""
        place.mkdir(parents=True, exist_ok=True)
        packing = ["git", "-C", str(self.repository), "archive", "--format=tar"]
        packing += [self.source.commit, "--", *paths]
        environment = {**os.environ, **_ENVIRONMENT}
        with subprocess.Popen(packing, stdout=subprocess.PIPE, env=environment) as packed:
            unpacking = ["tar", "-x", "--no-same-owner", "-C", str(place)]
            unpacked = subprocess.run(unpacking, stdin=packed.stdout, check=False)
        if packed.returncode != 0 or unpacked.returncode != 0:
            raise SourceRefused(f"{self.source}: {', '.join(paths) or 'it'} cannot be unpacked")


def bundles() -> Path | None:
    """Return the directory of bundles that VPNPROOF_SOURCES names; None when it names none."""
    named = os.environ.get(DIRECTORY)
    return Path(named).absolute() if named else None


def is_cached(source: Source) -> bool:
    """Whether the source is in the cache; `get` proves it again."""
    return _place(source).is_dir()


def at_hand(sources: Iterable[Source]) -> str:
    """Return why not all of `sources` can be had within seconds; "" when they can."""
    missing = [source for source in sources if not is_cached(source)]
    directory = bundles()
    if directory is not None:
        absent = [one.name for one in missing if not _bundle(directory, one).is_file()]
        return f"{directory} has no bundle of {', '.join(absent)}" if absent else ""
    hosts = {urlsplit(one.repository)._replace(path="/").geturl() for one in missing}
    dumb = [url for url in sorted(hosts) if not _answers(url)]
    return f"{dumb[0]} does not answer within {REACHED_WITHIN:.0f} s" if dumb else ""


def get(source: Source) -> Tree:
    """Return the source, proven; fetched first if it is not cached.

    SourceRefused says what was expected, what was found, and where.
    """
    place = _place(source)
    with locked(f"source-{source.name}"):
        if not place.is_dir():
            _enter(source, place)
        else:
            _prove(source, place, f"the cache's copy, {place},")
    return Tree(source, place)


def get_all(
    sources: Iterable[Source], say: Callable[[str], None] = lambda _line: None
) -> list[Tree]:
    """Return every source, proven; `say` is told of those that are fetched."""
    trees = []
    for source in sources:
        if not is_cached(source):
            say(f"fetching {source} from {_origin(source)[0]}")
        trees.append(get(source))
    return trees


def _place(source: Source) -> Path:
    return cache_root() / "sources" / f"{source.name}-{source.commit}.git"


def _bundle(directory: Path, source: Source) -> Path:
    return directory / f"{source.name}.bundle"


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "file" or reachable(url, REACHED_WITHIN)


def _origin(source: Source) -> tuple[str, tuple[str, ...]]:
    """Return where the source is fetched from, and what git has to ask for there."""
    directory = bundles()
    if directory is None:
        return source.repository, ("--depth=1", source.repository, source.commit)
    bundle = _bundle(directory, source)
    if not bundle.is_file():
        raise SourceRefused(
            f"{source}: there is no {bundle}",
            hint=f"put the bundle there, or unset {DIRECTORY} to fetch {source.repository}",
        )
    return str(bundle), (str(bundle), "refs/*:refs/found/*")


def _enter(source: Source, place: Path) -> None:
    """Fetch the source beside its place, prove it, and let it take the place by one rename."""
    named, asked = _origin(source)
    place.parent.mkdir(exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=place.parent))
    try:
        _git(unfinished, "init", "--quiet", "--bare", "--initial-branch=proven", "--template=")
        _git(unfinished, "config", "transfer.fsckObjects", "true")
        _git(unfinished, "config", "gc.auto", "0")
        fetched = _git(
            unfinished, "fetch", "--quiet", "--no-tags", *asked, check=False, limit=DOWNLOAD
        )
        if fetched.returncode != 0:
            raise SourceRefused(
                f"{source} cannot be read from {named}: {_last(fetched.stderr)}",
                hint="a bundle may be cut off or altered: compare it with where it came from; "
                f"a repository may be out of reach, or have more than {DOWNLOAD}",
            )
        _prove(source, unfinished, named)
        _git(unfinished, "update-ref", "refs/heads/proven", source.commit)
        unfinished.rename(place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _prove(source: Source, repository: Path, named: str) -> None:
    """Raise SourceRefused unless every object is what its hash says, and the commit is there."""
    checked = _git(repository, "fsck", "--strict", "--full", "--no-dangling", check=False)
    if checked.returncode != 0:
        raise SourceRefused(
            f"{source}: {named} is damaged: {_last(checked.stderr or checked.stdout)}",
            hint=f"remove it; it is fetched again: rm -rf {repository}",
        )
    wanted = f"{source.commit}^{{commit}}"
    found = _git(repository, "rev-parse", "--quiet", "--verify", wanted, check=False)
    if found.stdout.strip() != source.commit:
        raise SourceRefused(
            f"{source}: expected commit {source.commit}, but {named} holds {_commits(repository)}",
            hint=f"provision/genuine/catalogue.toml says which commit of {source.repository} "
            "is meant",
        )


def _commits(repository: Path) -> str:
    """Return what a repository's names lead to."""
    form = "%(refname:lstrip=2) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
    listed = _git(repository, "for-each-ref", f"--format={form}").stdout.splitlines()
    return ", ".join(listed) or "no commit with a name"


def _git(
    repository: Path, *words: str, check: bool = True, limit: Limit | None = None
) -> subprocess.CompletedProcess[str]:
    """Let git do something; with a limit it writes no file that is larger."""
    command = ["git", "-C", str(repository), *words]
    try:
        done = subprocess.run(
            bounded(limit, command) if limit else command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_FETCH_SECONDS,
            env={**os.environ, **_ENVIRONMENT},
        )
    except FileNotFoundError as error:
        raise SourceRefused(
            "there is no git here, which proves what a source is", hint="lab/setup --genuine"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SourceRefused(f"git {words[0]} took longer than {_FETCH_SECONDS} s") from error
    if check and done.returncode != 0:
        raise SourceRefused(f"git {' '.join(words)} in {repository}: {_last(done.stderr)}")
    return done


def _last(text: str) -> str:
    lines = [one for one in text.splitlines() if one.strip() and not one.startswith("notice:")]
    return "; ".join(lines[-3:]) or "git said nothing"
