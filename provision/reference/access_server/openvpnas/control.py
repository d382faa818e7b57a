"""The running service's answers to this node's own programs, over a Unix socket.

`sacli` and what OpenVPN and the partner start are shells that ask here with curl, because the
start of an interpreter takes seconds on emulated guests. Each has a twin in `libexec/alone` that
does the same by itself, for a node whose service does not run: nothing may be possible here that
is not there.

A question is `POST /PROGRAM`; its body the number of words and the words, a NUL behind each, then
"v" and a value if one is sent. The answer is a line and a text with "." behind it. The line is
the exit status, and the text what the program prints: to standard output for 0, else to standard
error. Or it is "value" (the text names the file whose content is to be sent) or "alone" (the
program's twin has to do it: nothing was done here).

Root only: the socket lies in a directory of mode 0700.
"""

from __future__ import annotations

import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from openvpnas.paths import Paths

ALONE = "alone"
VALUE = "value"
FINISH_SECONDS = 5.0
LARGEST_QUESTION = 8 * 1024 * 1024


@dataclass(frozen=True)
class Question:
    """What a program was started with; `value` only where it has been asked for."""

    words: tuple[str, ...]
    value: str | None = None


@dataclass(frozen=True)
class Answer:
    """An exit status (or VALUE, or ALONE), and what to print."""

    verdict: int | str
    text: str = ""


Program = Callable[[Paths, Question], Answer]


class NotAQuestion(Exception):
    """What was sent is not of the shape above."""


def decode(body: bytes) -> Question:
    """Read a question; NotAQuestion."""
    count, _, rest = body.partition(b"\0")
    if not count.isdigit() or len(count) > 6:  # noqa: PLR2004 - digits, more than there are words
        raise NotAQuestion(f"no number of words: {count[:20]!r}")
    *words, tail = rest.split(b"\0", int(count))
    if len(words) != int(count) or (tail and not tail.startswith(b"v")):
        raise NotAQuestion(f"not {int(count)} words")
    try:
        value = tail[1:].decode().replace("\r\n", "\n").replace("\r", "\n") if tail else None
        return Question(tuple(word.decode() for word in words), value)
    except UnicodeDecodeError:
        raise NotAQuestion("not text") from None


class _Asked(socketserver.StreamRequestHandler):
    """One question. curl asks, so of HTTP no more is read than curl sends."""

    server: Control
    timeout = 30.0

    def handle(self) -> None:
        name, body = self._read()
        answer = self.server.answer(name, body)
        said = f"{answer.verdict}\n{answer.text}.".encode()
        head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(said)}\r\n\r\n"
        with suppress(OSError):  # whoever asked has gone: that is their business
            self.wfile.write(head.encode() + said)

    def _read(self) -> tuple[str, bytes]:
        _, _, path = self.rfile.readline(4096).decode(errors="replace").partition(" /")
        length = 0
        for line in iter(lambda: self.rfile.readline(4096).strip(), b""):
            field, _, value = line.partition(b":")
            if field.lower() == b"content-length" and value.strip().isdigit():
                length = int(value[:20])
        return path.partition(" ")[0], self.rfile.read(min(length, LARGEST_QUESTION))


@contextmanager
def answering(
    paths: Paths, programs: Mapping[str, Program], complain: Callable[[str], None]
) -> Iterator[None]:
    """Answer this node's programs inside; without a socket they do it alone, as they can."""
    try:
        control = Control(paths, programs)
    except OSError as error:
        complain(f"{paths.control_socket}: {error}")
        yield
        return
    try:
        yield
    finally:
        control.finish()


class Control(socketserver.ThreadingUnixStreamServer):
    """The socket, open until `finish`; a thread a question."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, paths: Paths, programs: Mapping[str, Program]) -> None:
        self._paths = paths
        self._programs = programs
        self._changed = threading.Condition()
        self._under_way = 0
        self._finished = False
        path = paths.control_socket
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        path.unlink(missing_ok=True)  # of a service that was killed
        super().__init__(os.fspath(path), _Asked)
        path.chmod(0o600)
        threading.Thread(target=self._serve, name="control", daemon=True).start()

    def answer(self, name: str, body: bytes) -> Answer:
        """Answer one question; what is not understood is for the program alone."""
        program = self._programs.get(name)
        try:
            return Answer(ALONE) if program is None else program(self._paths, decode(body))
        except NotAQuestion:
            return Answer(ALONE)

    def finish(self) -> None:
        """Take no more questions; those under way get their answers, unless they take too long."""
        self._paths.control_socket.unlink(missing_ok=True)
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, FINISH_SECONDS)
        self._finished = True
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread below

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Answer in a thread, counted."""
        with self._changed:
            self._under_way += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Answer, and say when it is done."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _serve(self) -> None:
        while not self._finished:
            self.handle_request()
        self.server_close()
