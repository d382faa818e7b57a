"""The genuine software laid out in a folder, as its packages have it on a Debian machine.

Only paths are changed: what leads to `/usr/share` or `/etc` leads below the folder.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.wait import until
from provision.genuine import sources
from provision.genuine.catalogue import read
from provision.genuine.recipe import DEBIAN, Ours, Recipe
from provision.genuine.recipes import recipes
from provision.genuine.stage import stage
from tests.reference.drop_in import Machine

_EXTENSIONS = ("curl", "mbstring", "pdo_sqlite")


def missing() -> str:
    """Return why the genuine programs in PHP cannot be run here; "" when they can."""
    directory = sources.bundles()
    if directory is None:
        return (
            f"the genuine sources are not here: set {sources.DIRECTORY} to a directory of bundles"
        )
    if lacks := sources.at_hand(read().values()):
        return lacks
    if shutil.which("git") is None or shutil.which("php") is None:
        return "git and php are needed: lab/setup --genuine"
    loaded = subprocess.run(
        ["php", "-m"], capture_output=True, text=True, check=True
    ).stdout.split()
    absent = [extension for extension in _EXTENSIONS if extension not in loaded]
    return f"PHP lacks {', '.join(absent)}: lab/setup --genuine" if absent else ""


def lay_out(root: Path, *, compiled: bool) -> Machine:
    """Put every package into `root`; its programs in Go only if they are to be `compiled`."""
    trees = {source.name: sources.get(source) for source in read().values()}
    for recipe in recipes(DEBIAN):
        if compiled or not recipe.is_binary:
            _put(recipe, trees[recipe.source], root)
    return Machine(root)


def _put(recipe: Recipe, tree: sources.Tree, root: Path) -> None:
    unpacked = root.with_name(f"{root.name}-sources") / recipe.source
    if not unpacked.exists():
        tree.unpack(unpacked)
    stage(recipe, unpacked, root, tree.committed)
    for name, leads_to in recipe.links.items():
        link = root / name.lstrip("/")
        link.unlink()
        link.symlink_to(root / leads_to.lstrip("/"))
        (root / leads_to.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for one in recipe.contents:
        if isinstance(one, Ours):
            path = root / one.target.lstrip("/")
            path.write_text(path.read_text().replace("'/usr/share/", f"'{root}/usr/share/"))


@contextmanager
def serving(machine: Machine, log: Path = Path(os.devnull)) -> Iterator[str]:
    """Serve the genuine API of `machine` by PHP's own web server; yield its URI.

    `log` gets what it says, and what the API says to the system's log.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    web = machine.root / "usr/share/vpn-server-api/web"
    with log.open("w") as said:
        server = subprocess.Popen(
            ["php", "-d", "log_errors=0", "-S", f"127.0.0.1:{port}", "-t", web],
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
    try:
        until(lambda: _listens(port), 20, "PHP's web server listens")
        yield f"http://127.0.0.1:{port}/api.php"
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
