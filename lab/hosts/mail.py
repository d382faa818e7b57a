"""Home's end of a host's wishes: hears what its workers are to make, and answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from lab.elsewhere import Cached
from lab.errors import HostLost
from lab.hosts.connection import Connection
from lab.hosts.exchange import Wish

_LONGEST_LINE = 4096
Hears = Callable[[Cached, Wish], None]


class Mail:
    """What one host's workers want. command: what runs `lab.hosts.wishes` there.

    HostLost when it does not begin. Once it is cut, workers there make everything themselves.
    """

    def __init__(self, connection: Connection, command: str, wants: Hears, ended: Hears) -> None:
        self._host = connection.host.name
        self._wants, self._ended = wants, ended
        self._writing = threading.Lock()
        self._process = connection.start(command)
        assert self._process.stdout is not None  # noqa: S101 - it has pipes
        if not self._process.stdout.readline(_LONGEST_LINE).startswith(b'{"listens"'):
            self._process.kill()
            self._process.communicate()
            raise HostLost(f"{self._host}: nothing listens there to what is wanted")
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
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        for pipe in pipes if not self._thread.is_alive() else ():
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101
        while line := self._process.stdout.readline(_LONGEST_LINE):
            try:
                told = json.loads(line)
                name = str(told["name"])
                thing = Cached.named(name)
                heard = self._wants if told["wanted"] else self._ended
            except (ValueError, KeyError, TypeError):
                return  # no host of ours says that; its workers notice that nobody listens
            heard(thing, Wish(self._host, name))
