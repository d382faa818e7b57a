"""Home's end of a host's wishes: hears what its workers are to make, and answers."""

from __future__ import annotations

import json
import threading

from lab.errors import HostLost
from lab.hosts.connection import Connection, discard, has_said, let_go, said_at_end
from lab.hosts.sharing.exchange import Exchange, Wish
from lab.made_once import Cached

_LONGEST_LINE = 4096
_BEGINS_WITHIN_S = 60.0


class Mail:
    """What one host's workers want. command: what runs `lab.hosts.sharing.wishes` there.

    HostLost when it does not begin. Once it is cut, workers there make everything themselves.
    """

    def __init__(self, connection: Connection, command: str, exchange: Exchange) -> None:
        self._host = connection.host.name
        self._exchange = exchange
        self._writing = threading.Lock()
        self._process = connection.start(command)
        assert self._process.stdout is not None  # noqa: S101 - it has pipes
        begins = has_said(self._process.stdout, _BEGINS_WITHIN_S)
        if not begins or b"listens" not in self._process.stdout.readline(_LONGEST_LINE):
            why = said_at_end(self._process)
            discard(self._process)
            told = f": {why}" if why else ""
            raise HostLost(f"{self._host}: nothing listens there to what is wanted{told}")
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def answer(self, name: str, what: str) -> None:
        """Answer a wish; a host that is gone is told nothing."""
        assert self._process.stdin is not None  # noqa: S101
        with self._writing:
            try:
                line = json.dumps({"name": name, "answer": what})
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()
            except (OSError, ValueError):
                return

    def close(self) -> None:
        """Hear no more, after the connection was closed."""
        self._process.kill()
        self._process.wait()
        self._thread.join(1)
        if not self._thread.is_alive():
            let_go(self._process)

    def _listen(self) -> None:
        try:
            self._hear()
        finally:  # what its workers notice, too
            self._exchange.unheard(self._host)
            self._process.kill()

    def _hear(self) -> None:
        assert self._process.stdout is not None  # noqa: S101
        while line := self._process.stdout.readline(_LONGEST_LINE):
            try:
                told = json.loads(line)
                name = str(told["name"])
                thing = Cached.named(name)
                heard = self._exchange.wants if told["wanted"] else self._exchange.ended
            except (ValueError, KeyError, TypeError):
                return  # no host of ours says that
            heard(thing, Wish(self._host, name))
