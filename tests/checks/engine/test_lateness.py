"""What a busy host explains, and what it does not; and how short a span may look that was kept."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.engine.lateness import explain, lower_bound_s, missed, only_late
from checks.engine.obligations import Obligation, Obligations
from checks.engine.verdict import Status, Verdict

NS = 1_000_000_000
T = 1_700_000_000 * NS


@dataclass(frozen=True)
class Late:
    """A record as the history has it."""

    of: str
    from_ns: int
    until_ns: int
    kept_ns: int


def late(of: str, from_s: float, until_s: float, kept_s: float) -> Late:
    return Late(of, T + round(from_s * NS), T + round(until_s * NS), round(kept_s * NS))


def grind(of: str, until_s: int, share: float) -> list[Late]:
    """Keep a process from running for a share of each second, for so many seconds."""
    return [late(of, second, second + 1, share) for second in range(until_s)]


def span(from_s: float, until_s: float) -> tuple[int, int]:
    return T + round(from_s * NS), T + round(until_s * NS)


PATH = ("secondary", "wire")


def test_the_words_say_who_was_kept_and_for_how_long() -> None:
    records = [late("secondary", 3, 4, 0.95), late("secondary", 4, 5, 0.95)]
    assert (
        explain(2.4, span(3, 6.4), PATH, records)
        == "`secondary` was kept from running for 1.9 s of the 2.4 s it was late"
    )


def test_all_that_were_involved_are_named_the_worst_first() -> None:
    records = [late("wire", 3, 4, 0.4), late("secondary", 4, 5, 0.9)]
    assert (
        explain(1.5, span(3, 6), PATH, records)
        == "`secondary` was kept from running for 900 ms and `wire` for 400 ms"
        " of the 1.5 s it was late"
    )


def test_three_are_named_as_a_list() -> None:
    records = [late(of, at, at + 1, 0.5 + at / 10) for at, of in enumerate(("a", "b", "c"))]
    assert (
        explain(1.9, span(0, 3), ("a", "b", "c"), records)
        == "`c` was kept from running for 700 ms, `b` for 600 ms and `a` for 500 ms"
        " of the 1.9 s it was late"
    )


def test_more_than_enough_is_said_as_such() -> None:
    assert (
        explain(0.1, span(3, 6), PATH, [late("secondary", 3, 4, 0.9)])
        == "`secondary` was kept from running for 900 ms, and it was 100 ms late"
    )


def test_a_host_that_recorded_nothing_explains_nothing() -> None:
    assert explain(0.001, span(3, 6), PATH, []) is None


def test_what_is_missed_by_more_is_not_explained() -> None:
    assert explain(2.6, span(3, 6.6), PATH, [late("secondary", 3, 5, 1.9)]) is None


def test_who_is_not_on_the_way_explains_nothing() -> None:
    records = [late("client", 3, 5, 2.0), late("primary", 3, 5, 2.0)]
    assert explain(1.0, span(3, 6), PATH, records) is None


@pytest.mark.parametrize("at", [(0, 3), (6, 9)])
def test_what_was_late_before_or_after_explains_nothing(at: tuple[float, float]) -> None:
    assert explain(1.0, span(3, 6), PATH, [late("secondary", *at, 3.0)]) is None


def test_a_record_counts_as_far_as_it_lies_in_the_span() -> None:
    records = [late("secondary", 2.5, 3.5, 0.8)]
    assert explain(0.66, span(3, 6), PATH, records) is not None
    assert explain(0.67, span(3, 6), PATH, records) is None


def test_a_stall_may_have_been_in_the_part_of_a_record_that_a_span_covers() -> None:
    """Seen: keepalived 187 ms after it was due, 87 ms later than allowed, in such a record."""
    records = [late("secondary", 3.05, 3.86, 0.15)]
    assert explain(0.087, span(3.0, 3.187), PATH, records) is not None
    assert explain(0.187, span(3.0, 3.187), PATH, [late("secondary", 3.05, 3.86, 0.1)]) is None


def test_two_that_were_late_at_one_instant_explain_it_once() -> None:
    records = [late("secondary", 3, 4, 0.9), late("wire", 3, 4, 0.9)]
    assert explain(1.3, span(3, 6), PATH, records) is not None
    assert explain(1.4, span(3, 6), PATH, records) is None


def test_two_that_were_late_one_after_the_other_explain_both() -> None:
    records = [late("secondary", 3, 4, 0.9), late("wire", 4, 5, 0.9)]
    assert explain(2.4, span(3, 6), PATH, records) is not None


def test_a_record_that_stands_there_twice_counts_once() -> None:
    assert explain(1.0, span(3, 6), PATH, [late("secondary", 3, 4, 0.4)] * 3) is None


def test_a_dead_ratio_of_10_is_not_excused_by_two_busy_loops() -> None:
    """Due after 3 s, allowed until 5, there after 12.5; each second half lost, as was seen."""
    records = [*grind("secondary", 13, 0.45), *grind("wire", 13, 0.1), *grind("client", 13, 0.6)]
    assert explain(7.5, span(3, 12.5), PATH, records) is None


def test_a_standby_that_hardly_ran_is_excused() -> None:
    assert explain(7.5, span(3, 12.5), PATH, grind("secondary", 13, 0.9)) is not None


def test_a_short_stall_right_when_it_was_due_is_an_excuse() -> None:
    records = [late("secondary", 3.6, 3.8, 0.12)]
    assert explain(0.02, span(3.6, 3.73), PATH, records) is not None


def test_an_empty_span_or_record_explains_nothing() -> None:
    assert explain(0.1, span(5, 5), PATH, [late("secondary", 3, 6, 3)]) is None
    assert explain(0.1, span(6, 5), PATH, [late("secondary", 3, 6, 3)]) is None
    assert explain(0.1, span(3, 6), PATH, [late("secondary", 4, 4, 3)]) is None


def test_a_limit_that_was_kept_needs_no_explanation() -> None:
    with pytest.raises(ValueError, match="kept"):
        explain(0.0, span(3, 6), PATH, [])


records_anywhere = st.lists(
    st.builds(
        late,
        st.sampled_from(["secondary", "wire", "client"]),
        st.floats(0, 9),
        st.floats(9, 12),
        st.floats(0, 20),
    )
)


@given(records_anywhere, st.floats(0, 12), st.floats(0, 12))
def test_no_span_explains_more_than_its_own_length(
    records: list[Late], began: float, lasted: float
) -> None:
    excess = lasted / 0.75 + 0.001
    assert explain(excess, span(began, began + lasted), PATH, records) is None


@given(records_anywhere, st.floats(0.01, 12), st.floats(0.01, 12))
def test_a_smaller_miss_is_explained_by_whatever_explains_a_greater_one(
    records: list[Late], one: float, other: float
) -> None:
    small, great = sorted((one, other))
    if explain(great, span(0, 12), PATH, records) is not None:
        assert explain(small, span(0, 12), PATH, records) is not None


@pytest.mark.parametrize(
    ("minimum_s", "seen_s", "kept"),
    [
        (3.0, 2.999, True),  # a guest's clock, 400 ppm fast
        (3.0, 2.99, True),  # the last advertisement was late on the wire
        (3.609, 3.595, True),
        (3.609, 3.53, True),  # a slow guest, 80 ms late
        (3.0, 2.85, False),
        (3.0, 2.0, False),  # a dead ratio of 2
        (75.0, 74.84, True),  # the rate of a clock tells on a long span
    ],
)
def test_a_lower_bound_has_the_tolerance_of_its_clocks(
    minimum_s: float, seen_s: float, kept: bool
) -> None:
    assert (seen_s >= lower_bound_s(minimum_s)) is kept


def test_what_is_known_of_two_clocks_widens_it() -> None:
    assert lower_bound_s(3.0, 0.2) == pytest.approx(lower_bound_s(3.0) - 0.2)


def judged(*records: Late) -> tuple[Verdict, Obligation]:
    owed = Obligations()
    one = owed.owe("a takeover within 5 s")
    missed(one, "it took 6.000 s", 1.0, span(3, 6), PATH, records, "wire/lab.pcapng")
    return owed.verdict(), one


def test_a_limit_that_was_missed_is_broken_where_nothing_explains_it() -> None:
    verdict, one = judged()
    assert verdict.status is Status.FAIL
    assert verdict.reasons == ("it took 6.000 s",)
    assert one.evidence == ["wire/lab.pcapng"]


def test_a_limit_that_was_missed_is_late_where_the_host_explains_it() -> None:
    verdict, one = judged(late("secondary", 4, 5, 0.9))
    assert only_late(verdict)
    assert verdict.reasons == (
        "it took 6.000 s, but `secondary` was kept from running for 900 ms of the 1.0 s"
        " it was late",
    )
    assert one.evidence == ["wire/lab.pcapng"]


@pytest.mark.parametrize(
    ("verdict", "late"),
    [
        (Verdict(Status.UNKNOWN, ("late",), late=True), True),
        (Verdict(Status.UNKNOWN, ("no capture",)), False),
        (Verdict(Status.PASS), False),
        (Verdict(Status.FAIL, late=True), False),
    ],
)
def test_only_what_is_unknown_for_lateness_alone_is_worth_repeating(
    verdict: Verdict, late: bool
) -> None:
    assert only_late(verdict) is late
