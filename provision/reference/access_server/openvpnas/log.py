"""The two log files, and which line goes into which.

In failover mode `openvpnas.log` has the failover events only, and `openvpnas-node.log` all other
events of the node; without failover everything is in `openvpnas.log`. The shape of a line is
`2022-04-29T10:51:22+0530 [stdout#info] [OVPN 4] OUT: "text"`.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from openvpnas.paths import Paths


def line(source: str, text: str) -> str:
    """Give one log line; it has neither line breaks nor control characters, whatever the text has.

    What OpenVPN says may quote what a client has sent.
    """
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    flat = "".join(map(_shown, " ".join(text.split("\n")).rstrip()))
    return f'{stamp} [stdout#info] [{source}] OUT: "{flat}"\n'


def _shown(sign: str) -> str:
    return sign if sign.isprintable() or sign == "\t" else ascii(sign)[1:-1]


class Log:
    """Writes events of one node."""

    def __init__(self, paths: Paths, *, failover: bool) -> None:
        self._failover_path = paths.failover_log
        self.node_path = paths.node_log if failover else paths.failover_log

    def failover(self, text: str) -> None:
        """Log what concerns role, heartbeat or virtual IP."""
        _append(self._failover_path, line("FAILOVER", text))

    def node(self, source: str, text: str) -> None:
        """Log anything else; `source` is what it came from, like "OVPN 0"."""
        _append(self.node_path, line(source, text))


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
