"""Fixtures: two hosts, played."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from lab.hosts import look
from lab.hosts.connection import Connection, Connections
from tests.hosts.playing import Stage, played
from tests.hosts.suite import Tiny, tiny_suite

collect_ignore = ["tiny"]  # a suite of its own, which tests run


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Give two hosts with this Python, on which there is room enough."""
    monkeypatch.setattr(look, "ROOM_MIB", 1)
    with played("one", "two") as stage:
        for host in stage.hosts.values():
            host.program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        yield stage


@pytest.fixture
def host(two: Stage) -> Iterator[Connection]:
    """Give a connection to the first of them, which is open."""
    connections = Connections(two.read().hosts)
    connections.each["one"].open()
    yield connections.each["one"]
    connections.close()


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    """Give the tiny suite, and two hosts to run it on."""
    with tiny_suite() as one:
        yield one
