"""RPMs, made with rpmbuild and without root; the spec is written here from the same recipe.

Neither the building nor the packages were run where this was written: no EL guest was at hand.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from provision.errors import PackagingFailed
from provision.genuine.catalogue import Source
from provision.genuine.recipe import Ours, Recipe

RELEASE = "0.vpnproof1"


def spec(recipe: Recipe, source: Source, root: Path) -> str:
    """Return the spec that packs what is staged in `root`."""
    lines = [
        f"Name: {recipe.name}",
        f"Version: {source.tag.removeprefix('v')}",
        f"Release: {RELEASE}",
        f"Summary: {recipe.summary}",
        f"License: {source.licence}",
        f"URL: {source.repository}",
        *([] if recipe.is_binary else ["BuildArch: noarch"]),
        "AutoReqProv: no",
        *(f"Requires: {name}" for name in recipe.depends),
        *(["Requires(pre): shadow-utils"] if recipe.user else []),
        "# what is staged is packed as it is: nothing stripped, compiled or compressed",
        "%global __os_install_post %{nil}",
        "%global debug_package %{nil}",
        "%description",
        f"{recipe.summary}. Built by vpnproof for its labs, of commit {source.commit}.",
        "%install",
        f"cp -a {root}/. %{{buildroot}}/",
        *_scripts(recipe),
        "%files",
        *_files(recipe, root),
        "",
    ]
    return "\n".join(lines)


def build(recipe: Recipe, source: Source, root: Path, committed: int, target: Path) -> Path:
    """Make an RPM of the staged `root` in the directory `target`."""
    with tempfile.TemporaryDirectory(prefix="vpnproof-rpm-") as own:
        written = Path(own) / f"{recipe.name}.spec"
        written.write_text(spec(recipe, source, root))
        defines = {
            "_topdir": own,
            "_rpmdir": str(target),
            "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
            "use_source_date_epoch_as_buildtime": "1",
            "clamp_mtime_to_source_date_epoch": "1",
            "_buildhost": "localhost",
            "_binary_payload": "w6.gzdio",
        }
        words = [word for one in defines.items() for word in ("--define", " ".join(one))]
        before = set(target.glob("*.rpm"))
        try:
            done = subprocess.run(
                ["rpmbuild", "-bb", *words, str(written)],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "SOURCE_DATE_EPOCH": str(committed), "LC_ALL": "C.UTF-8"},
            )
        except FileNotFoundError as error:
            raise PackagingFailed("RPMs need rpmbuild", hint="run lab/setup --genuine") from error
    made = set(target.glob("*.rpm")) - before
    if done.returncode != 0 or len(made) != 1:
        raise PackagingFailed(f"rpmbuild could not make {recipe.name}:\n{done.stderr.strip()}")
    return made.pop()


def _scripts(recipe: Recipe) -> list[str]:
    lines = []
    if user := recipe.user:
        lines += [
            "%pre",
            f"getent passwd {user} >/dev/null || useradd --system --user-group --no-create-home "
            f"--home-dir /nonexistent --shell /sbin/nologin {user}",
        ]
    if recipe.afterwards:
        lines += ["%post", *recipe.afterwards]
    return lines


def _files(recipe: Recipe, root: Path) -> list[str]:
    """List every file, and the directories that are the package's own."""
    owned = {one.path: one for one in recipe.directories}
    modes = {one.target: one.mode for one in recipe.contents if isinstance(one, Ours)}
    lines = []
    for path in sorted(root.rglob("*")):
        name = f"/{path.relative_to(root)}"
        if one := owned.get(name):
            lines.append(f"%dir %attr({one.mode:04o},{one.owner},{one.group}) {name}")
        elif path.is_symlink():
            lines.append(name)
        elif path.is_dir():
            if name.startswith(f"/usr/share/{recipe.name}"):
                lines.append(f"%dir {name}")
        else:
            mode = modes.get(name, path.stat().st_mode & 0o777)
            kept = "%config(noreplace) " if name in recipe.configuration else ""
            lines.append(f"{kept}%attr({mode:04o},root,root) {name}")
    return lines
