"""This checkout, on a host: in a directory called by its content, sent when it is not there.

What git tracks goes there, and what it does not ignore: the state that runs here, committed or
not. A directory that somebody changed there is moved aside, and sent anew.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lab.errors import HostsError
from lab.hosts import content
from lab.hosts.connection import Connection

_SENDS_WITHIN_S = 600.0
_TAKE = """set -e
umask 077
mkdir -p {above}
fresh=$(mktemp -d {above}/.unfinished-XXXXXX)
trap 'rm -rf "$fresh"' EXIT
tar -xzf - -C "$fresh"
exec 9>>{above}/.lock
flock 9
if [ -e {final} ]; then
[ -n "{changed}" ] || exit 0
mv {final} "$fresh.changed"
fi
mv "$fresh" {final}
"""


@dataclass(frozen=True)
class Checkout:
    """The files of a checkout by name, and the hash of all of them."""

    root: Path
    names: tuple[str, ...]
    digest: str

    @classmethod
    def at(cls, root: Path) -> Checkout:
        """Read a checkout; HostsError where git does not know it."""
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-coz", "--exclude-standard"],
            capture_output=True,
            check=False,
        )
        if listed.returncode:
            raise HostsError(
                f"{root}: git does not know what belongs to it",
                hint="a run over hosts sends a checkout of git there",
            )
        told = dict.fromkeys(os.fsdecode(name) for name in listed.stdout.split(b"\0") if name)
        names = tuple(name for name in told if os.path.lexists(root / name))
        digest = content.digest(str(root), names)
        if not digest:
            each = (one for one in names if not content.digest(str(root), [one]))
            unread = next(each, "a file")
            raise HostsError(
                f"{root}: {unread!r} cannot be read, so it cannot be sent to hosts",
                hint="let git ignore it, or see who may read it",
            )
        return cls(root, names, digest)

    def on(self, connection: Connection) -> PurePosixPath:
        """Return the directory it has on a host."""
        return connection.host.checkouts / self.digest[:16]

    def bring(self, connection: Connection, python: str) -> bool:
        """See to it that it is on a host, whole; whether it had to be sent."""
        if self._is_there(connection, python):
            return False
        final = self.on(connection)
        with tempfile.TemporaryFile() as packed:
            with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as tar:
                for name in self.names:
                    tar.add(self.root / name, arcname=name, recursive=False)
            packed.seek(0)
            changed = connection.run(f"test -e {shlex.quote(str(final))}").status == 0
            take = _TAKE.format(
                above=shlex.quote(str(final.parent)),
                final=shlex.quote(str(final)),
                changed="yes" if changed else "",  # else another run has sent it meanwhile
            )
            connection.need(take, packed.read(), within_s=_SENDS_WITHIN_S)
        if not self._is_there(connection, python):
            raise HostsError(f"{connection.host.name}: the checkout did not arrive as it is here")
        return True

    def _is_there(self, connection: Connection, python: str) -> bool:
        asked = f"NAMES = {list(self.names)!r}\n{Path(content.__file__).read_text()}"
        # The names go before what `from __future__` has to come first in.
        program = asked.replace("from __future__ import annotations\n", "", 1)
        said = connection.run(
            f"{python} - {shlex.quote(str(self.on(connection)))}", program.encode()
        )
        return said.status == 0 and said.out.decode().strip() == self.digest
