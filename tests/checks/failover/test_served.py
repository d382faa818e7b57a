"""FO-25: the services that answer on the virtual IP, and who answers, after a takeover."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.failover.serving import SERVICES
from tests.checks.failover.crashes import busy, is_late, kept
from tests.checks.failover.recording import MAC, Run, passes, rejects, takeover, unsure


def test_a_service_that_takes_too_long_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("service.probed")
    run.answer(28.5, 943, mac=MAC["secondary"])
    rejects(run.judge("FO-25"), "tcp 943 answering on the virtual IP took 18.200 s")


@pytest.mark.parametrize(("protocol", "port"), SERVICES)
def test_a_service_that_nobody_asked_for_after_the_fault_shows_nothing(
    tmp_path: Path, protocol: str, port: int
) -> None:
    run = takeover(tmp_path).but(protocol=protocol, port=port)
    run.answer(9, port, protocol=protocol, mac=MAC["primary"])
    unsure(run.judge("FO-25"), f"{protocol} {port} answering on the virtual IP was not asked for")


def test_tcp_443_and_udp_1194_are_dead_and_only_tcp_943_was_asked_for(tmp_path: Path) -> None:
    run = takeover(tmp_path).but(port=443).but(port=1194)
    unsure(run.judge("FO-25"), "tcp 443", "udp 1194")
    for at in range(14, 39):
        run.answer(at, 443, answered=False)
    rejects(run.judge("FO-25"), "tcp 443 answering on the virtual IP never came")


def test_a_service_answers_once_at_4_s_then_never_again(tmp_path: Path) -> None:
    run = takeover(tmp_path).but(port=443)
    run.answer(14.3, 443, mac=MAC["secondary"])
    unsure(run.judge("FO-25"), "seen for 0.0 s only")
    for at in range(15, 39):
        run.answer(at, 443, answered=False)
    rejects(run.judge("FO-25"), "tcp 443 answering on the virtual IP never came")


def test_a_service_that_is_back_for_a_while_only_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    for at in (37.0, 38.5):
        run.answer(at, 443, answered=False)
    rejects(run.judge("FO-25"), "tcp 443 answering on the virtual IP took 27.700 s")
    run.without("fault.watched").event(39.9, "fault.watched", "scenario", node="primary")
    rejects(run.judge("FO-25"), "tcp 443 answering on the virtual IP never came")


def test_probes_answered_on_the_new_node_and_recorded_without_a_mac_pass(tmp_path: Path) -> None:
    passes(takeover(tmp_path).changed("service.probed", mac=None).judge("FO-25"))


def test_a_service_that_the_old_node_goes_on_answering_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="kill-ucarp")
    run.answer(25, 443, mac=MAC["primary"])
    rejects(run.judge("FO-25"), f"{MAC['primary']} answered, not {MAC['secondary']}")


def test_answers_of_the_node_that_failed_do_not_count(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="kill-ucarp").changed("service.probed", mac=MAC["primary"])
    rejects(run.judge("FO-25"), "never came")


def test_answers_before_the_fault_are_not_the_new_nodes(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.events = [event for event in run.events if event[1] != "service.probed" or event[0] < 10]
    unsure(run.judge("FO-25"), "was not asked for after the fault")


def test_a_service_on_an_address_that_the_old_node_claims_too_is_rejected(tmp_path: Path) -> None:
    run = kept(takeover(tmp_path, "kill-ucarp"), 17, 37)
    rejects(run.judge("FO-25"), "primary answers ARP for it while secondary is the active node")


def unanswered_in_the_end(directory: Path) -> Run:
    run = takeover(directory).but(port=443)
    run.answer(9, 443, mac=MAC["primary"])
    for second in (14.2, 36):
        run.answer(second, 443, mac=MAC["secondary"])
    run.answer(37.5, 443, answered=False)
    return run


@pytest.mark.parametrize("of", ["secondary", "scenario"])
def test_a_last_question_that_a_busy_host_leaves_without_an_answer_says_nothing(
    tmp_path: Path, of: str
) -> None:
    run = unanswered_in_the_end(tmp_path)
    rejects(run.judge("FO-25"), "tcp 443 answering on the virtual IP never came")
    rejects(busy(run, of, 30, 36).judge("FO-25"), "never came")
    is_late(run, "FO-25", of, 37.5, 39)


def test_an_answer_of_the_old_holder_that_a_busy_host_delays_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="kill-ucarp")
    run.answer(13.9, 443, mac=MAC["primary"])
    rejects(run.judge("FO-25"), f"{MAC['primary']} answered, not {MAC['secondary']}")
    is_late(run, "FO-25", "primary", 13.1, 13.9)


def test_a_service_that_a_busy_host_keeps_from_being_seen_for_longer_says_nothing(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path)
    run.events = [one for one in run.events if one[0] != 38]
    for protocol, port in SERVICES:
        run.answer(17, port, mac=MAC["secondary"], protocol=protocol)
    run.without("fault.watched").event(20, "fault.watched", "scenario", node="primary")
    unsure(run.judge("FO-25"), "seen for 2.8 s only")
    is_late(run, "FO-25", "secondary", 17.2, 20)


def unanswered_in_the_middle(directory: Path) -> Run:
    run = takeover(directory)
    run.answer(30, 443, answered=False)
    run.answer(31.6, 443, mac=MAC["secondary"])
    return run


@pytest.mark.parametrize("of", ["secondary", "scenario"])
@pytest.mark.parametrize(
    ("requirement", "said"),
    [("FO-25", "tcp 443 answering on the virtual IP took 21.300 s"), ("FO-12", "does not answer")],
)
def test_a_question_in_the_middle_that_a_busy_host_leaves_without_an_answer_says_nothing(
    tmp_path: Path, requirement: str, said: str, of: str
) -> None:
    run = unanswered_in_the_middle(tmp_path)
    rejects(run.judge(requirement), said)
    rejects(busy(run, "primary", 30, 31.5).judge(requirement), said)
    rejects(busy(run, of, 27, 29.9).judge(requirement), said)
    is_late(run, requirement, of, 30, 31.5)


def test_a_silence_longer_than_a_busy_host_explains_is_rejected(tmp_path: Path) -> None:
    run = unanswered_in_the_middle(tmp_path)
    run.answer(24, 443, answered=False)
    run.answer(27, 443, mac=MAC["secondary"])
    rejects(busy(run, "scenario", 30, 31.5).judge("FO-25"), "took 16.700 s")
    rejects(run.judge("FO-12"), "tcp 443 does not answer")


def test_a_service_that_fell_silent_and_was_back_in_time_passes(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.answer(15, 443, answered=False)
    run.answer(17, 443, mac=MAC["secondary"])
    passes(busy(run, "scenario", 15, 17).judge("FO-25"))
