"""Runs in a worker on another host, then goes on as xdist's own program.

The text of this module is sent there. What workers beside home inherit in their environment is told
instead; so are the arguments: paths are other ones here.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

if __name__ == "__channelexec__":
    channel: Any = globals()["channel"]  # execnet sets it
    workerinput, _, options, _ = channel.receive()
    told = workerinput["vpnproof_host"]
    os.environ.update(told["environment"])
    sys.path.insert(0, os.getcwd())  # noqa: PTH109

    from lab.hosts.tether import bind

    # Cut off from home first: what is interrupted here is no Ctrl-C of home's.
    bind(Path(told["tether"]), workerinput["workerid"], channel.gateway._io.close_write)

    class Told:
        """The channel to home, on which the arguments were told otherwise."""

        def receive(self) -> object:
            """Return what xdist waits for first."""
            return workerinput, told["args"], options, None

        def __getattr__(self, name: str) -> object:
            return getattr(channel, name)

    # Not imported: pytest rewrites the assertions of its plugins as it imports them itself.
    (xdist,) = find_spec("xdist").submodule_search_locations  # type: ignore[union-attr,misc]
    path = Path(xdist, "remote.py")
    program = compile(path.read_text(), str(path), "exec")
    exec(program, {"channel": Told(), "__name__": "__channelexec__"})  # noqa: S102
