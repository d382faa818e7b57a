"""FO-20 to 31, 39, 47, 49: good takeovers pass, each broken one is rejected for its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.failover_checks.recording import (
    ADDRESS,
    MAC,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    takeover,
    unsure,
)


@pytest.mark.parametrize("requirement", ["FO-20", "FO-24", "FO-25", "FO-26", "FO-31"])
def test_a_takeover_as_it_should_be_passes(tmp_path: Path, requirement: str) -> None:
    passes(takeover(tmp_path).judge(requirement))


def test_the_verdict_gives_the_spread_of_every_stage(tmp_path: Path) -> None:
    verdict = takeover(tmp_path).judge("FO-24")
    assert "n=1 min=3.200 median=3.200 p95=3.200 max=3.200" in verdict.text


def test_deadratio_10_is_too_slow_for_the_configured_3(tmp_path: Path) -> None:
    rejects(takeover(tmp_path, silence=10.5).judge("FO-24"), "took 10.500 s", "R*b + s/256")


def test_deadratio_10_as_configured_breaks_the_guides_few_seconds(tmp_path: Path) -> None:
    run = takeover(tmp_path, silence=10.5)
    nodes = {name: {**node, "deadratio": 10} for name, node in run.pair["nodes"].items()}
    run.changed("pair.configured", nodes=nodes)
    rejects(run.judge("FO-24"), "the guide's few seconds")


def test_a_takeover_sooner_than_configured_is_rejected(tmp_path: Path) -> None:
    rejects(takeover(tmp_path, silence=1.2).judge("FO-24"), "sooner than configured")


def test_a_peer_that_never_advertises_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    rejects(run.judge("FO-24"), "never came")


def test_a_recording_that_ends_before_the_budget_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("fault.over")
    run.event(12, "fault.over", "scenario", node="primary")
    unsure(run.judge("FO-24"), "watched for only")


def test_a_fault_after_which_the_node_advertises_on_hit_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames.clear()
    run.beats("primary", 0, 40)
    unsure(run.judge("FO-24"), "hit nothing")


def test_a_wire_rule_without_hits_hit_nothing(tmp_path: Path) -> None:
    unsure(takeover(tmp_path).changed("fault.begin", hits=0).judge("FO-24"), "hit no frame")


def test_a_fault_of_a_node_that_was_not_active_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).changed("fault.begin", node="secondary")
    assert run.judge("FO-24").status != "PASS"


def test_a_fault_noted_too_coarsely_for_the_limit_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path, silence=4.9).without("fault.begin")
    run.event(10.3, "fault.begin", "scenario", uncertainty=0.8, fault="power-off", node="primary")
    unsure(run.judge("FO-24"), "too coarse")


def test_a_service_that_takes_too_long_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("probe")
    probe = {"address": VIRTUAL_IP, "protocol": "tcp", "port": 943, "answered": True}
    run.event(28.5, "probe", "client", **probe, mac=MAC["secondary"])
    rejects(run.judge("FO-25"), "took 18.200 s")


def test_every_service_that_was_asked_for_has_to_come_back(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    asked = {"address": VIRTUAL_IP, "protocol": "tcp", "port": 443, "answered": True}
    run.event(9, "probe", "client", **asked, mac=MAC["primary"])
    rejects(run.judge("FO-25"), "never came")
    run.event(16, "probe", "client", **asked, mac=MAC["secondary"])
    verdict = run.judge("FO-25")
    passes(verdict)
    assert "tcp 443, tcp 943 on the virtual IP" in verdict.text
    assert "max=5.700" in verdict.text


def test_answers_of_the_node_that_failed_do_not_count(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="kill-ucarp").changed("probe", mac=MAC["primary"])
    rejects(run.judge("FO-25"), "never came")


def test_answers_before_the_fault_are_not_the_new_nodes(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.events = [event for event in run.events if event[1] != "probe" or event[0] < 10]
    rejects(run.judge("FO-25"), "never came")


def test_dropped_announcements_are_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [
        (at, port, raw, "dropped by rule 1" if raw[12:14] == b"\x08\x06" else note)
        for at, port, raw, note in run.frames
    ]
    rejects(run.judge("FO-26"), "no gratuitous ARP")


def test_a_single_announcement_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    last = max(at for at, _, raw, _ in run.frames if raw[12:14] == b"\x08\x06")
    run.mapped(lambda at, _, raw: [] if at == last else [(at, raw)])
    rejects(run.judge("FO-26"), "1 gratuitous ARP(s)")


def test_a_client_that_keeps_the_old_mac_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).changed("neighbour", mac=MAC["primary"])
    rejects(run.judge("FO-26"), "still has 02:00:00:00:00:01")


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
    run.event(39.5, "guest.capture", "secondary", path="guest.pcap")


def test_a_guests_own_capture_may_agree_on_another_clock(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    guest_capture(run, skew=0.004)
    passes(run.judge("FO-24"))


def test_captures_that_disagree_by_more_than_10_ms_say_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    guest_capture(run, skew=0.015)
    unsure(run.judge("FO-24"), "15.0 ms apart")


def stopped(directory: Path, **pair) -> Run:
    run = takeover(directory, fault="service-stop", **pair)
    run.event(10.9, "service.stopped", "primary")
    run.event(10.5, "addresses", "primary", held=[ADDRESS["primary"], VIRTUAL_IP])
    run.event(10.95, "addresses", "primary", held=[ADDRESS["primary"]])
    run.event(15, "addresses", "primary", held=[ADDRESS["primary"]])
    return run


def test_a_clean_stop_that_hands_over_passes(tmp_path: Path) -> None:
    passes(stopped(tmp_path).judge("FO-27"))


def test_a_stopped_node_that_keeps_the_virtual_ip_is_rejected(tmp_path: Path) -> None:
    run = stopped(tmp_path).changed("addresses", held=[VIRTUAL_IP])
    rejects(run.judge("FO-27"), "still holds the virtual IP")


def test_a_stopped_node_that_is_looked_at_too_late_shows_nothing(tmp_path: Path) -> None:
    run = stopped(tmp_path).without("addresses")
    run.event(15, "addresses", "primary", held=[ADDRESS["primary"]])
    unsure(run.judge("FO-27"), "not seen without the virtual IP within 1 s")


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
    rejects(run.judge("FO-27"), "never came")


def test_a_crash_shows_nothing_about_a_clean_stop(tmp_path: Path) -> None:
    unsure(takeover(tmp_path).judge("FO-27"), "no service-stop")


def test_a_state_line_in_the_wrong_file_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).changed("log.line", file="syslog")
    rejects(run.judge("FO-31"), "not in openvpnas.log")


def test_a_state_line_that_comes_too_late_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("log.line")
    run.event(20, "log.line", "secondary", file="openvpnas.log", text="MASTER")
    run.event(20, "log.line", "secondary", file="openvpnas-node.log", text="x")
    rejects(run.judge("FO-31"), "6.8 s +- 0.0 s from the wire's event")


def test_a_state_line_dated_too_coarsely_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("log.line")
    run.event(14.5, "log.line", "secondary", 3, file="openvpnas.log", text="MASTER")
    run.event(14.5, "log.line", "secondary", file="openvpnas-node.log", text="x")
    unsure(run.judge("FO-31"), "too coarse for a limit of 2 s")


@pytest.mark.parametrize("requirement", ["FO-25", "FO-26", "FO-31"])
def test_a_fault_that_calls_for_no_takeover_shows_none(tmp_path: Path, requirement: str) -> None:
    run = takeover(tmp_path, fault="kill-openvpn").changed("fault.begin", expects_takeover=False)
    unsure(run.judge(requirement), "no takeover was recorded")


def returned(directory: Path) -> Run:
    run = takeover(directory)
    run.seconds = 120
    run.beats("secondary", 40.2, 120, counter=2000)
    run.event(45, "node.returned", "scenario", node="primary")
    run.event(90, "addresses", "primary", held=[ADDRESS["primary"]])
    return run


def test_a_node_that_returns_and_stays_standby_passes(tmp_path: Path) -> None:
    passes(returned(tmp_path).judge("FO-28"))


def test_a_returning_node_that_preempts_is_rejected(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 50]
    run.beats("primary", 50.5, 120, counter=9000)
    verdict = run.judge("FO-28")
    rejects(verdict, "advertisement(s) on its return", "a change of role that nothing explains")


def test_a_node_that_advertises_while_it_boots_is_rejected(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.beats("primary", 41.5, 44, counter=9000)
    rejects(run.judge("FO-28"), "3 advertisement(s) on its return")


def test_a_return_of_which_no_address_was_read_says_nothing(tmp_path: Path) -> None:
    unsure(returned(tmp_path).without("addresses").judge("FO-28"), "were not read")


def test_a_return_watched_for_too_short_a_time_says_nothing(tmp_path: Path) -> None:
    run = returned(tmp_path)
    run.seconds = 80
    unsure(run.judge("FO-28"), "not 60")


def test_a_paused_node_that_takes_the_role_back_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="pause")
    run.frames = [frame for frame in run.frames if frame[0] < 25]
    run.beats("primary", 25.3, 40, counter=9000)
    run.changed("fault.begin", fault="pause")
    rejects(run.judge("FO-24"), "a change of role that nothing explains")


def loop(directory: Path, cycles: int = 8) -> Run:
    run = Run(directory, 100)
    run.beats("secondary", 0.2, 100)
    run.event(5, "reboot.loop.begin", "scenario", node="primary")
    run.event(95, "reboot.loop.end", "scenario", node="primary", cycles=cycles)
    return run


def test_a_reboot_loop_that_moves_nothing_passes(tmp_path: Path) -> None:
    passes(loop(tmp_path).judge("FO-29"))


def test_a_reboot_loop_that_moves_the_role_is_rejected(tmp_path: Path) -> None:
    run = loop(tmp_path)
    run.beats("primary", 40.7, 42)
    rejects(run.judge("FO-29"), "4 change(s) of role")


def test_a_heartbeat_that_pauses_in_a_reboot_loop_is_rejected(tmp_path: Path) -> None:
    run = loop(tmp_path).mapped(lambda at, _, raw: [] if at == 50.2 else [(at, raw)])
    rejects(run.judge("FO-29"), "silent for 2.000 s")


def test_fewer_than_eight_cycles_say_nothing(tmp_path: Path) -> None:
    unsure(loop(tmp_path, cycles=3).judge("FO-29"), "8 are needed")


def failback(directory: Path, silence: float = 3.2) -> Run:
    run = Run(directory, 40)
    counter = run.beats("secondary", 0, 10.2)
    run.event(10.3, "fault.begin", "scenario", fault="service-restart", node="secondary")
    run.beats("primary", 10 + silence, 40, counter=counter)
    return run


def test_restarting_the_active_secondary_moves_the_role_back(tmp_path: Path) -> None:
    passes(failback(tmp_path).judge("FO-30"))


def test_with_the_primary_stopped_the_role_does_not_move(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    run.beats("secondary", 0, 10.2)
    run.beats("secondary", 14.3, 20)
    rejects(run.judge("FO-30"), "never came")


@pytest.mark.parametrize("again", [12.4, 14.9])
def test_a_secondary_that_becomes_active_again_is_no_failback(tmp_path: Path, again: float) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    run.beats("secondary", 0, 10.2)
    run.beats("secondary", again, 40, counter=5000)
    rejects(run.judge("FO-30"), "never came")


def test_a_restart_that_takes_effect_too_late_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.frames.clear()
    counter = run.beats("secondary", 0, 20.2)
    run.beats("primary", 23.2, 40, counter=counter)
    rejects(run.judge("FO-30"), "took 12.900 s")


def test_deadratio_1_is_sooner_than_configured(tmp_path: Path) -> None:
    rejects(failback(tmp_path, silence=1.3).judge("FO-30"), "sooner than configured")


def test_a_restarted_node_that_advertises_on_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.beats("secondary", 14.1, 20, counter=5000)
    rejects(run.judge("FO-30"), "secondary advertised for 5.0 s after the role had moved")


def test_a_restarted_node_that_gives_way_at_once_took_nothing_back(tmp_path: Path) -> None:
    """Its own timer ran out before it had heard the new master: recorded so on real machines."""
    run = failback(tmp_path, silence=3.92)
    run.beats("secondary", 15.03, 16.9, counter=5000)
    passes(run.judge("FO-30"))


def test_a_restarted_node_that_comes_and_goes_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    for at in (15, 25, 35):
        run.beats("secondary", at, at + 1, counter=int(5000 + at))
    rejects(run.judge("FO-30"), "secondary advertised for 20.0 s after the role had moved")


def test_a_restarted_node_that_takes_the_role_back_is_rejected(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 15]
    run.beats("secondary", 15.03, 17, counter=5000)
    rejects(run.judge("FO-30"), "primary fell silent after the role had moved to it")


def test_a_failback_that_was_not_watched_says_nothing(tmp_path: Path) -> None:
    run = failback(tmp_path)
    run.event(14.5, "fault.over", "scenario", node="secondary")
    unsure(run.judge("FO-30"), "watched for 1.3 s")


def test_a_restart_of_the_primary_is_no_failback(tmp_path: Path) -> None:
    run = failback(tmp_path).changed("fault.begin", node="primary")
    unsure(run.judge("FO-30"), "no restart of the active secondary was recorded")


def repeated(directory: Path) -> Run:
    """Fail at 10.3 s, thaw the lab at 30 s: the primary is active again, counting as before."""
    run = takeover(directory)
    run.frames = [frame for frame in run.frames if frame[0] < 30]
    run.beats("primary", 30.5, 40, counter=1000)
    run.without("fault.over").event(29, "fault.over", "scenario", node="primary")
    return run


def test_a_thawed_lab_is_no_fail_back(tmp_path: Path) -> None:
    run = repeated(tmp_path)
    run.event(30, "lab.thawed", "scenario")
    passes(run.judge("FO-24"))
    passes(run.judge("FO-20"))


def test_the_same_without_a_thaw_is_a_forced_fail_back(tmp_path: Path) -> None:
    rejects(repeated(tmp_path).judge("FO-24"), "a change of role that nothing explains")


def handed_over(directory: Path, node: str) -> Run:
    """Move the role back to the primary by hand at 30 s, after the takeover of 10.3 s."""
    run = repeated(directory)
    run.event(29.2, "handover.begin", "scenario", node=node)
    run.event(35, "handover.end", "scenario", node=node)
    return run


def test_a_role_that_was_handed_over_is_explained(tmp_path: Path) -> None:
    passes(handed_over(tmp_path, "secondary").judge("FO-24"))


def test_a_handover_explains_no_change_away_from_the_other_node(tmp_path: Path) -> None:
    rejects(
        handed_over(tmp_path, "primary").judge("FO-24"), "a change of role that nothing explains"
    )


def test_a_cut_off_node_that_still_believes_to_be_active_holds_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path, fault="link-cut")
    run.beats("primary", 10.4, 40, counter=1011, comment="dropped: primary/wire0 is cut")
    passes(run.judge("FO-24"))
