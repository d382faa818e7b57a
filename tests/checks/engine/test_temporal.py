"""Predicates over time, and the event they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.engine.temporal import Formula, always, before, never, never_longer, where, within
from checks.engine.verdict import Status
from evidence.history import Event

SECOND = 1_000_000_000
LOST, BACK = where("lost"), where("back")


def at(seconds: float, kind: str, uncertainty: float = 0, **data: object) -> Event:
    line = int(seconds * 10) + 1
    moment, doubt = round(seconds * SECOND), round(uncertainty * SECOND)
    return Event(moment, "client", kind, data, "", doubt, line)


def test_never_names_the_event_that_broke_it() -> None:
    verdict = never(where("role", state="both")).judge([at(1, "role"), at(2, "role", state="both")])
    assert verdict.status is Status.FAIL
    assert "history.jsonl:21 (role of client at 2.000000)" in verdict.reasons[0]


def test_always_holds_only_among_the_events_that_are_meant() -> None:
    formula = always(where(state="ok"), among=where("role"))
    assert formula.judge([at(1, "role", state="ok"), at(2, "ping")]).status is Status.PASS
    assert formula.judge([at(1, "role", state="no")]).status is Status.FAIL
    assert formula.judge([at(2, "ping")]).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([at(1, "lost"), at(5, "back")], Status.PASS),
        ([at(1, "lost"), at(6.5, "back")], Status.FAIL),
        ([at(1, "lost"), at(9, "end")], Status.FAIL),
        ([at(1, "lost"), at(3, "end")], Status.UNKNOWN),
        ([at(1, "back"), at(2, "end")], Status.UNKNOWN),
        ([at(1, "lost", 0.3), at(6.1, "back", 0.3)], Status.UNKNOWN),
        ([at(1, "lost"), at(2, "back"), at(3, "lost"), at(30, "end")], Status.FAIL),
        ([at(0.5, "back"), at(1, "lost"), at(9, "end")], Status.FAIL),
    ],
)
def test_within_judges_each_occasion(events: list[Event], status: Status) -> None:
    assert within(5).after(LOST).comes(BACK).judge(events).status is status


def test_within_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no time"):
        within(0)
    with pytest.raises(ValueError, match="what starts the clock"):
        within(1).comes(BACK)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([at(1, "lost"), at(2, "back")], Status.PASS),
        ([at(3, "lost"), at(2, "back")], Status.FAIL),
        ([at(2, "back")], Status.FAIL),
        ([at(2, "lost")], Status.UNKNOWN),
        ([at(1.9, "lost", 0.1), at(2, "back", 0.1)], Status.UNKNOWN),
    ],
)
def test_before_compares_times_not_lines(events: list[Event], status: Status) -> None:
    assert before(LOST, BACK).judge(events).status is status


def holders(seconds: float) -> Formula:
    def step(state: frozenset[str], event: Event) -> frozenset[str]:
        who = frozenset({str(event.data.get("node", ""))})
        return state | who if event.kind == "takes" else state - who

    return never_longer(
        seconds, "two holders", frozenset[str](), step, lambda state: len(state) > 1
    )


def test_a_bad_state_may_last_as_long_as_is_allowed_and_no_longer() -> None:
    events = [at(1, "takes", node="a"), at(2, "takes", node="b"), at(4, "leaves", node="a")]
    assert holders(2).judge(events).status is Status.PASS
    verdict = holders(1.5).judge(events)
    assert verdict.status is Status.FAIL
    assert "2.000000 s from history.jsonl:21" in verdict.reasons[0]


def test_a_bad_state_at_the_end_counts_up_to_the_end() -> None:
    events = [at(1, "takes", node="a"), at(2, "takes", node="b"), at(9, "end")]
    assert holders(5).judge(events).status is Status.FAIL


def test_of_two_formulas_the_worse_counts() -> None:
    both = never(LOST) & never(BACK)
    assert both.judge([at(1, "back")]).status is Status.FAIL
    assert both.judge([at(1, "ping")]).status is Status.PASS


events_of_two_kinds = st.lists(
    st.builds(at, st.integers(0, 50), st.sampled_from(["lost", "back"])), max_size=12
)


@given(events_of_two_kinds, st.randoms())
def test_the_order_in_the_file_does_not_matter(events: list[Event], random) -> None:
    mixed = list(events)
    random.shuffle(mixed)
    for formula in (never(LOST), before(LOST, BACK), always(LOST, among=LOST | BACK)):
        assert formula.judge(events).status is formula.judge(mixed).status


@given(events_of_two_kinds, st.integers(1, 20), st.integers(1, 20))
def test_more_time_never_turns_a_pass_into_a_failure(events, short: int, more: int) -> None:
    if within(short).after(LOST).comes(BACK).judge(events).status is Status.PASS:
        longer = within(short + more).after(LOST).comes(BACK)
        assert longer.judge(events).status is Status.PASS


@given(events_of_two_kinds)
def test_never_is_always_not(events: list[Event]) -> None:
    if events:
        one = never(LOST).judge(events).status
        assert one is always(~LOST, among=where()).judge(events).status
