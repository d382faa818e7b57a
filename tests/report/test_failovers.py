"""Failovers are drawn and measured by what the checks judge by, each mark with its frame."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.failover.stages import Stage
from checks.protocols.budgets import Budget
from evidence.capture import Capture
from evidence.events.run import Judged, ScenarioEnded, ScenarioStarted
from evidence.history import History, read_history
from evidence.moment import NS
from report.content import content_of
from report.distributions import Distribution, Sample, distributions
from report.failovers import Failover, failovers
from report.figures import strips
from report.page import page
from report.reading import read_run
from tests.checks.failover import recording
from tests.checks.failover.recording import MAC, SCENARIO, Run, stamp
from tests.checks.failover.tunnels import carried, tunnels


def of(run: Run) -> list[Failover]:
    run.write()
    found, _ = failovers(read_run(run.directory))
    return found


def one(run: Run) -> Failover:
    (found,) = of(run)
    return found


@pytest.fixture
def crash(tmp_path: Path) -> Run:
    return recording.takeover(tmp_path)


def test_a_crash_is_a_failover_of_the_two(crash: Run) -> None:
    found = one(crash)
    assert (found.title, found.peer, found.engine) == ("power-off of primary", "secondary", "ucarp")
    assert found.scenario == SCENARIO
    assert found.injected_ns == stamp(10.3)
    assert found.note == ""


def test_its_stages_are_measured_against_their_limits(crash: Run) -> None:
    stages = {each.stage: each for each in one(crash).measured}
    assert stages[Stage.SILENCE].seconds == pytest.approx(3.2)
    assert stages[Stage.TAKEOVER].seconds == pytest.approx(2.9)
    assert stages[Stage.SERVICE].seconds == pytest.approx(3.9)
    assert [limit.maximum_s for limit in stages[Stage.TAKEOVER].limits] == [5.0, 5.0]
    assert stages[Stage.SERVICE].limits[0].maximum_s == 10


def test_limits_that_read_alike_are_told_once() -> None:
    limits = tuple(Budget(0, most, "3*A + skew", "") for most in (3.511, 3.512, 3.6))
    one = Distribution("stage", "pause", "keepalived", "", (), limits)
    assert one.allowed == ["0.00 to 3.51 s (3*A + skew)", "0.00 to 3.60 s (3*A + skew)"]


def test_a_dot_at_the_edge_of_a_figure_is_whole() -> None:
    samples = tuple(Sample(seconds, 0, "") for seconds in (-0.027, -0.001, 0.0))
    drawing = strips("d1", [Distribution("stage", "pause", "ucarp", "", samples, ())])
    assert drawing.count("<use") >= 3
    assert not re.search(r'<g clip-path="[^"]*">\s*<use', drawing)


def test_a_restart_has_no_limit_of_its_own(tmp_path: Path) -> None:
    found = one(recording.takeover(tmp_path, fault="service-restart"))
    assert found.measured
    assert all(each.limits == () for each in found.measured)


def test_every_mark_from_the_wire_names_its_frame(crash: Run) -> None:
    found = one(crash)
    frames = list(Capture(crash.directory / "wire" / "lab.pcapng"))
    drawn = [mark for mark in found.marks if mark.kind in ("advert", "arp")]
    assert {mark.kind for mark in drawn} == {"advert", "arp"}
    for mark in drawn:
        assert mark.frame is not None
        assert frames[mark.frame - 1].at_ns == mark.at_ns
        assert mark.place == "wire/lab.pcapng"


def test_a_mark_from_the_history_names_its_line(crash: Run) -> None:
    answers = [mark for mark in one(crash).marks if mark.kind == "answer"]
    assert answers
    assert all(mark.place.startswith("history.jsonl:") for mark in answers)
    assert any(mark.what == "tcp 443: secondary answers" for mark in answers)


def test_who_holds_the_virtual_ip_is_a_bar_on_its_lane(crash: Run) -> None:
    found = one(crash)
    held = {bar.lane: bar for bar in found.bars}
    assert found.lanes[:2] == ("primary", "secondary")
    assert held["primary"].until_ns == stamp(10.0)
    assert held["secondary"].from_ns == stamp(13.2)


def test_the_fault_is_a_shade_from_its_beginning_on(crash: Run) -> None:
    fault = next(shade for shade in one(crash).shades if shade.kind == "fault")
    assert fault.from_ns == stamp(10.3)


def test_a_busy_host_is_a_shade(crash: Run) -> None:
    for at, kept in ((12.0, 0.45), (12.5, 0.45), (14.0, 0.01)):
        span = {"from_ns": stamp(at - 0.5), "kept_ns": int(kept * NS)}
        crash.event(at, "host.late", "scenario", of="secondary", **span)
    shades = [shade for shade in one(crash).shades if shade.kind != "fault"]
    assert [shade.kind for shade in shades] == ["busy-3", "busy-2"]
    assert all(a.until_ns <= b.from_ns for a, b in pairwise(shades))
    assert "secondary" in shades[0].what


def test_a_dropped_advertisement_is_marked_as_such(crash: Run) -> None:
    crash.beats("primary", 11.2, 12, counter=2000, comment="dropped: a filter")
    crash.beats("primary", 12.2, 13, counter=2001, comment="dropped: primary/wire0 is cut")
    assert [mark.what for mark in one(crash).marks if mark.kind == "dropped"] == [
        "primary advertises; the wire dropped it",
        "primary advertises into a cut link",
    ]


def test_an_intruder_has_a_lane_of_its_own(crash: Run) -> None:
    raw = recording.encoder.carp("192.168.70.66", counter=5000)
    crash.frame(11.5, "client/wire0", raw)
    assert "an intruder at client/wire0" in one(crash).lanes


def test_a_question_without_answer_is_marked(crash: Run) -> None:
    crash.answer(12, 443, answered=False, mac=None)
    assert any(mark.what == "tcp 443: no answer" for mark in one(crash).marks)


def test_a_tunnel_is_interrupted_and_carries_again(crash: Run) -> None:
    crash.event(5, "tunnel.watched", "alice", client="outside", protocol="udp")
    for at in (30.3, 38):
        crash.event(at, "tunnel.carried", "alice", client="outside", protocol="udp")
    found = one(crash)
    kinds = [(bar.kind, bar.from_ns) for bar in found.bars if bar.lane == "tunnel alice"]
    assert kinds[1:] == [("interrupted", stamp(10.3)), ("carries", stamp(30.3))]
    tunnel = next(each for each in found.measured if each.stage is Stage.TUNNEL)
    assert (tunnel.seconds, tunnel.who) == (pytest.approx(20), "alice (udp)")
    assert tunnel.limits[0].maximum_s == 75


def test_a_tunnel_is_back_when_it_is_so_for_good_and_each_interruption_is_drawn(
    tmp_path: Path,
) -> None:
    """As FO-39 judges it: by the first packet after the last interruption."""
    run = tunnels(tmp_path).without("tunnel.watched")
    run.event(5, "tunnel.watched", "alice", client="outside", protocol="udp")
    carried(run, 22.3, "alice", silent=12)
    carried(run, 100.3, "alice", silent=60)
    carried(run, 105.3, "alice", looked=105.7)
    found = one(run)
    (tunnel,) = (each for each in found.measured if each.stage is Stage.TUNNEL)
    assert tunnel.seconds == pytest.approx(90)
    (of_it,) = distributions([found])[-1:]
    assert (of_it.stage, of_it.over) == (Stage.TUNNEL, 1)
    bars = [bar for bar in found.bars if bar.lane == "tunnel alice"]
    assert [(bar.kind, bar.from_ns) for bar in bars][1:] == [
        ("interrupted", stamp(10.3)),
        ("carries", stamp(22.3)),
        ("interrupted", stamp(40.3)),
        ("carries", stamp(100.3)),
    ]
    assert bars[-1].until_ns == stamp(105.3)


def test_a_packet_from_before_the_takeover_is_no_tunnel_that_is_back(crash: Run) -> None:
    crash.event(5, "tunnel.watched", "alice", client="outside", protocol="udp")
    carried(crash, 11, "alice", silent=0.5)
    carried(crash, 30.3, "alice", silent=19)
    carried(crash, 35.3, "alice", looked=35.7)
    (tunnel,) = (each for each in one(crash).measured if each.stage is Stage.TUNNEL)
    assert tunnel.seconds == pytest.approx(20)


def test_a_tunnel_that_fell_silent_before_nobody_looked_any_more_is_interrupted(
    crash: Run,
) -> None:
    crash.event(5, "tunnel.watched", "alice", client="outside", protocol="udp")
    carried(crash, 20, "alice", silent=9)
    carried(crash, 25, "alice", looked=38)
    bars = [bar for bar in one(crash).bars if bar.lane == "tunnel alice"]
    assert [(bar.kind, bar.from_ns) for bar in bars][-2:] == [
        ("carries", stamp(20)),
        ("interrupted", stamp(25)),
    ]


def test_a_role_that_did_not_move_is_said_so(tmp_path: Path) -> None:
    run = Run(tmp_path, 40)
    run.beats("primary", 0, 10.2)
    run.event(10.3, "fault.injected", "scenario", fault="power-off", node="primary")
    run.event(39, "fault.watched", "scenario", node="primary")
    found = one(run)
    assert found.note == "no takeover while it was watched"
    assert all(each.stage is not Stage.TAKEOVER for each in found.measured)


def test_what_cannot_be_measured_is_drawn_with_the_reason(tmp_path: Path) -> None:
    run = Run(tmp_path, 40)
    run.beats("secondary", 0, 40)
    run.event(10.3, "fault.injected", "scenario", fault="power-off", node="primary")
    run.event(39, "fault.watched", "scenario", node="primary")
    found = one(run)
    assert "who held the role is not clear" in found.note
    assert any(mark.kind == "advert" for mark in found.marks)


def test_without_its_capture_a_failover_is_drawn_from_the_history(crash: Run) -> None:
    crash.write()
    (crash.directory / "wire" / "lab.pcapng").unlink()
    material = read_run(crash.directory)
    found, _ = failovers(material)
    assert [mark.kind for mark in found[0].marks if mark.frame is not None] == []
    assert any(lack.what == "wire/lab.pcapng" for lack in material.lacks)


def test_of_a_capture_with_a_damaged_tail_the_beginning_is_drawn(crash: Run) -> None:
    crash.write()
    path = crash.directory / "wire" / "lab.pcapng"
    octets = path.read_bytes()
    path.write_bytes(octets[: len(octets) // 2])
    (found,), _ = failovers(read_run(crash.directory))
    assert any(mark.frame is not None for mark in found.marks)


def test_a_scenario_without_its_end_has_no_failover_and_is_named(crash: Run) -> None:
    crash.write()
    path = crash.directory / "history.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    found, lacks = failovers(read_run(crash.directory))
    assert found == []
    assert any("cut off" in lack.why for lack in lacks)


def test_its_status_is_the_verdict_of_its_attempt(crash: Run) -> None:
    from checks.engine.verdict import Verdict
    from checks.engine.verdicts import record_verdict

    crash.write()
    record_verdict(crash.directory, "FO-24", SCENARIO, Verdict(Status.FAIL), 1)
    (found,), _ = failovers(read_run(crash.directory))
    assert found.status is Status.FAIL


def begun_again(crash: Run, first: Status, *, judged: bool = True) -> Path:
    """Let a crash be tried a second time, and that be a PASS where it is judged."""
    from checks.engine.verdict import Verdict
    from checks.engine.verdicts import record_verdict

    crash.started = {"lab": "lab", "requirements": ["FO-24"]}
    crash.write()
    path = crash.directory / "history.jsonl"
    events = [line.event for line in read_history(path).lines]
    for number, status in ((1, first), (2, Status.PASS)):
        with History(path, SCENARIO) as history:
            for event in events if number == 2 else ():
                again = {"attempt": 2} if isinstance(event, ScenarioStarted) else {}
                ended = {"events": history.recorded} if isinstance(event, ScenarioEnded) else {}
                history.record(event.model_copy(update={**again, **ended}))
            if number == 1 or judged:
                history.record(Judged(source="judge", requirement="FO-24"))
        if number == 1 or judged:
            record_verdict(crash.directory, "FO-24", SCENARIO, Verdict(status), number)
    return crash.directory


def test_an_undecided_attempt_that_was_made_again_counts_no_more(crash: Run) -> None:
    content = content_of(begun_again(crash, Status.UNKNOWN))
    assert [one.set_aside for one in content.failovers] == [True, False]
    (series,) = content.series
    assert series.status is Status.PASS
    assert [one.failover.attempt for one in series.drawings] == [2, 1]  # paper has the first ones
    assert {one.spread.n for stage in content.stages for one in stage.distributions} == {1}
    assert "Left out: 1 of 2 failovers, of attempts that were UNKNOWN" in page(content)
    assert "set aside: a later attempt counts" in page(content)


def test_an_attempt_that_failed_is_never_set_aside(crash: Run) -> None:
    content = content_of(begun_again(crash, Status.FAIL))
    assert not content.set_aside
    assert content.series[0].status is Status.FAIL


def test_an_attempt_whose_repetition_was_never_judged_is_not_set_aside(crash: Run) -> None:
    assert not content_of(begun_again(crash, Status.UNKNOWN, judged=False)).set_aside


def test_macs_of_the_pair_are_told_by_name(crash: Run) -> None:
    crash.answer(14, 443, mac="02:00:00:00:00:77")
    whats = [mark.what for mark in one(crash).marks]
    assert "tcp 443: 02:00:00:00:00:77 answers" in whats
    assert not any(MAC["secondary"] in what for what in whats)
