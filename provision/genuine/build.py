"""All packages of one family of systems, made once on this host and kept in the cache.

What lies there is named by the hash of the recipes and of the commits, and enters whole; a digest
of each file stands beside it, and is compared each time it is used.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.cache import cache_root, content_key, locked, require_space
from provision.errors import PackagingFailed
from provision.genuine import debian, golang, repository, rpm, sources
from provision.genuine.catalogue import Source, key_of
from provision.genuine.recipe import Recipe, System
from provision.genuine.recipes import recipes
from provision.genuine.stage import stage

ARCHIVE = "documentation"
"""The source that the guide's own scripts are in."""
SCRIPTS = "documentation-2"
"""What the guide's archive unpacks to."""
_OF_THE_ARCHIVE = (":(glob)*.sh", "resources", "multi_node")
_THAT_SHAPE_IT = ("build", "debian", "golang", "recipe", "repository", "rpm", "stage")
_MANIFEST = "manifest.json"
_NEEDED_MIB = 300
_TOOLS = {"debian": ("git", "dpkg-deb", "go"), "el": ("git", "rpmbuild", "createrepo_c", "go")}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """The genuine software, ready to be put into guests."""

    place: Path

    @property
    def repository(self) -> Path:
        """The directory of packages, with its index."""
        return self.place / "repository"

    @property
    def scripts(self) -> Path:
        """The guide's scripts, as published."""
        return self.place / SCRIPTS


def key(system: System, catalogue: dict[str, Source]) -> str:
    """Return the hash of all that decides what is built: recipes, this code, commits."""
    here = Path(__file__).parent
    code = [(here / f"{module}.py").read_text() for module in _THAT_SHAPE_IT]
    made_of = [repr(recipe) for recipe in recipes(system)]
    return content_key(*code, *made_of, golang.architecture(), key_of(catalogue.values()))


def missing_tools(system: System) -> tuple[str, ...]:
    """Return the programs that building needs and this machine has not."""
    return tuple(tool for tool in _TOOLS[system.family] if shutil.which(tool) is None)


def is_cached(system: System, catalogue: dict[str, Source]) -> bool:
    """Whether it was built before; `build` compares its digests."""
    return (_place(system, catalogue) / _MANIFEST).is_file()


def build(system: System, catalogue: dict[str, Source], say: Say = lambda _line: None) -> Built:
    """Return the software for `system`, from the cache or built now.

    SourceRefused for what is not what the catalogue says, PackagingFailed for what cannot be built.
    """
    place = _place(system, catalogue)
    with locked(f"packages-{system.family}"):
        if not place.is_dir():
            if missing := missing_tools(system):
                raise PackagingFailed(
                    f"building the genuine software needs {', '.join(missing)}",
                    hint="run lab/setup --genuine",
                )
            trees = {tree.source.name: tree for tree in sources.get_all(catalogue.values(), say)}
            place.parent.mkdir(parents=True, exist_ok=True)
            require_space(place.parent, _NEEDED_MIB, "building the genuine software")
            _enter(system, trees, place, say)
        else:
            _compare(place)
    return Built(place)


def _place(system: System, catalogue: dict[str, Source]) -> Path:
    return cache_root() / "packages" / f"{system.family}-{key(system, catalogue)[:16]}"


def _enter(system: System, trees: dict[str, sources.Tree], place: Path, say: Say) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=place.parent))
    try:
        found = unfinished / "repository"
        found.mkdir(mode=0o755)
        controls = {}
        for recipe in recipes(system):
            say(f"packing {recipe.name} {trees[recipe.source].source.tag}")
            package, control = _pack(system, recipe, trees[recipe.source], found)
            controls[package.name] = control
        if system.family == "debian":
            newest = max(tree.committed for tree in trees.values())
            repository.index_of_debs(found, controls, newest)
        else:
            repository.index_of_rpms(found)
        trees[ARCHIVE].unpack(unfinished / SCRIPTS, *_OF_THE_ARCHIVE)
        manifest = {
            "commits": {name: tree.source.commit for name, tree in trees.items()},
            "go": _go_version(),
            "files": dict(_digests(unfinished)),
        }
        (unfinished / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        unfinished.rename(place)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _pack(system: System, recipe: Recipe, tree: sources.Tree, target: Path) -> tuple[Path, str]:
    """Make one package; return it and, of a deb, its control file."""
    with tempfile.TemporaryDirectory(prefix=f"vpnproof-{recipe.name}-") as own:
        unpacked, root = Path(own) / "source", Path(own) / "root"
        tree.unpack(unpacked)
        root.mkdir()
        committed = tree.committed
        stage(recipe, unpacked, root, committed)
        if system.family == "el":
            return rpm.build(recipe, tree.source, root, committed, target), ""
        deb = debian.build(recipe, tree.source, root, committed, target)
        return deb, (root / "DEBIAN" / "control").read_text()


def _digests(place: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if path.is_file() and name != _MANIFEST:
            yield name, hashlib.sha256(path.read_bytes()).hexdigest()


def _compare(place: Path) -> None:
    """Raise PackagingFailed when what was built is no longer what was built."""
    try:
        told = json.loads((place / _MANIFEST).read_text())["files"]
    except (OSError, ValueError, KeyError) as error:
        raise PackagingFailed(
            f"{place} has no manifest that can be read: {error!r}", hint=f"rm -rf {place}"
        ) from error
    found = dict(_digests(place))
    other = sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name))
    if other:
        raise PackagingFailed(
            f"{place}/{other[0]} is another than was built here",
            hint=f"it is built again after: rm -rf {place}",
        )


def _go_version() -> str:
    said = subprocess.run(["go", "version"], capture_output=True, text=True, check=False)
    return said.stdout.strip()
