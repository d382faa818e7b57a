"""What is seen of a download: a bar on a terminal, a line each tenth of the way elsewhere."""

from __future__ import annotations

import io
import logging
import os
import re
import threading

import pooch
import pytest
from rich.console import Console

import lab.image
from lab.errors import ImageError
from lab.image.catalogue import Download
from lab.progress import Progress, each_tenth

CONTENT = os.urandom(4 << 20)


def nothing(_line: str) -> None:
    """Say nothing."""


class Screen(io.StringIO):
    """A terminal's paper; `seen` is set when `awaited` has been written on it."""

    def __init__(self, awaited: str = "") -> None:
        super().__init__()
        self.awaited = awaited
        self.seen = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        if self.awaited and self.awaited in self.text:
            self.seen.set()
        return count

    @property
    def text(self) -> str:
        """All that was ever drawn, without its colours and movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue()).replace("\r", "\n")


@pytest.fixture
def entry(site) -> Download:
    url, sha256 = site.publish("disk.qcow2", CONTENT)
    return Download(
        name="some-linux", kind="download", family="el", release=9, url=url, sha256=sha256
    )


@pytest.fixture(autouse=True)
def a_real_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """CI's is dumb, and rich moves nothing on a dumb one."""
    monkeypatch.setenv("TERM", "xterm")


def progress(screen: Screen, *, terminal: bool) -> Progress:
    return Progress(Console(file=screen, force_terminal=terminal, width=100, highlight=False))


def lines(screen: Screen) -> list[str]:
    """Return what was said, without the seconds."""
    said = [re.sub(r"^ *[0-9.]+s ", "", line) for line in screen.getvalue().splitlines()]
    return [re.sub(r"[0-9.]+ s$", "N s", line) for line in said]


def test_a_terminal_shows_bytes_speed_and_the_time_left_while_they_come(site, entry):
    screen = Screen(awaited="3.0/4.0 MiB")
    site.hold = (3 << 20, screen.seen)
    lab.image._download(entry, progress(screen, terminal=True), nothing)
    assert screen.seen.is_set()
    speed, time_left = r"[0-9.]+ .B/s", r"[-0-9]:[-0-9]{2}:[-0-9]{2}"  # no time left said at first
    bar = rf"fetching some-linux ━+\S* *3\.0/4\.0 MiB +{speed} +{time_left}"
    assert re.search(bar, screen.text), screen.text


def test_a_resumed_download_is_drawn_from_where_it_was(site, entry):
    site.cut = 2 << 20
    with pytest.raises(ImageError, match="broke off"):
        lab.image._download(entry, lambda _line: None, nothing)
    screen = Screen(awaited="2.0/4.0 MiB")
    site.hold = (0, screen.seen)
    lab.image._download(entry, progress(screen, terminal=True), nothing)
    assert screen.seen.is_set()
    assert "0.0/4.0 MiB" not in screen.text


def test_a_bar_leaves_one_line_that_says_how_long_it_took(site, entry):
    screen = Screen()
    lab.image._download(entry, progress(screen, terminal=True), nothing)
    assert re.search(r"fetching some-linux: [0-9.]+ s\n$", screen.text)


def test_the_library_that_fetches_does_not_write_beside_the_bar(site, entry):
    written = io.StringIO()
    listening = logging.StreamHandler(written)
    pooch.get_logger().addHandler(listening)
    lab.image._download(entry, progress(Screen(), terminal=True), nothing)
    pooch.get_logger().removeHandler(listening)
    assert written.getvalue() == ""


def test_a_file_that_breaks_off_is_said_to_have_failed(site, entry):
    site.cut = 1000
    screen = Screen()
    with pytest.raises(ImageError):
        lab.image._download(entry, progress(screen, terminal=False), nothing)
    assert lines(screen)[-1].startswith("failed after")


def test_without_a_terminal_there_are_plain_lines(site, entry):
    screen = Screen()
    lab.image._download(entry, progress(screen, terminal=False), nothing)
    assert lines(screen) == [
        "fetching some-linux: 0 of 4 MiB",
        "fetching some-linux: 1 of 4 MiB",
        "fetching some-linux: 2 of 4 MiB",
        "fetching some-linux: 3 of 4 MiB",
        "fetching some-linux: 4 of 4 MiB",
        "fetching some-linux: N s",
    ]


def test_beside_something_else_that_moves_there_are_plain_lines():
    screen = Screen()
    shown = progress(screen, terminal=True)
    with shown.task("booting"), shown.download("fetching") as advance:
        advance(1 << 20, 2 << 20)
    assert "fetching: 1 of 2 MiB" in screen.text


def test_a_function_gets_the_lines(site, entry):
    said: list[str] = []
    lab.image._download(entry, said.append, nothing)
    assert said[-1] == "fetching some-linux: 4 of 4 MiB"


def test_a_line_is_said_each_tenth_of_the_way_however_small_the_steps():
    said: list[str] = []
    advance = each_tenth("fetching", said.append)
    for here in range(1001):
        advance(here << 20, 1000 << 20)
    assert said == [f"fetching: {tenth * 100} of 1000 MiB" for tenth in range(11)]


def test_of_a_download_whose_length_nobody_says_there_is_one_line():
    said: list[str] = []
    advance = each_tenth("fetching", said.append)
    for here in range(3):
        advance(here << 20, 0)
    assert said == ["fetching: 0 of unknown MiB"]
