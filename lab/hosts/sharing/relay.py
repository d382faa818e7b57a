"""Takes an image or a checkpoint from one host to another, through home; nothing is kept here."""

from __future__ import annotations

import subprocess
import threading

from lab.errors import LabError
from lab.hosts.connection import Connection, discard, last_line

_CHUNK = 1 << 18


def relay(giver: Connection, give: str, taker: Connection, take: str, within_s: float) -> int:
    """Let what one command writes be what another reads; return how many octets that were.

    LabError names the host that failed, and why. Neither is waited for longer than `within_s`.
    """
    source, sink = giver.start(give), taker.start(take)

    def end() -> None:
        source.kill()
        sink.kill()

    enough = threading.Timer(within_s, end)
    enough.start()
    try:
        octets = _copy(source, sink)
        of, to = _ended(giver, source), _ended(taker, sink)
    finally:
        enough.cancel()
        discard(source)
        discard(sink)
    # What was cut short is the giver's fault, but where the taker refused it and it was killed.
    if why := (to if source.returncode < 0 else of) or to or of:
        raise LabError(why)
    return octets


def _copy(source: subprocess.Popen[bytes], sink: subprocess.Popen[bytes]) -> int:
    assert source.stdin is not None  # noqa: S101 - they have pipes
    assert source.stdout is not None  # noqa: S101
    assert sink.stdin is not None  # noqa: S101
    octets = 0
    try:
        source.stdin.close()
        while piece := source.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
            sink.stdin.write(piece)
            octets += len(piece)
        sink.stdin.close()
    except OSError:  # the taker has ended
        source.kill()
    return octets


def _ended(connection: Connection, process: subprocess.Popen[bytes]) -> str:
    """Return why a command failed, "" when it did not."""
    status = process.wait()
    if status == 0:
        return ""
    # Who was killed says nothing, and another of OpenSSH's processes may hold its pipe.
    said = process.stderr.read() if process.stderr is not None and status > 0 else b""
    told = last_line(said.decode(errors="replace"))
    return f"{connection.host.name}: {told or f'it ended with status {status}'}"
