"""FO-24, 25, 27: good takeovers pass, each broken one is rejected for its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from checks.engine.registry import figures
from checks.engine.verdict import Status
from checks.failover.serving import SERVICES
from evidence.scenario import Evidence
from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import (
    ADDRESS,
    MAC,
    NS,
    SCENARIO,
    UCARP,
    VIRTUAL_IP,
    Run,
    node,
    passes,
    rejects,
    stamp,
    takeover,
    unsure,
)
from tests.checks.failover.strangers import tagged

UNEXPLAINED = "nothing that was done explains it"


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_a_takeover_as_it_should_be_passes(tmp_path: Path, requirement: str) -> None:
    passes(takeover(tmp_path).judge(requirement))


def test_the_verdict_gives_the_spread_of_every_stage(tmp_path: Path) -> None:
    verdict = takeover(tmp_path).judge("FO-24")
    assert "n=1 min=3.200 median=3.200 p95=3.200 max=3.200" in verdict.text


@pytest.mark.parametrize(
    ("requirement", "fault", "stage"),
    [
        ("FO-24", "power-off", "last advertisement to the peer's first"),
        ("FO-25", "power-off", "last advertisement to the peer's first"),
        ("FO-27", "service-stop", "last advertisement to the peer's first"),
    ],
)
def test_figures_are_measured_over_repetitions(
    tmp_path: Path, requirement: str, fault: str, stage: str
) -> None:
    series = []
    for silence in (3.2, 3.4, 3.9):
        directory = tmp_path / str(silence)
        directory.mkdir()
        takeover(directory, fault, silence=silence).write()
        series.append(Evidence(directory, SCENARIO, requirement))
    cut_off = Evidence(tmp_path / "3.2", "another", requirement)
    found = figures(requirement, [*series, cut_off])
    assert f"{stage}: n=3 min=3.200 median=3.400 p95=3.900 max=3.900" in found


def test_figures_of_crashes_are_not_those_of_clean_stops(tmp_path: Path) -> None:
    takeover(tmp_path, "service-stop").write()
    assert figures("FO-24", [Evidence(tmp_path, SCENARIO, "FO-24")]) == []


def test_what_is_not_measured_has_no_figures(tmp_path: Path) -> None:
    takeover(tmp_path).write()
    assert figures("FO-20", [Evidence(tmp_path, SCENARIO, "FO-20")]) == []


def test_deadratio_10_is_too_slow_for_the_configured_3(tmp_path: Path) -> None:
    rejects(takeover(tmp_path, silence=10.5).judge("FO-24"), "took 10.500 s", "R*b + s/256")


def test_deadratio_10_as_configured_breaks_the_guides_few_seconds(tmp_path: Path) -> None:
    run = takeover(tmp_path, silence=10.5)
    nodes = {name: node(name, **{**UCARP, "deadratio": 10}) for name in ADDRESS}
    run.changed("pair.configured", nodes=nodes)
    rejects(run.judge("FO-24"), "the guide's few seconds")


def test_a_takeover_sooner_than_configured_is_rejected(tmp_path: Path) -> None:
    rejects(takeover(tmp_path, silence=1.2).judge("FO-24"), "sooner than configured")


def test_a_peer_that_never_advertises_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    rejects(run.judge("FO-24"), "secondary did not take over in")


def test_a_recording_that_ends_before_the_budget_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("fault.watched")
    run.event(12, "fault.watched", "scenario", node="primary")
    unsure(run.judge("FO-24"), "watched for only")


def test_a_fault_after_which_the_node_advertises_on_hit_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames.clear()
    run.beats("primary", 0, 40)
    unsure(run.judge("FO-24"), "hit nothing")


def test_a_wire_rule_without_hits_hit_nothing(tmp_path: Path) -> None:
    unsure(takeover(tmp_path).changed("fault.injected", hits=0).judge("FO-24"), "hit no frame")


def test_a_fault_of_a_node_that_was_not_active_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).changed("fault.injected", node="secondary")
    assert run.judge("FO-24").status != "PASS"


def test_a_fault_noted_too_coarsely_for_the_limit_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path, silence=4.9).without("fault.injected")
    run.event(
        10.3, "fault.injected", "scenario", uncertainty=0.8, fault="power-off", node="primary"
    )
    coarse = run.judge("FO-24")
    unsure(coarse, "too coarse")
    assert not coarse.late
    run.event(14.9, "host.late", "host", of="secondary", from_ns=stamp(13.9), kept_ns=9 * NS // 10)
    explained = run.judge("FO-24")
    unsure(explained, "too coarse", "`secondary` was kept from running")
    assert explained.late


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


def guest_capture(run: Run, *, skew: float = 0.0, offset: int = 40 * 10**9) -> None:
    """Add what the secondary captured itself, on a clock of its own."""
    blocks = [b"\xd4\xc3\xb2\xa1" + bytes(20)]
    for at, _, raw, _ in sorted(run.frames, key=lambda frame: frame[0]):
        if raw[12:14] != b"\x08\x00":
            continue
        late = skew if raw[29] == 2 else 0
        micros = round((at + late) * 10**6) + offset // 1000
        head = [micros // 10**6, micros % 10**6, len(raw), len(raw)]
        blocks.append(b"".join(value.to_bytes(4, "little") for value in head) + raw)
    (run.directory / "guest.pcap").write_bytes(b"".join(blocks))
    clock = {"behind_ns": -offset, "uncertainty_ns": 10**6}
    listened = {"from_ns": stamp(0), "until_ns": stamp(39.5)}
    run.event(39.5, "guest.captured", "secondary", path="guest.pcap", clock=clock, **listened)


def test_a_guests_own_capture_may_agree_on_another_clock(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    guest_capture(run, skew=0.004)
    passes(run.judge("FO-24"))


def test_a_verdict_names_the_hash_of_a_guests_own_capture(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    guest_capture(run)
    octets = (tmp_path / "guest.pcap").read_bytes()
    assert run.judge("FO-24").digests["guest.pcap"] == hashlib.sha256(octets).hexdigest()


def test_captures_that_disagree_by_more_than_10_ms_say_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    guest_capture(run, skew=0.015)
    unsure(run.judge("FO-24"), "15.0 ms apart")


def stopped(directory: Path, **pair) -> Run:
    run = takeover(directory, fault="service-stop", **pair)
    run.event(10.9, "service.stopped", "primary")
    run.event(10.5, "addresses.held", "primary", held=[ADDRESS["primary"], VIRTUAL_IP])
    run.event(10.95, "addresses.held", "primary", held=[ADDRESS["primary"]])
    run.event(15, "addresses.held", "primary", held=[ADDRESS["primary"]])
    return run


def test_a_clean_stop_that_hands_over_passes(tmp_path: Path) -> None:
    verdict = stopped(tmp_path).judge("FO-27")
    passes(verdict)
    assert "service-stop, last advertisement to the peer's first: n=1 min=3.200" in verdict.text


def test_a_stopped_node_that_keeps_the_virtual_ip_is_rejected(tmp_path: Path) -> None:
    run = stopped(tmp_path).changed("addresses.held", held=[VIRTUAL_IP])
    rejects(run.judge("FO-27"), "still holds the virtual IP")


def test_a_stop_that_ends_too_late_is_rejected_unless_the_host_kept_it_from_ending(
    tmp_path: Path,
) -> None:
    run = stopped(tmp_path).without("service.stopped")
    run.event(15.7, "service.stopped", "primary")
    run.event(15.8, "addresses.held", "primary", held=[ADDRESS["primary"]])
    rejects(run.judge("FO-27"), "primary was still stopping 2.5 s after secondary took over")
    run.event(15.7, "host.late", "host", of="primary", from_ns=stamp(13.4), kept_ns=2 * NS)
    verdict = run.judge("FO-27")
    unsure(verdict, "still stopping", "`primary` was kept from running for 2.0 s, and it was 1.5 s")
    assert verdict.late


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


def repeated(directory: Path) -> Run:
    """Fail at 10.3 s, thaw the lab at 30 s: the primary is active again, counting as before."""
    run = takeover(directory)
    run.frames = [frame for frame in run.frames if frame[0] < 30]
    run.beats("primary", 30.5, 40, counter=1000)
    run.without("fault.watched").event(29, "fault.watched", "scenario", node="primary")
    return run


def thaw(run: Run, at: float) -> None:
    run.event(at, "lab.thawed", "scenario", lab="lab", generation=2, clock={"behind_ns": 0})


def test_a_thawed_lab_is_no_fail_back(tmp_path: Path) -> None:
    run = repeated(tmp_path)
    thaw(run, 30)
    passes(run.judge("FO-24"))


def test_a_thaw_excuses_nothing_that_comes_after_it(tmp_path: Path) -> None:
    run = repeated(tmp_path)
    thaw(run, 30)
    run.frames = [frame for frame in run.frames if frame[0] < 33]
    run.beats("secondary", 33, 40, counter=1003)
    rejects(run.judge("FO-24"), UNEXPLAINED)


def test_the_same_without_a_thaw_is_a_forced_fail_back(tmp_path: Path) -> None:
    rejects(repeated(tmp_path).judge("FO-24"), UNEXPLAINED)


def handed_over(directory: Path, node: str) -> Run:
    """Move the role back to the primary by hand at 30 s, after the takeover of 10.3 s."""
    run = repeated(directory)
    run.event(29.2, "handover.began", "scenario", node=node)
    run.event(35, "handover.ended", "scenario", node=node)
    return run


def test_a_role_that_was_handed_over_is_explained(tmp_path: Path) -> None:
    passes(handed_over(tmp_path, "secondary").judge("FO-24"))


def test_a_handover_explains_no_change_away_from_the_other_node(tmp_path: Path) -> None:
    rejects(handed_over(tmp_path, "primary").judge("FO-24"), UNEXPLAINED)


def test_a_cut_off_node_that_still_believes_to_be_active_holds_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="link-cut")
    run.beats("primary", 10.4, 40, counter=1011, comment="dropped: primary/wire0 is cut")
    passes(run.judge("FO-24"))


# Recorded evidence that was judged wrongly once, a sentence each.


def kept(run: Run, start: float, end: float) -> Run:
    """Let the primary go on answering ARP for the virtual IP, beside the secondary."""
    at = start
    while at < end:
        run.asked(at, "primary", "secondary")
        at += 1
    return run


def test_two_masters_for_6_s_each_time_in_pieces_of_2_9_s_with_2_s_between(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 25]
    run.beats("secondary", 25.2, 40, counter=1030)
    for start in (25.3, 30.2):
        run.beats("primary", start, start + 2.9, counter=7000)
    rejects(run.judge("FO-24"), "primary and secondary were masters at once for")


@pytest.mark.parametrize(
    "silence",
    [
        2.3,  # the last advertisement reached the wire but not the standby, whose ring was full
        2.999,  # the guest's clock is 400 ppm fast
        2.99,  # the last one was 60 ms late on the wire, the standby's timer is of the one before
    ],
)
def test_a_takeover_that_looks_a_bit_too_early_passes(tmp_path: Path, silence: float) -> None:
    passes(takeover(tmp_path, silence=silence).judge("FO-24"))


def test_every_seventh_frame_duplicated_within_0_4_ms_changes_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    for at, port, raw, comment in run.frames[::7]:
        run.frame(at + 0.0004, port, raw, comment)
    passes(run.judge("FO-24"))


def test_an_empty_reading_of_addresses_is_refused(tmp_path: Path) -> None:
    run = stopped(tmp_path).changed("addresses.held", held=[])
    with pytest.raises(ValidationError, match="held"):
        run.judge("FO-27")


def test_a_service_on_an_address_that_the_old_node_claims_too_is_rejected(tmp_path: Path) -> None:
    run = kept(takeover(tmp_path, "kill-ucarp"), 17, 37)
    rejects(run.judge("FO-25"), "primary answers ARP for it while secondary is the active node")


def silent(run: Run, start: float, end: float) -> Run:
    """Let the new holder send no advertisement for a while."""
    run.frames = [
        one
        for one in run.frames
        if not start < one[0] < end or one[1] != "secondary/wire0" or one[2][12:14] == b"\x08\x06"
    ]
    return run


@pytest.mark.parametrize(("start", "end"), [(20, 26), (32, 40)])
@pytest.mark.parametrize(("requirement", "build"), [("FO-24", takeover), ("FO-27", stopped)])
def test_a_new_holder_that_falls_silent_again_is_rejected(
    tmp_path: Path, requirement: str, build: Callable[[Path], Run], start: float, end: float
) -> None:
    run = silent(build(tmp_path), start, end)
    rejects(run.judge(requirement), "secondary took over, and then was silent for")


def test_a_new_holder_that_a_busy_host_silences_says_nothing(tmp_path: Path) -> None:
    run = silent(takeover(tmp_path), 20, 26)
    busy(run, "secondary", 20, 26)
    unsure(run.judge("FO-24"), "`secondary` was kept from running")


def test_a_new_holder_may_skip_what_the_old_one_may(tmp_path: Path) -> None:
    passes(silent(takeover(tmp_path), 20, 22).judge("FO-24"))


def heard_on_a_site(run: Run, unsure_s: float, *troubles: str) -> Run:
    """Let the frames be those that machines of a site have told of."""
    run.event(90, "site.heard", "site", uncertainty=unsure_s, lab="lab", troubles=list(troubles))
    return run


def test_what_a_sites_clocks_leave_open_is_a_doubt(tmp_path: Path) -> None:
    passes(heard_on_a_site(takeover(tmp_path), 0.01).judge("FO-24"))
    unsure(heard_on_a_site(takeover(tmp_path), 3.0).judge("FO-24"), "too coarse")


def test_what_troubled_a_sites_capture_keeps_verdicts_open(tmp_path: Path) -> None:
    run = heard_on_a_site(takeover(tmp_path), 0.01, "the clock of primary was set")
    unsure(run.judge("FO-24"), "the clock of primary was set")


def regained(directory: Path, after: float = 1.3) -> Run:
    """Let a node whose ucarp was killed, and started again by itself, take the role back."""
    run = takeover(directory, "kill-ucarp").without("service.probed")
    back = 13.2 + after
    run.frames = [one for one in run.frames if one[0] < back or not one[1].startswith("secondary")]
    run.beats("primary", back, 40, counter=2000)
    run.announce("primary", back)
    for protocol, port in SERVICES:
        run.answer(38, port, mac=MAC["primary"], protocol=protocol)
    return run


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_a_node_that_takes_the_role_back_is_rejected(tmp_path: Path, requirement: str) -> None:
    run = regained(tmp_path)
    rejects(run.judge(requirement))
    rejects(busy(run, "client", 13.2, 14.6).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
@pytest.mark.parametrize("of", ["primary", "secondary", "wire"])
def test_one_that_was_kept_from_hearing_the_other_is_the_busy_hosts(
    tmp_path: Path, requirement: str, of: str
) -> None:
    verdict = busy(regained(tmp_path), of, 13.2, 14.6).judge(requirement)
    unsure(verdict, "took the role back 1.300 s after", f"`{of}` was kept from running")
    assert verdict.late


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_one_that_had_time_to_hear_the_other_was_not_kept_from_it(
    tmp_path: Path, requirement: str
) -> None:
    rejects(busy(regained(tmp_path, after=9), "primary", 18, 22.2).judge(requirement))


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


def test_a_standby_that_advertises_inside_a_vlan_took_nothing_over(tmp_path: Path) -> None:
    run = takeover(tmp_path).mapped(
        lambda at, port, raw: [
            (at, tagged(raw) if port == "secondary/wire0" and raw[13] == 0 else raw)
        ]
    )
    rejects(run.judge("FO-24"), "secondary did not take over in")


def test_a_new_holder_that_advertises_on_inside_a_vlan_does_not_stay(tmp_path: Path) -> None:
    run = takeover(tmp_path).mapped(
        lambda at, _, raw: [(at, tagged(raw) if at > 25 and raw[13] == 0 else raw)]
    )
    rejects(run.judge("FO-24"), "secondary took over, and then was silent for")


def too_soon_but_heard(directory: Path) -> Run:
    """Take over 2.3 s after an advertisement that is in the standby's own capture."""
    run = takeover(directory, silence=2.3)
    guest_capture(run, skew=0.002)
    return run


def test_a_takeover_too_soon_after_what_the_standby_has_heard_is_rejected(tmp_path: Path) -> None:
    rejects(too_soon_but_heard(tmp_path).judge("FO-24"), "sooner than configured")


def test_one_that_a_busy_host_kept_from_reading_it_has_not_heard_it(tmp_path: Path) -> None:
    passes(busy(too_soon_but_heard(tmp_path), "secondary", 10.0, 12.2).judge("FO-24"))


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_a_peer_that_a_busy_host_keeps_until_the_old_holder_is_back_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = takeover(tmp_path, "kill-ucarp").without("service.probed")
    run.frames = [one for one in run.frames if not one[1].startswith("secondary")]
    run.beats("primary", 15.3, 40, counter=5000)
    rejects(busy(run, "secondary", 20, 25).judge(requirement), "secondary did not take over in")
    is_late(run, requirement, "secondary", 13.0, 15.3)


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
@pytest.mark.parametrize("of", ["primary", "wire"])
def test_who_takes_the_role_back_hears_the_other_a_second_late_on_any_host(
    tmp_path: Path, requirement: str, of: str
) -> None:
    is_late(regained(tmp_path), requirement, of, 13.7, 14.5)


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


def test_a_stop_whose_end_a_busy_host_lets_be_seen_late_says_nothing(tmp_path: Path) -> None:
    run = stopped(tmp_path).without("service.stopped")
    run.event(15.7, "service.stopped", "primary")
    run.event(15.8, "addresses.held", "primary", held=[ADDRESS["primary"]])
    is_late(run, "FO-27", "scenario", 13.2, 15.7)


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


def test_captures_that_a_busy_host_takes_apart_are_made_again(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    guest_capture(run, skew=-0.4)
    before = run.judge("FO-24")
    unsure(before, "400.0 ms apart")
    assert not before.late
    is_late(run, "FO-24", "secondary", 12.7, 13.2)


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_an_old_holder_that_gives_way_at_once_took_nothing_back(
    tmp_path: Path, requirement: str
) -> None:
    run = takeover(tmp_path, "kill-ucarp")
    run.beats("primary", 14.3, 15.4, counter=5000)
    passes(busy(run, "secondary", 13.3, 14.2).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-24", "FO-25"])
def test_a_new_holder_that_a_busy_host_keeps_loses_the_role_and_it_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = regained(tmp_path, after=9)
    run.frames = [one for one in run.frames if one[1][0] != "s" or one[0] < 19]
    rejects(run.judge(requirement))
    is_late(run, requirement, "secondary", 18.5, 22.5)


def test_a_last_advertisement_that_a_busy_wire_reads_late_makes_no_takeover_too_soon(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path, silence=2.4)
    run.mapped(lambda at, _, raw: [(11.4 if at == 10.0 else at, raw)])
    rejects(busy(run, "secondary", 9.9, 11.4).judge("FO-24"), "sooner than configured")
    is_late(run, "FO-24", "wire", 9.9, 11.4)


def test_a_role_that_a_busy_host_moves_before_a_fault_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [one for one in run.frames if one[1][0] != "p" or not 5.5 < one[0] < 9.5]
    run.beats("secondary", 8.3, 9.2, counter=5000)
    before = run.judge("FO-25")
    unsure(before, "secondary advertises: who held the role is not clear")
    assert not before.late
    is_late(run, "FO-25", "primary", 5.5, 9.5)
