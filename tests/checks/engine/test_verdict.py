"""How several verdicts become one."""

from hypothesis import given
from hypothesis import strategies as st

from checks.engine.verdict import Findings, Status, Verdict, combine, failed, passed, unknown, worst

verdicts = st.builds(
    Verdict, st.sampled_from(Status), st.tuples(st.text(max_size=3)), st.tuples(st.text(max_size=3))
)


def test_fail_outweighs_unknown_and_unknown_outweighs_pass() -> None:
    assert worst([Status.PASS, Status.UNKNOWN, Status.FAIL]) is Status.FAIL
    assert worst([Status.UNKNOWN, Status.PASS]) is Status.UNKNOWN


def test_nothing_judged_is_unknown() -> None:
    assert combine([]).status is Status.UNKNOWN


def test_a_combined_verdict_keeps_only_the_reasons_of_the_worst() -> None:
    verdict = combine([passed("fine", evidence=["a"]), failed("broken", evidence=["b"])])
    assert verdict == failed("broken", evidence=["a", "b"])


@given(st.lists(verdicts))
def test_one_that_does_not_pass_keeps_the_whole_from_passing(parts: list[Verdict]) -> None:
    passes = bool(parts) and all(part.status is Status.PASS for part in parts)
    assert (combine(parts).status is Status.PASS) == passes


def test_findings_with_a_violation_and_a_gap_fail_for_the_violation() -> None:
    findings = Findings()
    findings.gap("not recorded")
    findings.require(False, "wrong")
    assert findings.verdict("shown") == failed("wrong")


def test_findings_with_a_gap_are_unknown() -> None:
    findings = Findings()
    findings.gap("not recorded")
    assert findings.verdict("shown") == unknown("not recorded")
