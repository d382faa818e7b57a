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
