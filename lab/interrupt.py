"""Ends this process for a reason that nobody types Ctrl-C for: who started it is gone.

As Ctrl-C does, so that labs are taken down in order; when that takes long, at once: their wires and
guardians do the rest.
"""

from __future__ import annotations

import os
import signal
import threading

from lab.wait import heard
from lab.wire.watch import ProcessWatch

ENDS_WITHIN_S = 4.0
"""What this process has for ending its labs itself."""


def end_this_process() -> None:
    """Interrupt this process, and end it if that does not; call it beside the main thread."""
    os.kill(os.getpid(), signal.SIGINT)  # nothing comes of it where a shell has it ignored
    heard(threading.Event(), ENDS_WITHIN_S)
    os._exit(1)


def end_with(pid: int) -> None:
    """Let this process end when process `pid` does, however that comes."""
    try:
        watch = ProcessWatch(pid)
    except ProcessLookupError:  # it has ended already
        threading.Thread(target=end_this_process, daemon=True).start()
    else:
        watch.call_at_end(end_this_process)
