"""What is recorded of a takeover, so that a check can say what became of each thing it touches."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evidence.events.pair import PairConfigured, UcarpTimers
from evidence.events.takeover import (
    AddressesHeld,
    FaultInjected,
    FaultWatched,
    LogLine,
    NeighbourSeen,
    ServiceProbed,
    ServiceStopped,
)
from evidence.moment import NS, Moment
from lab.probe import Answer, Asking
from lab.wait import pause
from scenarios.failover import faults, observe, services, takeover
from tests.scenarios.failover_pair import ADDRESS, VIRTUAL_IP
from tests.scenarios.failover_stage import Stage

OLD, NEW = "02:00:00:00:00:01", "02:00:00:00:00:02"


def test_a_pair_is_configured_with_ports_as_captures_name_them(stage: Stage) -> None:
    (configured,) = stage.recorded(PairConfigured)
    assert list(configured.nodes) == ["primary", "secondary"]
    for name, node in configured.nodes.items():
        assert node.address == ADDRESS[name]
        assert node.mac == stage.lab.nodes[name].nic.mac.hex(":")
        assert node.port in stage.lab.wire.ports()
        assert node.timers == UcarpTimers(advbase=1, advskew=0, deadratio=3)


def test_each_service_is_asked_for_until_the_watch_ends(stage: Stage) -> None:
    went_on_ns: list[int] = []

    def meanwhile(peer: str, injected: Moment) -> None:
        assert (peer, injected.at_ns > 0) == ("secondary", True)
        went_on_ns.append(time.time_ns())
        pause(2.5)

    takeover.provoke(stage.pair, faults.POWER_OFF, stage.probe, meanwhile)
    (fault,) = stage.recorded(FaultInjected)
    (watched,) = stage.recorded(FaultWatched)
    old, new = (stage.pair.mac(node) for node in ("primary", "secondary"))
    for one in services.SERVICES:
        probed = [each for each in stage.recorded(ServiceProbed) if each.port == one.port]
        assert {each.address for each in probed} == {VIRTUAL_IP}
        assert [each.mac for each in probed] == [old, None, new, new], str(one)
        before, _, first, last = (each.at_ns for each in probed)
        assert before < fault.at_ns < first < went_on_ns[0] < last < watched.at_ns, str(one)


def test_every_client_is_asked_whom_it_takes_for_the_holder(stage: Stage) -> None:
    takeover.provoke(stage.pair, faults.POWER_OFF, stage.probe)
    new = stage.pair.mac("secondary")
    seen = {one.source: one.mac for one in stage.recorded(NeighbourSeen)}
    assert seen == {"gateway": new, "probe": new}
    assert VIRTUAL_IP in stage.recorded(AddressesHeld, "secondary")[-1].held
    files = {one.file for one in stage.recorded(LogLine, "secondary")}
    assert files == {"openvpnas.log", "openvpnas-node.log"}


def test_a_client_that_has_nobody_in_its_table_is_recorded_too(stage: Stage) -> None:
    stage.lab["gateway"].script = {"neigh": json.dumps([{"state": ["FAILED"]}])}
    observe.neighbours(stage.pair, stage.probe)
    (gateway,) = stage.recorded(NeighbourSeen, "gateway")
    assert gateway.mac is None


def test_a_clean_stop_says_what_the_node_held_right_after_it(stage: Stage) -> None:
    takeover.provoke(stage.pair, faults.SERVICE_STOP, stage.probe)
    (ended,) = stage.recorded(ServiceStopped)
    after = [one for one in stage.recorded(AddressesHeld, "primary") if one.at_ns > ended.at_ns]
    assert after[0].at_ns - ended.at_ns == 250_000_000
    assert after[0].held == (ADDRESS["primary"],)


def test_a_clean_stop_says_when_the_node_let_go_of_the_virtual_ip(stage: Stage) -> None:
    takeover.provoke(stage.pair, faults.SERVICE_STOP, stage.probe)
    (fault,), (ended,) = stage.recorded(FaultInjected), stage.recorded(ServiceStopped)
    meanwhile = [
        one
        for one in stage.recorded(AddressesHeld, "primary")
        if fault.at_ns <= one.at_ns <= ended.at_ns
    ]
    assert [one.held for one in meanwhile] == [(ADDRESS["primary"],)]


def test_a_service_that_falls_silent_again_is_recorded_as_such(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    secondary = stage.lab.nodes["secondary"]
    accept, answered = secondary._accept, []

    def accept_once_each(frame: bytes) -> None:
        if frame[36:38] not in answered:
            answered.append(frame[36:38])
            accept(frame)

    monkeypatch.setattr(secondary, "_accept", accept_once_each)
    takeover.provoke(stage.pair, faults.POWER_OFF, stage.probe)
    (fault,) = stage.recorded(FaultInjected)
    for one in services.SERVICES:
        after = [
            each.answered
            for each in stage.recorded(ServiceProbed)
            if each.port == one.port and each.at_ns > fault.at_ns
        ]
        assert after == [False, True, False, False], str(one)


def test_nothing_else_is_thawed_or_timed_from_the_fault_until_the_service_is_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments: dict[str, int] = {}

    @contextmanager
    def quiet(_lab: Path) -> Iterator[None]:
        moments["from"] = time.time_ns()
        yield
        moments["until"] = time.time_ns()

    monkeypatch.setattr(takeover, "quiet", quiet)
    takeover.provoke(stage.pair, faults.POWER_OFF, stage.probe)
    (fault,) = stage.recorded(FaultInjected)
    back = [
        one for one in stage.recorded(ServiceProbed) if one.answered and one.at_ns > fault.at_ns
    ]
    first = {one.port: one.at_ns for one in reversed(back)}
    assert moments["from"] < fault.at_ns
    assert first.keys() == {one.port for one in services.SERVICES}
    assert max(first.values()) < moments["until"]


def asked(*seen: tuple[float, str]) -> Asking:
    """Return an asking whose questions, at these seconds, got an answer of that MAC, or of ""."""
    asking = Asking(0.1)
    for number, (at, mac) in enumerate(seen):
        asking.ask(number)
        question = asking.questions[-1]
        object.__setattr__(question, "at_ns", round(at * NS))
        if mac:
            asking.hear(number, Answer(round(at * NS) + 1, mac))
    return asking


def in_short(asking: Asking, ended: float) -> list[tuple[int, str | None]]:
    seen = services._seen(asking, round(ended * NS))
    kept = services._in_short(seen, Moment(10 * NS, NS // 10))
    return [(at_ns // NS, mac) for at_ns, mac in kept]


def test_of_many_answers_the_changes_and_the_last_are_kept() -> None:
    many = [(float(at), OLD) for at in range(10)] + [(11.0, "")]
    many += [(float(at), NEW) for at in range(12, 40)]
    assert in_short(asked(*many), 45) == [(9, OLD), (11, None), (12, NEW), (39, NEW)]


def test_a_question_that_has_no_answer_yet_is_no_silence() -> None:
    assert in_short(asked((9.0, OLD), (12.0, NEW), (19.5, "")), 20) == [(9, OLD), (12, NEW)]


def test_two_nodes_that_answer_by_turns_are_both_kept() -> None:
    turns = asked((9.0, OLD), (12.0, NEW), (13.0, OLD), (14.0, NEW))
    assert in_short(turns, 20)[1:] == [(12, NEW), (13, OLD), (14, NEW)]
