"""Runs a script of the archive where every command that would change a machine is written down.

The archive is copied, and its `packages/install` is a recorder, too: nothing of this machine is
changed, and what a script does to one can be compared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.reference.drop_in import SOFTWARE

CHANGING = (
    "apt-get", "certbot", "install", "mkdir", "rm", "cp", "semanage", "sysctl", "systemctl", "yum",
    "vpn-server-node-server-config", "vpn-server-node-generate-firewall",
)  # fmt: skip
RECORDER = """#!/bin/sh
echo "${0##*/} $*" >>"$RECORD"
case "${0##*/} $*" in "systemctl list-units"*) printf '%s' "$UNITS" ;; esac
case "${0##*/} $*" in $FAILING) exit 1 ;; esac
exit 0
"""
AS_ROOT = '#!/bin/sh\ncase ${0##*/} in id) echo 0 ;; *) exec "$@" ;; esac\n'


@dataclass(frozen=True)
class Ran:
    """What a script did: its commands in order, how it ended, and what it said."""

    commands: tuple[str, ...]
    status: int
    stderr: str

    def naming(self, *words: str) -> list[str]:
        """Return the commands that begin with one of `words`."""
        return [one for one in self.commands if one.startswith(words)]


def copied(place: Path) -> Path:
    """Return a copy of the archive in which packages are not installed but written down."""
    archive = place / "documentation-2"
    if not archive.exists():
        shutil.copytree(SOFTWARE, archive)
        _program(archive / "packages/install", RECORDER)
    return archive


def run(
    script: Path, place: Path, *, failing: Sequence[str] = (), units: str = "", stdin: str = ""
) -> Ran:
    """Run a script; commands that match a pattern of `failing` end with 1.

    units: what systemctl lists.
    """
    programs, record = place / "programs", place / f"record-{script.name}"
    programs.mkdir(exist_ok=True)
    record.write_text("")
    for name in CHANGING:
        _program(programs / name, RECORDER)
    for name in ("sudo", "id"):
        _program(programs / name, AS_ROOT)
    environment: Mapping[str, str] = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "RECORD": str(record),
        "UNITS": units,
        "FAILING": failing[0] if failing else "-",
    }
    done = subprocess.run(
        ["sh", str(script)],
        cwd=script.parent,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Ran(tuple(record.read_text().splitlines()), done.returncode, done.stderr)


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
