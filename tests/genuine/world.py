"""Made-up sources with every file the recipes ask for, and a compiler that compiles nothing."""

from __future__ import annotations

from pathlib import Path

from provision.genuine.catalogue import Source, read
from provision.genuine.recipe import DEBIAN, FromSource, GoProgram, System
from provision.genuine.recipes import recipes
from tests.genuine.conftest import publish

#: Stands for the compiler: what it "compiles" says what it was told.
GO = """#!/bin/sh
case $1 in version) echo "go version go1.19 linux/amd64" && exit ;; esac
while [ "$1" != -o ]; do shift; done
{ echo "#!/bin/sh"; echo "# compiled: $4 $5"; cat "$5"; } >"$2"
"""

SCRIPTS = {
    "deploy_debian.sh": "#!/bin/sh\n",
    "apply_changes.sh": "#!/bin/sh\n",
    "resources/php.conf": "\n",
    "multi_node/stop_node.sh": "#!/bin/sh\n",
    "img/large.png": "no script\n",
}


def files_of(source: str, system: System) -> dict[str, str]:
    """Return files for a source, such that every recipe's patches fit."""
    files = dict(SCRIPTS) if source == "documentation" else {"README": source}
    for recipe in (one for one in recipes(system) if one.source == source):
        for one in recipe.contents:
            match one:
                case GoProgram():
                    files[one.path] = f"package main // {source}\n"
                case FromSource() if one.patches or "." in Path(one.path).name:
                    words = "\n".join(patch.old for patch in one.patches)
                    files[one.path] = f"of {source}\n{words}\n"
                case FromSource() if one.path == "VERSION":
                    files[one.path] = "0\n"
                case FromSource():
                    files.setdefault(f"{one.path}/some.php", "<?php\n")
                    files.setdefault(f"{one.path}/run.sh", "#!/bin/sh\n")
    return files


def catalogue(root: Path, system: System = DEBIAN) -> dict[str, Source]:
    """Publish every source of the catalogue anew, made up, and return a catalogue of these."""
    made = {}
    for name, genuine in read().items():
        one = publish(root, name, files_of(name, system))
        made[name] = one.source.model_copy(update={"tag": genuine.tag})
    return made


def compiler(root: Path) -> Path:
    """Return a directory with the compiler in it, for PATH."""
    programs = root / "programs"
    programs.mkdir()
    (programs / "go").write_text(GO)
    (programs / "go").chmod(0o755)
    return programs
