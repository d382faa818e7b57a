"""A control connection whose other end says nothing, or says it too late."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from lab.errors import WireError
from lab.wire import link as link_module
from lab.wire.link import Link


def test_an_answer_that_comes_too_late_is_no_answer_to_the_next_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "ANSWER_WITHIN", 0.05)
    here, wire = socket.socketpair()
    with wire:
        link = Link(here)
        with pytest.raises(WireError, match="did not answer 'hits'"):
            link.ask("hits")
        with suppress(BrokenPipeError):
            wire.sendall(b'{"ok": true, "result": 7}\n')
        with pytest.raises(WireError, match="the wire is gone"):
            link.ask("pause")


def test_who_is_interrupted_between_question_and_answer_gets_no_answer_of_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, wire = socket.socketpair()
    with wire:
        link = Link(here)
        with monkeypatch.context() as patched:
            patched.setattr(link, "line", interrupt)
            with pytest.raises(KeyboardInterrupt):
                link.ask("hits")
        with suppress(BrokenPipeError):
            wire.sendall(b'{"ok": true, "result": 7}\n')
        with pytest.raises(WireError, match="the wire is gone"):
            link.ask("pause")


def interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


def test_an_answer_that_cannot_be_read_ends_the_connection() -> None:
    here, wire = socket.socketpair()
    with wire:
        link = Link(here)
        wire.sendall(b'nonsense\n{"ok": true, "result": 7}\n')
        with pytest.raises(ValueError, match="Expecting value"):
            link.ask("hits")
        with pytest.raises(WireError, match="the wire is gone"):
            link.ask("pause")


def test_a_refusal_leaves_the_connection_in_step() -> None:
    here, wire = socket.socketpair()
    with wire:
        link = Link(here)
        wire.sendall(b'{"ok": false, "error": "no"}\n{"ok": true, "result": 7}\n')
        with pytest.raises(WireError, match="no"):
            link.ask("hits")
        assert link.ask("hits") == 7
        link.close()
