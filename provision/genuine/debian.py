"""Debs, made with dpkg-deb and without root.

What is not to be root's is given away when the package is installed.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from provision.errors import PackagingFailed
from provision.genuine.catalogue import Source
from provision.genuine.golang import architecture
from provision.genuine.recipe import Recipe
from provision.genuine.stage import date_all

REVISION = "0vpnproof1"
_MAINTAINER = "vpnproof <vpnproof@localhost>"


def version(source: Source) -> str:
    """Return the package's version: the source's tag, and that it was made here."""
    return f"{source.tag.removeprefix('v')}-{REVISION}"


def file_name(recipe: Recipe, source: Source) -> str:
    """Return what the package's file is called."""
    return f"{recipe.name}_{version(source)}_{_architecture(recipe)}.deb"


def control(recipe: Recipe, source: Source, installed_kib: int) -> str:
    """Return the package's control file; it names the commit that it was made of."""
    fields = {
        "Package": recipe.name,
        "Version": version(source),
        "Architecture": _architecture(recipe),
        "Maintainer": _MAINTAINER,
        "Installed-Size": str(installed_kib),
        "Depends": ", ".join(recipe.depends),
        "Section": "net",
        "Priority": "optional",
        "Homepage": source.repository,
        "Source-Commit": source.commit,
        "Description": f"{recipe.summary}\n built by vpnproof for its labs; {source.licence}",
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def postinst(recipe: Recipe) -> str:
    """Return what is done when the package is installed; "" when nothing is."""
    lines = []
    if user := recipe.user:
        lines.append(
            f"getent passwd {user} >/dev/null || useradd --system --user-group --no-create-home "
            f"--home-dir /nonexistent --shell /usr/sbin/nologin {user}"
        )
    for one in recipe.directories:
        path = shlex.quote(one.path)
        lines.append(f"chown {one.owner}:{one.group} {path} && chmod {one.mode:04o} {path}")
    lines += recipe.afterwards
    if not lines:
        return ""
    return "\n".join(["#!/bin/sh", "set -e", '[ "$1" = configure ] || exit 0', *lines, ""])


def build(recipe: Recipe, source: Source, root: Path, committed: int, target: Path) -> Path:
    """Make a deb of the staged `root` in the directory `target`; the same bytes each time."""
    kib = sum(-(-path.lstat().st_size // 1024) for path in root.rglob("*") if path.is_file())
    told = root / "DEBIAN"
    told.mkdir()
    told.chmod(0o755)  # whatever the umask: dpkg-deb insists
    (told / "control").write_text(control(recipe, source, kib))
    if recipe.configuration:
        (told / "conffiles").write_text("".join(f"{path}\n" for path in recipe.configuration))
    if script := postinst(recipe):
        (told / "postinst").write_text(script)
    for path in told.iterdir():
        path.chmod(0o755 if path.name == "postinst" else 0o644)
    date_all(told, committed)
    deb = target / file_name(recipe, source)
    done = subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(root), str(deb)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(committed), "LC_ALL": "C.UTF-8"},
    )
    if done.returncode != 0:
        raise PackagingFailed(f"dpkg-deb could not make {recipe.name}:\n{done.stderr.strip()}")
    return deb


def _architecture(recipe: Recipe) -> str:
    return architecture() if recipe.is_binary else "all"
