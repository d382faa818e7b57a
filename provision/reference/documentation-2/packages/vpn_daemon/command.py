"""The ``vpn-daemon`` command: flags and messages of version 1.0.1."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from vpn_daemon import server
from vpn_daemon.log import say
from vpn_daemon.tls import Keys, KeysError, context
from vpn_lib_common.flags import Flag, FlagError, HelpWanted, listing, parse
from vpn_lib_common.installation import ROOT

_FLAGS = (
    Flag("enable-tls", "use TLS, and ask for a client certificate", boolean=True),
    Flag("listen", "the address and port to listen on", default="127.0.0.1:41194"),
)
_DIRECTORIES = (ROOT / "etc/ssl/vpn-daemon", ROOT / "etc/pki/vpn-daemon")  # Debian's, EL's


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal comes; return the exit code."""
    try:
        values = parse(_FLAGS, sys.argv[1:] if arguments is None else arguments)
    except HelpWanted:
        sys.stderr.write(listing(_FLAGS))
        return 0
    except FlagError as error:
        sys.stderr.write(f"{error}\n{listing(_FLAGS)}")
        return 2
    try:
        tls = context(Keys(_keys())) if values["enable-tls"] else None
        listener = _listen(values["listen"])
    except (KeysError, OSError, ValueError) as error:
        say("ERROR", str(error))
        return 1
    asyncio.run(_until_a_signal(listener, tls))
    return 0


def _keys() -> Path:
    return next((one for one in _DIRECTORIES if one.is_dir()), _DIRECTORIES[0])


def _listen(address: str) -> socket.socket:
    host, colon, port = address.rpartition(":")
    if not colon:
        raise ValueError(f"listen tcp: address {address}: missing port in address")
    if not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError(f"listen tcp: address {address}: invalid port")
    try:
        return server.listen(host.strip("[]"), int(port))
    except OSError as error:
        # a name that leads nowhere has a number of its own
        told = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno)
        raise OSError(f"listen tcp {address}: bind: {str(told).lower()}") from None


async def _until_a_signal(listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    serving = asyncio.ensure_future(server.serve(listener, tls))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        return
