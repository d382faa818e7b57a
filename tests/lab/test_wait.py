"""Waiting: what it returns, and what it says when it was in vain."""

import threading
import time
from collections.abc import Iterator

import pytest

from lab.errors import DeadlinePassed
from lab.timing import Kind, Recorder
from lab.wait import Deadline, heard, pause, set_pace, until


def test_what_is_true_at_once_is_returned_even_without_any_time() -> None:
    assert until(lambda: "found", 0, "something") == "found"


def test_a_condition_is_asked_until_it_is_true() -> None:
    answers: Iterator[str | None] = iter([None, "", "third"])
    assert until(lambda: next(answers), 5, "the third answer", every=0) == "third"


def test_a_deadline_names_what_was_waited_for_and_the_detail() -> None:
    with pytest.raises(DeadlinePassed, match="for the moon to rise: still below the horizon"):
        until(
            lambda: False,
            0,
            "the moon to rise",
            every=0,
            detail=lambda: "still below the horizon",
        )


def test_the_detail_is_only_asked_for_in_vain() -> None:
    def detail() -> str:
        raise AssertionError("asked for, though nothing went wrong")

    assert until(lambda: True, 1, "nothing", detail=detail)


def test_an_error_of_the_condition_is_not_swallowed() -> None:
    def broken() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        until(broken, 5, "something")


def test_a_deadline_in_the_future_lets_pass() -> None:
    deadline = Deadline(3600, "an hour")
    deadline.check()
    assert not deadline.passed
    assert 0 < deadline.left <= 3600


def test_a_deadline_that_has_passed_has_nothing_left() -> None:
    deadline = Deadline(0, "now")
    assert deadline.passed
    assert deadline.left == 0
    with pytest.raises(DeadlinePassed, match=r"^waited 0 s for now$"):
        deadline.check()


def test_waits_scale_with_the_pace_of_the_lab() -> None:
    set_pace(4)
    assert Deadline(10, "something").seconds == 40


@pytest.mark.parametrize("factor", [0, -1])
def test_a_pace_that_would_end_every_wait_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match=str(factor)):
        set_pace(factor)


def test_a_pause_of_no_time_returns() -> None:
    pause(0)


def test_pauses_polls_and_waits_for_an_event_are_waiting(recorder: Recorder) -> None:
    pause(0.02)
    with pytest.raises(DeadlinePassed):
        until(lambda: False, 0.02, "nothing", every=0.01)
    event = threading.Event()
    assert not heard(event, 0.02)
    event.set()
    assert heard(event, 60)
    assert 0.06 <= recorder.take().shares[Kind.WAIT].own_s < 30


def test_what_is_asked_while_polling_is_not_waiting(recorder: Recorder) -> None:
    until(lambda: not time.sleep(0.1), 5, "the first answer")
    assert recorder.take().shares[Kind.WAIT].own_s == 0
