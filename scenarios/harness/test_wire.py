"""LAB-02: every frame is recorded exactly once, and what hit no frame shows nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from checks.engine import registry
from checks.engine.judging import next_attempt
from evidence.events.harness import FramesDropped, FramesReceived, FramesSent, VerdictGiven
from evidence.events.pair import FilterBegan, FilterEnded
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.history import History
from evidence.scenario import Evidence
from lab.lab import Lab
from lab.quiet import quiet
from lab.threads import threads
from lab.wait import pause
from lab.wire import Drop, Match, Rule
from scenarios.harness.machines import hear, send, wait_until_it_hears
from scenarios.harness.refusals import record_refusals
from scenarios.labs import Labs

Judge = Callable[[str], object]

UDP, VRRP = 17, 112
PORT, DROPPED_PORT = 9997, 9998
COUNT, DROPPED = 500, 100


@pytest.mark.requirement("LAB-02")
def test_every_frame_is_recorded_once_and_a_fault_without_frames_shows_nothing(
    lab: Lab, labs: Labs, guide: str, history: History, judge: Judge
) -> None:
    send_numbered_frames(lab, history)
    history.record(verdict_of_a_fault_without_frames(lab, labs.name(guide), history))
    judge("LAB-02")


def send_numbered_frames(lab: Lab, history: History) -> None:
    """Let one machine send to the other, with a rule that drops some of it."""
    nonce, address = secrets.token_hex(8), str(lab.topology.machine("two").ipv4)
    sender, hearer = lab["one"], lab["two"]
    port = lab.topology.port("one", 0)
    sender.run(f"ping -c 2 -W 5 {address}")  # whose MAC is not known yet is not sent to
    hearer.run("rm -f /run/hearing")
    # Who hears waits 20 s at most: nothing that is timed in another lab may come between.
    with quiet(lab.directory), threads(1) as beside, ExitStack() as filtered:
        heard = beside.submit(hear, hearer, nonce, PORT, COUNT - DROPPED)
        wait_until_it_hears(hearer)
        rule = lab.wire.add(Rule(Match(protocol=UDP, dst_port=DROPPED_PORT), Drop()))
        filtered.callback(lab.wire.remove, rule)
        send(sender, nonce, address, DROPPED_PORT, range(DROPPED))
        send(sender, nonce, address, PORT, range(DROPPED, COUNT))
        different, count = heard.result()
        hits = lab.wire.hits(rule)
    history.record(FramesSent(source="one", port=port, nonce=nonce, count=COUNT))
    history.record(FramesDropped(source="wire", nonce=nonce, hits=hits))
    history.record(
        FramesReceived(
            source="two",
            port=lab.topology.port("two", 0),
            nonce=nonce,
            different=different,
            count=count,
        )
    )


def verdict_of_a_fault_without_frames(lab: Lab, name: str, history: History) -> VerdictGiven:
    """Let another scenario show what is all right, beside a filter that hits nothing; judge that.

    There is no heartbeat in this lab, so that a filter of it has nothing to drop.
    """
    directory = history.path.parent
    scenario = f"{history.scenario}, beside a filter that hits nothing"
    with History(history.path, scenario) as other:
        attempt = next_attempt(directory, scenario)
        other.record(ScenarioStarted(source="pytest", lab=name, attempt=attempt))
        record_refusals(other)
        rule = lab.wire.add(Rule(Match(protocol=VRRP), Drop()))
        try:
            other.record(FilterBegan(source="wire", filter="vrrp"))
            pause(0.5)
        finally:
            hits = lab.wire.remove(rule)["hits"]
        other.record(FilterEnded(source="wire", filter="vrrp", hits=hits))
        other.record(ScenarioEnded(source="pytest", events=other.recorded))
    verdict = registry.judge("LAB-06", Evidence(directory, scenario, "LAB-06"))
    return VerdictGiven(
        source="judge",
        requirement="LAB-06",
        by=scenario,
        status=verdict.status.value,
        reasons=verdict.reasons,
    )
