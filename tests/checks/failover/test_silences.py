"""FO-12, 14, 25: for how long a service was silent, from its first question without an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy
from tests.checks.failover.recording import (
    ADDRESS,
    MAC,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    stamp,
    takeover,
)
from tests.checks.failover.test_serving import serving


def a_bit_busy(run: Run, start: int, end: int) -> Run:
    """Let the host keep the primary from running for 30 ms of each second."""
    for at in range(start, end):
        late = {"of": "primary", "from_ns": stamp(at), "kept_ns": 30_000_000}
        run.event(at + 1, "host.late", "host", **late)
    return run


@pytest.mark.parametrize(("requirement", "address"), [("FO-12", VIRTUAL_IP), ("FO-14", "primary")])
def test_a_service_that_is_dead_for_long_on_a_bit_busy_host_is_rejected(
    tmp_path: Path, requirement: str, address: str
) -> None:
    run, asked = serving(tmp_path), ADDRESS.get(address, address)
    for at in range(11, 30):
        run.answer(at, 443, address=asked, answered=False)
    run.answer(30, 443, address=asked)
    rejects(a_bit_busy(run, 11, 30).judge(requirement), f"tcp 443 does not answer on {asked}")


def test_a_service_that_is_dead_to_the_end_on_a_bit_busy_host_is_rejected(tmp_path: Path) -> None:
    run = serving(tmp_path)
    for at in range(11, 30):
        run.answer(at, 443, answered=False)
    rejects(a_bit_busy(run, 11, 38).judge("FO-12"), "tcp 443 does not answer")


def test_a_silence_before_a_fault_does_not_last_longer_than_to_the_fault(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.answer(9.2, 443, answered=False)
    run.answer(12, 443, answered=False)
    rejects(run.judge("FO-12"), "tcp 443 does not answer")
    assert busy(run, "primary", 9.2, 10.3).judge("FO-12").late


def test_a_last_question_that_is_too_young_for_its_answer_is_no_silence(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.answer(38.6, 443, answered=False)
    passes(run.judge("FO-25"))
    run.without("fault.watched").event(39.9, "fault.watched", "scenario", node="primary")
    rejects(run.judge("FO-25"), "tcp 443 answering on the virtual IP never came")


def handed_over(directory: Path) -> Run:
    """Move the role by hand from 35 s to 38.5 s, and ask for a service right after it."""
    run = serving(directory)
    run.frames = [frame for frame in run.frames if frame[0] < 36]
    run.seconds = 60
    run.beats("secondary", 38.3, 60, counter=5000)
    run.announce("secondary", 38.3)
    run.event(35, "handover.began", "scenario", node="primary")
    run.event(38.5, "handover.ended", "scenario", node="primary")
    run.answer(39, 443, answered=False)
    return run


def test_after_a_handover_too_a_service_may_take_the_guides_time(tmp_path: Path) -> None:
    run = handed_over(tmp_path)
    run.answer(45, 443, mac=MAC["secondary"])
    passes(run.judge("FO-12"))


def test_a_service_that_is_not_back_long_after_a_handover_is_rejected(tmp_path: Path) -> None:
    run = handed_over(tmp_path)
    run.answer(50, 443, answered=False)
    rejects(run.judge("FO-12"), "tcp 443 does not answer")
