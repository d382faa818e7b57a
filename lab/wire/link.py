"""One control connection, seen from the client: a request out, an answer back."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

from lab.errors import ScenarioError, WireError
from lab.wire.message import SOCKET_NAME, Json, line_of

ANSWER_WITHIN = 60.0
"""Seconds for the wire to answer; it answers within milliseconds unless the machine is stuck."""

_GONE = "see wire.log in the lab's directory; `python -m lab gc` ends what is left"


class Link:
    """A connection to a wire. Requests from several threads take turns."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.settimeout(ANSWER_WITHIN)
        self._lock = threading.Lock()
        self._incoming = bytearray()

    @classmethod
    def to(cls, directory: Path) -> Link:
        """Connect to the wire of the lab in `directory`; WireError when none serves there."""
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.connect(str(directory / SOCKET_NAME))
        except OSError as error:
            link.close()
            raise WireError(f"no wire serves {directory}: {error.strerror}", hint=_GONE) from None
        return cls(link)

    def ask(self, name: str, /, **fields: Json) -> Json:
        """Send request `name` and return its result; raises what the wire answers with."""
        line = line_of({"do": name, **fields})
        with self._lock:
            try:
                answer = self._exchange(name, line)
            except BaseException:  # Ctrl-C, too
                self.close()  # its answer may come yet, and would be taken for the next one's
                raise
        return result_of(answer)

    def _exchange(self, name: str, line: bytes) -> dict[str, Any]:
        try:
            self._socket.sendall(line)
            return self.line(ANSWER_WITHIN)
        except TimeoutError:
            raise WireError(
                f"the wire did not answer {name!r} in {ANSWER_WITHIN:.0f} s", hint=_GONE
            ) from None
        except OSError as error:
            raise WireError(f"the wire is gone: {error.strerror}", hint=_GONE) from None

    def line(self, timeout: float | None = ANSWER_WITHIN) -> dict[str, Any]:
        """Return the next line; TimeoutError after `timeout` seconds, WireError at the end."""
        while (end := self._incoming.find(b"\n")) < 0:
            self._socket.settimeout(timeout)
            try:
                octets = self._socket.recv(1 << 16)
            except TimeoutError:
                raise
            except OSError as error:
                raise WireError(f"the wire is gone: {error.strerror}", hint=_GONE) from None
            if not octets:
                raise WireError("the wire is gone", hint=_GONE)
            self._incoming += octets
        line = bytes(self._incoming[:end])
        del self._incoming[: end + 1]
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        """End the connection; safe to call twice."""
        self._socket.close()


def result_of(answer: dict[str, Any]) -> Json:
    """Return the result of an answer, or raise the error it tells."""
    if answer["ok"]:
        return answer["result"]
    family = ScenarioError if answer.get("family") == "ScenarioError" else WireError
    raise family(answer["error"], hint=answer.get("hint", ""))
