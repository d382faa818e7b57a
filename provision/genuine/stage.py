"""A package's files as they will lie on a machine, in a directory of this one.

Modes are those of the recipe, not of whoever's umask; all files are as old as the source's commit.
Owners are left to the package (`Owned` of the recipe): here everything belongs to who builds.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from provision.errors import PackagingFailed
from provision.genuine.golang import compile_program
from provision.genuine.recipe import FromSource, GoProgram, Ours, Patch, Recipe

Compile = Callable[[GoProgram, Path, Path], None]


def stage(
    recipe: Recipe,
    source: Path,
    root: Path,
    committed: int,
    *,
    compile_go: Compile = compile_program,
) -> None:
    """Put what `recipe` installs of the unpacked `source` below the empty directory `root`."""
    for one in recipe.contents:
        match one:
            case Ours():
                _write(_below(root, one.target), one.text, one.mode)
            case GoProgram():
                target = _below(root, one.target)
                target.parent.mkdir(parents=True, exist_ok=True)
                compile_go(one, source, target)
                target.chmod(0o755)
            case FromSource():
                _copy(recipe, one, source / one.path, _below(root, one.target))
    for name, leads_to in recipe.links.items():
        link = _below(root, name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(leads_to)
    for directory in recipe.directories:
        _below(root, directory.path).mkdir(parents=True, exist_ok=True)
    for path in (root, *root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    date_all(root, committed)


def date_all(root: Path, committed: int) -> None:
    """Let everything below `root` be of that moment, seconds since 1970."""
    for path in (*root.rglob("*"), root):
        os.utime(path, (committed, committed), follow_symlinks=False)


def _below(root: Path, target: str) -> Path:
    return root / target.removeprefix("/")


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _copy(recipe: Recipe, one: FromSource, found: Path, target: Path) -> None:
    if not found.exists():
        raise PackagingFailed(
            f"{recipe.name}: the source has no {one.path}",
            hint="the recipe is for another commit than the catalogue names",
        )
    if found.is_file():
        _write(target, _patched(found.read_text(), one.patches, one.path), one.mode)
        return
    for file in sorted(path for path in found.rglob("*") if path.is_file()):
        copy = target / file.relative_to(found)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copy.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


def _patched(text: str, patches: tuple[Patch, ...], named: str) -> str:
    for patch in patches:
        text = patch.apply(text, named)
    return text
