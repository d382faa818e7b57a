"""FO-20 to 27 and 31: good takeovers pass, each broken one is rejected for its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.engine.registry import figures
from evidence.scenario import Evidence
from tests.checks.failover.recording import (
    ADDRESS,
    MAC,
    SCENARIO,
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
    clock = {"behind_ns": -offset, "uncertainty_ns": 10**6}
    run.event(39.5, "guest.capture", "secondary", path="guest.pcap", clock=clock)


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
    verdict = stopped(tmp_path).judge("FO-27")
    passes(verdict)
    assert "service-stop, last advertisement to the peer's first: n=1 min=3.200" in verdict.text


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


def test_a_thaw_excuses_nothing_that_comes_after_it(tmp_path: Path) -> None:
    run = repeated(tmp_path)
    run.event(30, "lab.thawed", "scenario")
    run.frames = [frame for frame in run.frames if frame[0] < 33]
    run.beats("secondary", 33, 40, counter=1003)
    rejects(run.judge("FO-24"), "a change of role that nothing explains")


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
