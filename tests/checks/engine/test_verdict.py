"""How several verdicts become one."""

from hypothesis import given
from hypothesis import strategies as st

from checks.engine.attempts import over_attempts
from checks.engine.verdict import Status, Verdict, combine, unknown, worst
from tests.checks.engine.verdicts import BAD, GOOD, LATE, bad, good

verdicts = st.builds(
    Verdict, st.sampled_from(Status), st.tuples(st.text(max_size=3)), st.tuples(st.text(max_size=3))
)


def test_fail_outweighs_unknown_and_unknown_outweighs_pass() -> None:
    assert worst([Status.PASS, Status.UNKNOWN, Status.FAIL]) is Status.FAIL
    assert worst([Status.UNKNOWN, Status.PASS]) is Status.UNKNOWN


def test_nothing_judged_is_unknown() -> None:
    assert combine([]).status is Status.UNKNOWN


def test_a_combined_verdict_keeps_only_the_reasons_of_the_worst() -> None:
    verdict = combine([good(place="a"), bad("wrong", place="b")])
    assert (verdict.status, verdict.reasons) == (Status.FAIL, ("wrong",))
    assert verdict.evidence == ("a", "b")
    assert (verdict.owed, verdict.discharged) == (2, 1)


@given(st.lists(verdicts))
def test_one_that_does_not_pass_keeps_the_whole_from_passing(parts: list[Verdict]) -> None:
    passes = bool(parts) and all(part.status is Status.PASS for part in parts)
    assert (combine(parts).status is Status.PASS) == passes


def test_late_alone_is_late_and_late_with_a_doubt_is_not() -> None:
    assert combine([LATE, GOOD]).late
    assert not combine([LATE, unknown("dark")]).late


def test_a_single_attempt_is_the_verdict() -> None:
    assert over_attempts({1: GOOD}) == GOOD
    assert over_attempts({4: BAD}) == BAD
    assert over_attempts({1: LATE}) == LATE


def test_a_pass_does_not_replace_a_fail() -> None:
    verdict = over_attempts({1: BAD, 2: GOOD})
    assert verdict.status is Status.FAIL
    assert verdict.reasons == ("attempt 1 of 2 failed; a later one does not undo that", "broken")


def test_a_pass_replaces_an_unknown_and_an_unknown_a_pass() -> None:
    assert over_attempts({1: unknown("dark"), 2: GOOD}) == GOOD
    assert over_attempts({2: unknown("dark"), 1: GOOD}) == unknown("dark")


def test_a_verdict_says_how_many_attempts_the_host_was_late_in() -> None:
    once = over_attempts({1: LATE, 2: GOOD})
    assert once.status is Status.PASS
    assert once.reasons[-1] == "1 attempt was repeated because the host was late"
    twice = over_attempts({1: LATE, 2: unknown("dark"), 3: LATE, 4: GOOD})
    assert twice.reasons[-1] == "2 attempts were repeated because the host was late"


@given(st.dictionaries(st.integers(1, 9), verdicts, min_size=1))
def test_over_attempts_a_fail_stays_and_the_last_counts(attempts: dict[int, Verdict]) -> None:
    found = [attempts[number].status for number in sorted(attempts)]
    expected = Status.FAIL if Status.FAIL in found else found[-1]
    assert over_attempts(attempts).status is expected
