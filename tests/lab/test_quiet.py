"""While something is timed in one lab, nobody is busy in another; nobody waits for ever."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from lab.quiet import busy, quiet, unasked
from lab.threads import side_by_side

MINE, OTHER = Path("/labs/mine"), Path("/labs/other")


class Stay:
    """Goes in, says so, and stays until it may leave."""

    def __init__(self) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()

    def busy(self, lab: Path | None = OTHER) -> None:
        with busy(lab):
            self._stay()

    def quiet(self, lab: Path = MINE) -> None:
        with quiet(lab):
            self._stay()

    def _stay(self) -> None:
        self.inside.set()
        assert self.leave.wait(20)


def enters(pool: ThreadPoolExecutor, act: Callable[[], None], stay: Stay) -> None:
    pool.submit(act)
    assert stay.inside.wait(20)


def test_nobody_is_busy_elsewhere_while_something_is_timed() -> None:
    timed, elsewhere = Stay(), Stay()
    with ThreadPoolExecutor(2) as pool:
        enters(pool, timed.quiet, timed)
        pool.submit(elsewhere.busy)
        assert not elsewhere.inside.wait(0.2)
        timed.leave.set()
        assert elsewhere.inside.wait(20)
        elsewhere.leave.set()


def test_commands_of_the_lab_that_is_timed_need_no_leave() -> None:
    timed = Stay()
    with ThreadPoolExecutor(1) as pool:
        enters(pool, timed.quiet, timed)
        with busy(MINE):
            pass
        timed.leave.set()


def test_what_is_timed_waits_until_nobody_is_busy() -> None:
    one, other, timed = Stay(), Stay(), Stay()
    with ThreadPoolExecutor(3) as pool:
        enters(pool, one.busy, one)
        enters(pool, other.busy, other)  # several may be busy at once
        pool.submit(timed.quiet)
        one.leave.set()
        assert not timed.inside.wait(0.2)
        other.leave.set()
        assert timed.inside.wait(20)
        timed.leave.set()


def test_who_comes_later_does_not_overtake_who_waits_for_quiet() -> None:
    one, timed, late = Stay(), Stay(), Stay()
    with ThreadPoolExecutor(3) as pool:
        enters(pool, one.busy, one)
        pool.submit(timed.quiet)
        assert not timed.inside.wait(0.2)
        pool.submit(late.busy)
        assert not late.inside.wait(0.2)
        one.leave.set()
        assert timed.inside.wait(20)
        assert not late.inside.is_set()
        timed.leave.set()
        assert late.inside.wait(20)
        late.leave.set()


def test_who_is_busy_already_may_do_more_though_somebody_waits() -> None:
    """A thaw whose machine has to be logged in to would wait for itself."""
    timed = Stay()
    with ThreadPoolExecutor(2) as pool:
        with busy():
            pool.submit(timed.quiet)
            assert not timed.inside.wait(0.2)
            with busy(OTHER):
                pass
            inherited = copy_context()
            assert pool.submit(inherited.run, lambda: busy(OTHER).__enter__()).exception(10) is None
        assert timed.inside.wait(20)
        timed.leave.set()


def test_a_thaw_that_began_is_not_kept_from_its_end_by_who_waits_for_it() -> None:
    """Its machines are talked to on threads of their own, which must not wait at the gate."""
    timed = Stay()
    with ThreadPoolExecutor(2) as pool:

        def thaw() -> None:
            with busy():
                pool.submit(timed.quiet)
                assert not timed.inside.wait(0.2)
                side_by_side([OTHER, MINE, None], lambda lab: busy(lab).__enter__())

        assert pool.submit(thaw).exception(10) is None
        assert timed.inside.wait(20)
        timed.leave.set()


def test_who_asks_nobodys_leave_neither_waits_nor_is_waited_for() -> None:
    timed, other = Stay(), Stay()
    with ThreadPoolExecutor(2) as pool:
        with unasked(), busy(OTHER):
            enters(pool, timed.quiet, timed)
            with busy(OTHER):
                pass
        pool.submit(other.busy)
        assert not other.inside.wait(0.2)
        timed.leave.set()
        assert other.inside.wait(20)
        other.leave.set()


def test_who_waits_for_long_says_so_once_and_who_does_not_wait_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lab.quiet.SAYS_SO_AFTER_S", 0.05)
    timed, said = Stay(), Stay()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        said.inside.set()

    def wait() -> None:
        with busy(OTHER, say=say):
            pass

    with ThreadPoolExecutor(2) as pool:
        wait()
        enters(pool, timed.quiet, timed)
        waiting = pool.submit(wait)
        assert said.inside.wait(20)
        timed.leave.set()
        assert waiting.exception(20) is None
    assert lines == ["waiting until what is timed in another lab is over"]


def hold(entered: multiprocessing.synchronize.Event) -> None:  # type: ignore[name-defined]
    with quiet(MINE):
        entered.set()
        threading.Event().wait()


def test_the_quiet_of_a_process_ends_with_it() -> None:
    spawning = multiprocessing.get_context("fork")
    entered = spawning.Event()
    holder = spawning.Process(target=hold, args=(entered,))
    holder.start()
    assert entered.wait(20)
    holder.kill()
    holder.join()
    with busy(OTHER):
        pass


def test_an_error_ends_it() -> None:
    with pytest.raises(ZeroDivisionError), quiet(MINE):
        raise ZeroDivisionError
    with quiet(OTHER), busy(OTHER):
        pass
