"""Threads that a block waits for, and Ctrl-C does not."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import Future

import pytest

from lab.threads import side_by_side, threads


def test_a_block_ends_when_all_that_was_begun_has_ended() -> None:
    done: list[int] = []
    with threads(2) as beside:
        for number in range(5):
            beside.submit(done.append, number)
    assert sorted(done) == list(range(5))


def test_an_error_waits_for_what_was_begun() -> None:
    done: list[str] = []

    def fail_beside_another() -> None:
        with threads(2) as beside:
            beside.submit(done.append, "the other")
            raise ValueError("of one of them")

    with pytest.raises(ValueError, match="of one of them"):
        fail_beside_another()
    assert done == ["the other"]


def test_ctrl_c_waits_for_nobody_and_begins_nothing_more() -> None:
    gone, begun = threading.Event(), threading.Event()
    later: list[Future[None]] = []

    def ask() -> None:
        begun.set()
        gone.wait(60)  # as long as a command may take; nobody may wait for it

    def be_interrupted() -> None:
        with threads(1) as beside:
            beside.submit(ask)
            later.append(beside.submit(begun.clear))
            begun.wait(60)
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            be_interrupted()
        assert later[0].cancelled()
        assert begun.is_set()
    finally:
        gone.set()


def test_what_is_done_with_each_is_done_with_all_before_an_error_is_raised() -> None:
    done: list[int] = []

    def act(number: int) -> None:
        if number in (1, 3):
            raise ValueError(f"of number {number}")
        done.append(number)

    with pytest.raises(ValueError, match="of number 1"):
        side_by_side(range(5), act)
    assert sorted(done) == [0, 2, 4]
    side_by_side([], act)


def test_whoever_acts_has_the_callers_context() -> None:
    told: list[str] = []
    variable = contextvars.ContextVar("who", default="nobody")
    variable.set("the caller")
    side_by_side([1, 2], lambda _: told.append(variable.get()))
    assert told == ["the caller"] * 2
