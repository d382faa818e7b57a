"""What the guardian makes of the ends of its two lines, and of what was said before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from lab.guardian import ASKED, DISMISSED, KEPT
from lab.guardian.__main__ import Lines
from lab.guardian.line import Guardian
from lab.wire import Wire
from tests.guardian.conftest import Lab


class Pipes:
    """The owner's line and the wire's."""

    def __init__(self) -> None:
        self.reading, self.writing = {}, {}
        for who in ("owner", "wire"):
            self.reading[who], self.writing[who] = os.pipe()
        self.lines = Lines(self.reading["owner"], self.reading["wire"])

    def say(self, who: str, word: bytes) -> None:
        os.write(self.writing[who], word)
        self.lines.wait()

    def end(self, who: str) -> None:
        os.close(self.writing[who])
        self.lines.wait()

    @property
    def seen(self) -> set[str]:
        told = {
            "dismissed": self.lines.nothing_to_guard,
            "owner fell": self.lines.owner_fell,
            "wire fell": self.lines.wire_fell,
        }
        return {name for name, so in told.items() if so}


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes()
    yield made
    for descriptor in (*made.reading.values(), *made.writing.values()):
        with suppress(OSError):
            os.close(descriptor)


def test_while_both_live_nothing_has_happened(pipes: Pipes) -> None:
    pipes.lines.wait(0)
    assert pipes.seen == set()


def test_an_owner_that_ends_has_fallen(pipes: Pipes) -> None:
    pipes.end("owner")
    assert pipes.seen == {"owner fell"}


def test_an_owner_that_left_its_lab_up_has_not(pipes: Pipes) -> None:
    pipes.say("wire", KEPT)
    pipes.end("owner")
    assert pipes.seen == set()
    pipes.end("wire")
    assert pipes.seen == {"wire fell"}


def test_a_wire_that_ends_unasked_has_fallen(pipes: Pipes) -> None:
    pipes.end("wire")
    assert pipes.seen == {"wire fell"}


def test_a_wire_that_was_asked_leaves_the_lab_to_its_owner(pipes: Pipes) -> None:
    pipes.say("wire", ASKED)
    pipes.end("wire")
    assert pipes.seen == set()
    pipes.end("owner")
    assert pipes.seen == {"owner fell", "wire fell"}


def test_the_owner_can_send_the_guardian_away(pipes: Pipes) -> None:
    pipes.say("owner", DISMISSED)
    assert pipes.seen == {"dismissed"}


def test_a_guardian_that_took_anothers_place_knows_the_wire_alone() -> None:
    reading, writing = os.pipe()
    lines = Lines(None, reading)
    assert not lines.wire_fell
    assert not lines.nothing_to_guard
    os.write(writing, ASKED)
    os.close(writing)
    lines.wait()
    lines.wait()
    assert lines.wire_fell
    assert not lines.owner_fell
    os.close(reading)


def test_the_wire_says_that_a_lab_is_left_up_before_its_owner_hears_it(lab: Lab) -> None:
    reading, writing = os.pipe()
    guardian = Guardian(os.getpid(), os.dup(writing), writing)
    wire = Wire.start(lab.directory, [], capture=lab.directory / "wire.pcapng", guardian=guardian)
    os.set_blocking(reading, False)  # it is said before the answer comes, or never
    wire.disown()
    assert os.read(reading, 8) == KEPT
    wire.stop()
    assert os.read(reading, 8) == ASKED
    guardian.close()
    os.close(reading)
