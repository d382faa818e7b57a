"""Where time goes: who owns an instant, and what recorders hear of threads."""

from __future__ import annotations

import threading
import time

import pytest

from lab.timing import Account, Kind, Recorder, Share, Span, beside, spending


def accounted(*spans: Span) -> Account:
    return Account.of(spans, 0.0, 10.0)


def test_an_instant_is_owned_by_the_kind_that_comes_first() -> None:
    account = accounted(
        Span(Kind.WAIT, 0, 8),
        Span(Kind.COMMAND, 1, 4),
        Span(Kind.LOGIN, 2, 3),
        Span(Kind.THAW, 5, 6),
    )
    owned = {kind: share.own_s for kind, share in account.shares.items() if share.own_s}
    assert owned == {Kind.WAIT: 4, Kind.COMMAND: 2, Kind.LOGIN: 1, Kind.THAW: 1}
    assert account.other_s == 2


def test_commands_side_by_side_are_added_up_and_counted_once() -> None:
    account = accounted(
        Span(Kind.COMMAND, 1, 4), Span(Kind.COMMAND, 2, 5), Span(Kind.COMMAND, 7, 8)
    )
    assert account.shares[Kind.COMMAND] == Share(count=3, sum_s=7, wall_s=5, own_s=5)


def test_a_kind_that_another_covers_keeps_its_wall_time() -> None:
    account = accounted(Span(Kind.PROVISION, 1, 9), Span(Kind.COMMAND, 2, 3))
    assert account.shares[Kind.COMMAND] == Share(count=1, sum_s=1, wall_s=1, own_s=0)
    assert account.shares[Kind.PROVISION].own_s == 8


def test_a_span_counts_as_far_as_it_lies_within() -> None:
    account = accounted(Span(Kind.WAIT, -5, 1), Span(Kind.WAIT, 9, 20), Span(Kind.WAIT, 30, 31))
    assert account.shares[Kind.WAIT] == Share(count=2, sum_s=2, wall_s=2, own_s=2)


def test_what_nobody_waits_for_owns_nothing() -> None:
    account = accounted(Span(Kind.THAW, 0, 10, beside=True), Span(Kind.COMMAND, 0, 4))
    assert account.shares[Kind.THAW] == Share(count=1, sum_s=10)
    assert (account.shares[Kind.COMMAND].own_s, account.other_s) == (4, 6)


def test_accounts_add_up() -> None:
    one = accounted(Span(Kind.WAIT, 0, 4))
    both = one + one
    assert (both.seconds, both.other_s, both.shares[Kind.WAIT].own_s) == (20, 12, 8)


def test_the_parts_of_what_was_recorded_make_up_the_wall_time(recorder: Recorder) -> None:
    began = time.monotonic()
    with spending(Kind.COMMAND), spending(Kind.LOGIN):
        time.sleep(0.05)
    account = recorder.take()
    assert account.shares[Kind.LOGIN].own_s >= 0.05
    assert account.seconds <= time.monotonic() - began + 0.05
    owned = sum(share.own_s for share in account.shares.values())
    assert owned + account.other_s == pytest.approx(account.seconds)


def test_what_still_runs_is_cut_in_two(recorder: Recorder) -> None:
    with spending(Kind.WAIT):
        time.sleep(0.02)
        first = recorder.take()
        time.sleep(0.02)
    second = recorder.take()
    assert first.shares[Kind.WAIT].own_s >= 0.02
    assert second.shares[Kind.WAIT].own_s >= 0.02
    assert first.shares[Kind.WAIT].own_s <= first.seconds
    assert recorder.take().shares[Kind.WAIT].count == 0


def test_a_span_ends_by_an_error_too(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="broken"), spending(Kind.COMMAND):
        raise ValueError("broken")
    assert recorder.take().shares[Kind.COMMAND].count == 1
    assert recorder.take().shares[Kind.COMMAND].count == 0


def test_spans_of_all_threads_are_heard(recorder: Recorder) -> None:
    def ask() -> None:
        for _ in range(500):
            with spending(Kind.COMMAND):
                pass

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.take().shares[Kind.COMMAND].count == 4000


def test_two_recorders_hear_the_same(recorder: Recorder) -> None:
    other = Recorder()
    with spending(Kind.JUDGE):
        pass
    other.close()
    with spending(Kind.JUDGE):
        pass
    assert other.take().shares[Kind.JUDGE].count == 1
    assert recorder.take().shares[Kind.JUDGE].count == 2


def test_what_is_done_beside_is_marked_until_it_ends(recorder: Recorder) -> None:
    with beside(), spending(Kind.THAW):
        time.sleep(0.01)
    with spending(Kind.LOGIN):
        time.sleep(0.01)
    account = recorder.take()
    assert account.shares[Kind.THAW].own_s == 0
    assert account.shares[Kind.THAW].sum_s >= 0.01
    assert account.shares[Kind.LOGIN].own_s >= 0.01
