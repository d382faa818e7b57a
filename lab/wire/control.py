"""The control socket: Unix, mode 0600, one JSON object a line each way.

Serves any number of connections from the wire's own loop. One of them may be the owner: when it
ends without having disowned the lab, the wire ends the machines and itself. Slow subscribers
lose frames, and are told how many; they never slow the wire down. Who goes on asking and reads no
answer is dropped.
"""

from __future__ import annotations

import base64
import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import VpnproofError, WireError
from lab.wire.forwarder import Forwarder, Tap
from lab.wire.frame import Frame
from lab.wire.loop import READABLE, WRITABLE, Loop
from lab.wire.matching import compile_match
from lab.wire.message import LONGEST_PATH, SOCKET_NAME, Json, Request, line_of, request_of
from lab.wire.requests import Requests

LONGEST_REQUEST = 256 * 1024
_LONGEST_ERROR = 500
MOST_QUEUED = 4 * 1024 * 1024
"""Octets that wait for a subscriber before frames are lost to it."""


MOST_UNREAD = 2 * MOST_QUEUED
"""Octets that may wait for a client which asks for more: enough for a subscriber that asks, too."""


class Connection:
    """One client: requests in, answers and subscribed frames out."""

    def __init__(self, server: ControlServer, link: socket.socket) -> None:
        self._server = server
        self._link = link
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._tap: Tap | None = None
        self._lost = self._lost_told = 0
        self._events = READABLE
        link.setblocking(False)
        server.loop.watch(link.fileno(), self._ready)

    def reply(self, message: dict[str, Any]) -> None:
        """Send one line, now or as soon as the client takes it."""
        self._outgoing += line_of(message)
        self._push()

    def subscribe(self, request: Request) -> None:
        """Show this client the frames that match, from now on."""
        if self._tap is not None:
            raise WireError("this connection has a subscription", hint="open another connection")
        from lab.wire.rule_json import match_from_json  # loaded late: see there

        match = match_from_json(request.get("match", {}))
        self._tap = Tap(compile_match(match), self._show, match.looks_at_copies)
        self._server.forwarder.tap(self._tap)

    def close(self) -> None:
        """End the connection, with its subscription."""
        if self._tap is not None:
            self._server.forwarder.untap(self._tap)
            self._tap = None
        if self._link.fileno() >= 0:
            self._server.loop.forget(self._link.fileno())
            self._link.close()
            self._server.closed(self)

    def _show(self, frame: Frame) -> None:
        if len(self._outgoing) > MOST_QUEUED:
            self._lost += 1
            return
        self._lost_told = self._lost
        shown = vars(frame) | {"raw": base64.b64encode(frame.raw).decode(), "lost": self._lost}
        self.reply({"frame": shown})

    def _ready(self, events: int) -> None:
        if events & WRITABLE:
            self._push()
        if events & ~WRITABLE:
            self._take()

    def _take(self) -> None:
        try:
            octets = self._link.recv(65536)
        except BlockingIOError:
            return
        except OSError:  # reset by a client that died: the same as its end
            octets = b""
        if not octets:
            self.close()
            return
        self._incoming += octets
        while (end := self._incoming.find(b"\n")) >= 0:
            line = bytes(self._incoming[:end])
            del self._incoming[: end + 1]
            if len(self._outgoing) > MOST_UNREAD:
                self._drop()
                return
            self.reply(self._server.answer(self, line))
        if len(self._incoming) > LONGEST_REQUEST:
            self.reply(_refusal(f"a request of more than {LONGEST_REQUEST} octets", "WireError"))
            self.close()

    def _drop(self) -> None:
        """End the connection of a client that reads nothing: to tell it so would be more of it."""
        sys.stderr.write(
            f"a client was dropped: more than {MOST_UNREAD} octets of answers wait for it, and it "
            "asks for more\n"
        )
        self.close()

    def _push(self) -> None:
        if self._link.fileno() < 0:
            return
        try:
            while self._outgoing:
                del self._outgoing[: self._link.send(self._outgoing)]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more; reading will say so and close
            self._outgoing.clear()
        if not self._outgoing and self._lost_told < self._lost:
            self._lost_told = self._lost
            self._outgoing += line_of({"lost": self._lost})
        events = READABLE | WRITABLE if self._outgoing else READABLE
        if events != self._events:
            self._events = events
            self._server.loop.change(self._link.fileno(), events)


class ControlServer:
    """Accepts connections, answers them, and knows who owns the lab."""

    def __init__(
        self, loop: Loop, forwarder: Forwarder, requests: Requests, directory: Path
    ) -> None:
        self.loop = loop
        self.forwarder = forwarder
        self.owner: Connection | None = None
        self.owner_lost = False
        self.stopped = False
        self.disowned: Callable[[], None] = lambda: None
        """Called when the lab is to stay up without its owner, before the owner hears of it."""
        self._requests = requests
        self._connections: list[Connection] = []
        self._path = directory / SOCKET_NAME
        self._listening = _listen(self._path)
        loop.watch(self._listening.fileno(), self._accept)

    def connect(self, link: socket.socket) -> Connection:
        """Serve a client whose connection is there already."""
        connection = Connection(self, link)
        self._connections.append(connection)
        return connection

    def closed(self, connection: Connection) -> None:
        """Take note of a connection's end."""
        self._connections.remove(connection)
        if connection is self.owner:
            self.owner = None
            self.owner_lost = True

    def answer(self, connection: Connection, line: bytes) -> dict[str, Any]:
        """Return the answer to one line of `connection`, whatever stands in it."""
        try:
            return {"ok": True, "result": self._result(connection, request_of(line))}
        except VpnproofError as error:
            return _refusal(error.message, type(error).__name__, error.hint)
        except Exception as error:  # noqa: BLE001 - a fault of ours, and the lab goes on
            traceback.print_exc(file=sys.stderr)
            return _refusal(f"the wire could not answer: {error!r}", "WireError", "see wire.log")

    def close(self) -> None:
        """End every connection and remove the socket."""
        for connection in list(self._connections):
            connection.close()
        self.loop.forget(self._listening.fileno())
        self._listening.close()
        self._path.unlink(missing_ok=True)

    def _result(self, connection: Connection, request: Request) -> Json:
        own: dict[str, Callable[[], Json]] = {
            "hello": lambda: {"pid": os.getpid(), "capture": str(self.forwarder.recorder.path)},
            "adopt": lambda: self._adopt(connection),
            "disown": lambda: self._disown(connection),
            "subscribe": lambda: connection.subscribe(request),
            "stop": self._stop,
        }
        if (name := request["do"]) in own:
            return own[name]()
        return self._requests.answer(request)

    def _adopt(self, connection: Connection) -> None:
        if self.owner not in (None, connection):
            raise WireError("the lab has an owner", hint="wait for it to end, or let it disown")
        self.owner = connection

    def _disown(self, connection: Connection) -> None:
        if self.owner is not connection:
            raise WireError("only the owner can disown the lab", hint="adopt it first")
        self.owner = None
        self.disowned()

    def _stop(self) -> None:
        self.stopped = True

    def _accept(self, _: int) -> None:
        try:
            link, _address = self._listening.accept()
        except OSError:  # it went away before it was accepted
            return
        self.connect(link)


def _refusal(error: str, family: str, hint: str = "") -> dict[str, Any]:
    said = error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]}..."
    return {"ok": False, "error": said, "hint": hint[:_LONGEST_ERROR], "family": family}


def _listen(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise WireError(
            f"{path}: too long for a Unix socket ({LONGEST_PATH} octets)",
            hint="give the lab a directory with a shorter name",
        )
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        if path.is_socket() and listening.connect_ex(str(path)) == 0:
            raise WireError(f"a wire serves {path} already", hint="one lab, one directory")
        if path.is_socket():  # of a wire that was killed
            path.unlink(missing_ok=True)
        listening.bind(str(path))
        listening.listen(16)
    except BaseException as error:
        listening.close()
        if isinstance(error, OSError):
            raise WireError(f"{path}: {error.strerror}", hint="look at the directory") from None
        raise
    finally:
        os.umask(mask)
    listening.setblocking(False)
    return listening
