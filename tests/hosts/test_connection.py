"""A run over many hosts has many connections, each of which has pipes; sh runs what is asked."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.hosts.connection import Connections, by_sh, has_said
from tests.hosts.playing import Stage

LAST_OF_SELECT = 1023


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """Give how many files may be open; what a test makes of it is undone."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_is_said_by_a_descriptor_that_select_does_not_know_is_heard(
    limits: tuple[int, int],
) -> None:
    if limits[1] < LAST_OF_SELECT + 10:
        pytest.skip("no more files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (LAST_OF_SELECT + 10, limits[1]))
    with ExitStack() as ends:
        reads, writes = os.pipe()
        ends.callback(os.close, writes)
        os.dup2(reads, LAST_OF_SELECT + 1)
        os.close(reads)
        pipe = ends.enter_context(os.fdopen(LAST_OF_SELECT + 1, "rb"))
        assert not has_said(pipe, 0)
        os.write(writes, b"x")
        assert has_said(pipe, 0)


def test_an_end_is_heard(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        assert has_said(pipe, 0)


@pytest.mark.parametrize(
    ("soft", "hard", "becomes"),
    [
        (1024, 4096, 1024 + 2 * 160),
        (1024, 1100, 1100),
        (1024, resource.RLIM_INFINITY, 1024 + 2 * 160),
        (1024, 1024, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None),
    ],
)
def test_there_is_room_for_the_pipes_of_every_host_as_far_as_may_be(
    two: Stage, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, becomes: int | None
) -> None:
    became: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: became.append(limit))
    Connections(two.read().hosts).close()
    assert became == ([] if becomes is None else [(becomes, hard)])


def test_what_sh_is_to_run_is_one_line_of_any_shell() -> None:
    line = "for one in a 'b  c'; do\n  echo \"$one\"; done; cat; exit 3"
    asked = by_sh(line)
    assert "\n" not in asked
    assert asked.count("'") == 2, "fish and csh know no quote within quotes"
    done = subprocess.run(["sh", "-c", asked], input=b"given", capture_output=True, check=False)
    assert (done.stdout, done.returncode) == (b"a\nb  c\ngiven", 3)
