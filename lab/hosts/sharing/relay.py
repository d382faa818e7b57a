"""Takes an image or a checkpoint from one host to another, through home; nothing is kept here."""

from __future__ import annotations

import subprocess
import threading
import time

from lab.errors import LabError
from lab.hosts.connection import Connection, discard, last_line
from lab.wait import heard

_CHUNK = 1 << 18


class _Moving:
    """Ends both commands when nothing has moved for too long; a slow line may take its time."""

    def __init__(self, idle_s: float, *commands: subprocess.Popen[bytes]) -> None:
        self.octets = 0
        self.stood_still = False
        self._idle_s = idle_s
        self._commands = commands
        self._moved_at = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def by(self, octets: int) -> None:
        """Note that so many more octets went over."""
        self.octets += octets
        self._moved_at = time.monotonic()

    def end(self) -> None:
        """Watch no more."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while (left := self._moved_at + self._idle_s - time.monotonic()) > 0:
            if heard(self._over, left):
                return
        if self._over.is_set():
            return
        self.stood_still = True
        for one in self._commands:
            one.kill()


def relay(giver: Connection, give: str, taker: Connection, take: str, idle_s: float) -> int:
    """Let what one command writes be what another reads; return how many octets that were.

    LabError names the host that failed, and why, also where nothing has moved for `idle_s`.
    """
    source, sink = giver.start(give), taker.start(take)
    moving = _Moving(idle_s, source, sink)
    try:
        _copy(source, sink, moving)
        of, to = _ended(giver, source), _ended(taker, sink)
    finally:
        moving.end()
        discard(source)
        discard(sink)
    if moving.stood_still:
        raise LabError(
            f"nothing moved from {giver.host.name} to {taker.host.name} for {idle_s:g} s, after "
            f"{moving.octets} octets"
        )
    # What was cut short is the giver's fault, but where the taker refused it and it was killed.
    if why := (to if source.returncode < 0 else of) or to or of:
        raise LabError(why)
    return moving.octets


def _copy(source: subprocess.Popen[bytes], sink: subprocess.Popen[bytes], moving: _Moving) -> None:
    assert source.stdin is not None  # noqa: S101 - they have pipes
    assert source.stdout is not None  # noqa: S101
    assert sink.stdin is not None  # noqa: S101
    try:
        source.stdin.close()
        while piece := source.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
            sink.stdin.write(piece)
            moving.by(len(piece))
        sink.stdin.close()
    except OSError:  # the taker has ended
        source.kill()


def _ended(connection: Connection, process: subprocess.Popen[bytes]) -> str:
    """Return why a command failed, "" when it did not."""
    status = process.wait()
    if status == 0:
        return ""
    # Who was killed says nothing, and another of OpenSSH's processes may hold its pipe.
    said = process.stderr.read() if process.stderr is not None and status > 0 else b""
    told = last_line(said.decode(errors="replace"))
    return f"{connection.host.name}: {told or f'it ended with status {status}'}"
