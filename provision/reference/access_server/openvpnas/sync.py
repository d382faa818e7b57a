"""The sync from the active node to its standby: a snapshot by rsync over SSH, every period.

The standby checks and accepts it (`accept-snapshot` there); it loads it at takeover only.
"""

from __future__ import annotations

import fcntl
import json
import threading
import time
from collections.abc import Callable

from openvpnas import snapshot
from openvpnas.errors import REFUSALS, AccessServerError
from openvpnas.pair import Node
from openvpnas.paths import Paths
from openvpnas.shelf import Shelf
from openvpnas.shell import Shell, on, ssh_environment, ssh_options
from openvpnas.whole_file import write_whole

SEND_SECONDS = 60.0
HOME = "/usr/local/openvpn_as"  # the partner's, which is always the real one


class SyncFailed(AccessServerError):
    """The partner did not get, or did not accept, the snapshot."""


def send(paths: Paths, partner: Node, shell: Shell) -> snapshot.Manifest:
    """Make a snapshot and bring it into the partner's staging area; SyncFailed with the cause.

    One at a time: the periodic sync and a person's must not meet in the same directories.
    """
    with (paths.etc / "sync.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _send(paths, partner, shell)


def _send(paths: Paths, partner: Node, shell: Shell) -> snapshot.Manifest:
    manifest = snapshot.make(paths)
    incoming = f"{HOME}/etc/staging/incoming"
    environment = ssh_environment(partner)
    commands = (
        _rsync(paths, partner, incoming),
        on(partner, [f"{HOME}/libexec/accept-snapshot"]),
    )
    for command in commands:
        outcome = shell.run(command, environment=environment, timeout=SEND_SECONDS)
        if not outcome.ok:
            raise SyncFailed(f"sync to {partner.host}: {outcome.last_line}")
    return manifest


def _rsync(paths: Paths, partner: Node, incoming: str) -> list[str]:
    return [
        "rsync",
        "--archive",
        "--checksum",
        "--delete",
        f"--rsh={' '.join(ssh_options(partner))}",
        # not a connection of its own: each takes seconds on a slow machine
        f"--rsync-path=mkdir -p -m 700 {incoming} && rsync",
        "--",  # whatever a name looks like, it is no option
        f"{Shelf(paths.outgoing).complete}/",
        f"{partner.ssh_user}@{partner.host}:{incoming}/",
    ]


def record(paths: Paths, result: dict[str, object]) -> None:
    """Keep the last sync's result where `sacli FailoverStatus` finds it."""
    if paths.runtime.is_dir():
        write_whole(paths.sync_file, json.dumps(result) + "\n")


class PeriodicSync:
    """Sends at once and then every period, from a thread of its own, until stopped."""

    def __init__(
        self,
        paths: Paths,
        partner: Node,
        period: float,
        shell: Shell,
        report: Callable[[str], None],
    ) -> None:
        self._paths = paths
        self._partner = partner
        self._period = period
        self._shell = shell
        self._report = report
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End before the next send; one under way is left to end by itself."""
        self._stopping.set()

    def send_once(self) -> None:
        """Send, and say what came of it; a partner that is down is no error here."""
        started = time.time()
        result: dict[str, object] = {"at": round(started, 3), "to": self._partner.host}
        try:
            manifest = send(self._paths, self._partner, self._shell)
        except REFUSALS as error:
            result.update(ok=False, error=str(error))
            self._report(str(error))
        else:
            result.update(ok=True, id=manifest.id, term=manifest.term, serial=manifest.serial)
            self._report(
                f"sync: snapshot {manifest.id} (term {manifest.term}, serial {manifest.serial}) "
                f"accepted by {self._partner.host} after {time.time() - started:.1f} s"
            )
        record(self._paths, result)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.send_once()
            self._stopping.wait(self._period)
