"""FO-27: after a clean stop the standby takes over, and the stopped node lets go."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from checks.engine.verdict import Status
from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import (
    ADDRESS,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    stopped,
    takeover,
    unsure,
)


def test_a_clean_stop_that_hands_over_passes(tmp_path: Path) -> None:
    verdict = stopped(tmp_path).judge("FO-27")
    passes(verdict)
    assert "service-stop, last advertisement to the peer's first: n=1 min=3.200" in verdict.text


def test_a_stopped_node_that_keeps_the_virtual_ip_is_rejected(tmp_path: Path) -> None:
    run = stopped(tmp_path).changed("addresses.held", held=[VIRTUAL_IP])
    rejects(run.judge("FO-27"), "still holds the virtual IP")


def ends_late(directory: Path, *readings: tuple[float, bool]) -> Run:
    """Let the stop end 2.5 s after the takeover, and read the node's addresses meanwhile.

    With the virtual IP among them or not; right after its end without it.
    """
    run = stopped(directory).without("service.stopped").without("addresses.held")
    run.event(15.7, "service.stopped", "primary")
    for at, held in (*readings, (15.8, False)):
        addresses = [ADDRESS["primary"], *([VIRTUAL_IP] if held else [])]
        run.event(at, "addresses.held", "primary", held=addresses)
    return run


@pytest.mark.parametrize("gone", [10.6, 14.1])
def test_a_stop_that_frees_the_virtual_ip_and_ends_its_services_afterwards_passes(
    tmp_path: Path, gone: float
) -> None:
    passes(ends_late(tmp_path, (10.5, True), (gone, False)).judge("FO-27"))


def test_a_stop_of_which_only_its_late_end_is_known_shows_nothing(tmp_path: Path) -> None:
    run = ends_late(tmp_path)
    verdict = run.judge("FO-27")
    unsure(verdict, "its virtual IP was seen to be gone 2.6 s after secondary took over")
    assert not verdict.late
    is_late(run, "FO-27", "primary", 13.4, 15.7)


def test_a_stopped_node_that_holds_the_virtual_ip_while_it_stops_is_rejected(
    tmp_path: Path,
) -> None:
    run = ends_late(tmp_path, (14.5, True), (15.0, False))
    why = "primary still holds the virtual IP 1.3 s after secondary took over"
    rejects(run.judge("FO-27"), why)
    rejects(busy(run, "primary", 13.3, 13.5).judge("FO-27"), why)
    is_late(run, "FO-27", "primary", 13.3, 14.4)


def test_a_virtual_ip_that_comes_back_while_the_node_stops_is_rejected(tmp_path: Path) -> None:
    run = ends_late(tmp_path, (10.6, False), (14.9, True), (15.0, False))
    rejects(run.judge("FO-27"), "primary still holds the virtual IP 1.7 s after")


def test_a_virtual_ip_that_comes_back_and_goes_nobody_saw_when_shows_nothing(
    tmp_path: Path,
) -> None:
    run = ends_late(tmp_path, (10.6, False), (12.0, True))
    unsure(run.judge("FO-27"), "seen to be gone 2.6 s after secondary took over")


def test_addresses_that_nobody_read_after_the_stop_do_not_show_that_it_is_gone_for_good(
    tmp_path: Path,
) -> None:
    run = ends_late(tmp_path, (10.6, False))
    run.events = [one for one in run.events if one[0] != 15.8]
    unsure(run.judge("FO-27"), "the virtual IP is gone within 1 s, for good")


def test_a_stopped_node_that_is_looked_at_too_late_shows_nothing(tmp_path: Path) -> None:
    run = stopped(tmp_path).without("addresses.held")
    run.event(15, "addresses.held", "primary", held=[ADDRESS["primary"]])
    unsure(run.judge("FO-27"), "the virtual IP is gone within 1 s, for good")


def test_a_stopped_node_that_advertises_on_is_rejected(tmp_path: Path) -> None:
    run = stopped(tmp_path)
    run.frames.clear()
    counter = run.beats("primary", 0, 20.2)
    run.beats("secondary", 23.4, 40, counter=counter)
    rejects(run.judge("FO-27"), "primary advertised 10 time(s) after its stop had ended")


def test_a_stop_that_ended_nobody_knows_when_shows_nothing(tmp_path: Path) -> None:
    unsure(stopped(tmp_path).without("service.stopped").judge("FO-27"), "was not recorded")


def test_a_clean_stop_without_takeover_is_rejected(tmp_path: Path) -> None:
    run = stopped(tmp_path)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    rejects(run.judge("FO-27"), "secondary did not take over in")


def test_a_crash_shows_nothing_about_a_clean_stop(tmp_path: Path) -> None:
    unsure(takeover(tmp_path).judge("FO-27"), "no fault was recorded that calls for a takeover")


def test_an_empty_reading_of_addresses_is_refused(tmp_path: Path) -> None:
    run = stopped(tmp_path).changed("addresses.held", held=[])
    with pytest.raises(ValidationError, match="held"):
        run.judge("FO-27")


def test_the_last_advertisement_is_late_on_the_wire_and_the_stop_has_ended_meanwhile(
    tmp_path: Path,
) -> None:
    run = stopped(tmp_path).without("service.stopped").without("addresses.held")
    run.event(11.02, "service.stopped", "primary")
    for at in (11.03, 15):
        run.event(at, "addresses.held", "primary", held=[ADDRESS["primary"]])
    run.mapped(lambda at, _, raw: [(at + 1 if at > 12 else at, raw)])
    run.beats("primary", 11.08, 11.1, counter=1011)
    passes(run.judge("FO-27"))


def test_a_stop_whose_end_a_busy_host_lets_be_seen_late_says_nothing(tmp_path: Path) -> None:
    is_late(ends_late(tmp_path), "FO-27", "scenario", 13.2, 15.7)


def test_an_advertisement_that_a_busy_wire_reads_after_the_stop_says_nothing(
    tmp_path: Path,
) -> None:
    run = stopped(tmp_path)
    run.mapped(lambda at, _, raw: [(11.2 if at == 10.0 else at, raw)])
    rejects(run.judge("FO-27"), "primary advertised 1 time(s) after its stop had ended")
    is_late(run, "FO-27", "wire", 10.0, 11.2)


@pytest.mark.parametrize(("held", "before"), [(False, Status.UNKNOWN), (True, Status.FAIL)])
def test_a_stopped_node_that_a_busy_host_lets_look_late_is_looked_at_again(
    tmp_path: Path, held: bool, before: Status
) -> None:
    run = stopped(tmp_path).without("addresses.held")
    virtual = [VIRTUAL_IP] if held else []
    run.event(12.5, "addresses.held", "primary", held=[ADDRESS["primary"], *virtual])
    verdict = run.judge("FO-27")
    assert (verdict.status, verdict.late) == (before, False), verdict.text
    is_late(run, "FO-27", "primary", 10.9, 12.4)


def test_a_stop_that_takes_its_time_passes_and_is_told(tmp_path: Path) -> None:
    run = stopped(tmp_path).without("service.stopped").without("addresses.held")
    run.mapped(lambda at, _, raw: [(at + 21 if at > 12 else at, raw)])
    run.beats("primary", 11.0, 31.1, counter=1011)
    run.event(31.3, "service.stopped", "primary")
    run.event(31.35, "addresses.held", "primary", held=[ADDRESS["primary"]])
    verdict = run.judge("FO-27")
    passes(verdict)
    assert "fault to the peer's first advertisement: n=1 min=23.9" in verdict.text
