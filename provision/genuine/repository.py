"""A package repository of files: packages, and the index that apt (or yum) reads beside them.

It lies in the guest where the deploy scripts expect a repository of theirs, so that what they type
finds it. Nothing is signed: it never leaves the lab, and its digest is part of every checkpoint.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path

from provision.errors import PackagingFailed

#: Where it lies in a guest.
GUEST = "/srv/LC"
APT_SOURCE = f"deb [trusted=yes] file:{GUEST} ./\n"
YUM_SOURCE = f"[LC-v2]\nname=built by vpnproof\nbaseurl=file://{GUEST}\ngpgcheck=0\nenabled=1\n"


def index_of_debs(directory: Path, controls: Mapping[str, str], newest: int) -> None:
    """Write apt's index of the debs in `directory`; `controls` are their control files by name.

    `newest` is the date of the newest of them, seconds since 1970. Without a Release, apt would try
    every way in which an index may be compressed.
    """
    stanzas = []
    for name, control in sorted(controls.items()):
        content = (directory / name).read_bytes()
        stanzas.append(
            f"{control}Filename: ./{name}\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
        )
    index = "\n".join(stanzas).encode()
    (directory / "Packages").write_bytes(index)
    (directory / "Release").write_text(
        f"Label: built by vpnproof\nDate: {formatdate(newest, usegmt=True)}\nSHA256:\n"
        f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages\n"
    )


def index_of_rpms(directory: Path) -> None:
    """Write yum's index of the RPMs in `directory`, by createrepo_c."""
    if shutil.which("createrepo_c") is None:
        raise PackagingFailed(
            "a repository of RPMs needs createrepo_c", hint="run lab/setup --genuine"
        )
    done = subprocess.run(
        ["createrepo_c", "--quiet", "--simple-md-filenames", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PackagingFailed(f"createrepo_c: {done.stderr.strip()}")
