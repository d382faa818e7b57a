"""A command on a host that ends when home does, whether it reads and writes or not.

It has a session of its own. Beside it a shell reads what home says every few seconds: at its end,
or when nothing is said for long, whoever is in that session is asked to end, and then made to. What
`sudo` has started there belongs to another, and goes on to its end.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time

SILENT_S = 40
"""For so long home may say nothing: as long as to a tether."""
_SAYS_EVERY_S = 10.0
_SCRIPT = """exec 3<&0
setsid sh -c {line} </dev/null 3<&- &
job=$!
(
    while [ "$(timeout {silent} head -c 1 <&3)" ]; do :; done
    trap "" TERM # nobody calls this off any more
    kill -TERM "-$job"
    sleep 5
    kill -KILL "-$job"
) >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$job"
code=$?
kill "$watch"
exit "$code"
"""


def script(line: str, silent_s: float = SILENT_S) -> str:
    """Return what runs a shell's line on a host for as long as it is fed by `ended`."""
    return _SCRIPT.format(line=shlex.quote(line), silent=silent_s)


def ended(process: subprocess.Popen[bytes], within_s: float) -> tuple[bytes, bytes]:
    """Return what a command said, at its end; subprocess.TimeoutExpired when that does not come."""
    held, process.stdin = process.stdin, None  # else it is closed as soon as one listens
    until = time.monotonic() + within_s
    try:
        while True:
            left = until - time.monotonic()
            try:
                return process.communicate(timeout=max(0.0, min(left, _SAYS_EVERY_S)))
            except subprocess.TimeoutExpired:
                if left <= _SAYS_EVERY_S:
                    raise
                with contextlib.suppress(OSError):
                    if held is not None:
                        held.write(b".")
                        held.flush()
    finally:
        if held is not None:
            with contextlib.suppress(OSError):
                held.close()
