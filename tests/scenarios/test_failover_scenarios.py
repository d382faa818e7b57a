"""Failover scenarios record what their checks need: on a real wire, with a pair that is played."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from checks.engine.registry import checks
from checks.engine.verdict import Status
from checks.protocols import carp
from evidence.events.pair import FilterEnded, HandoverBegan, HandoverEnded
from evidence.history import FILE_NAME, History, read_history
from lab.wait import until
from scenarios.failover import (
    faults,
    services,
    takeover,
    test_troubleshooting,
)
from scenarios.failover.adverts import Advertiser
from scenarios.failover.greeting import hard_reset, static_key
from scenarios.failover.pair import Pair
from scenarios.failover.test_serving import steady
from tests.checks.protocols import encoder
from tests.scenarios.failover_pair import VIRTUAL_IP
from tests.scenarios.failover_stage import SCENARIO, Stage


def test_a_takeover_is_provoked_and_recorded_so_that_it_can_be_judged(stage: Stage) -> None:
    assert takeover.provoke(stage.pair, faults.POWER_OFF, stage.probe) == "primary"
    for requirement in ("FO-20", "FO-24", "FO-25", "FO-26", "FO-31"):
        verdict = stage.judge(requirement)
        assert verdict.status is Status.PASS, f"{requirement}: {verdict.text}"


def test_a_clean_stop_is_provoked_and_recorded_so_that_it_can_be_judged(stage: Stage) -> None:
    assert takeover.provoke(stage.pair, faults.SERVICE_STOP, stage.probe) == "primary"
    for requirement in ("FO-25", "FO-27"):
        verdict = stage.judge(requirement)
        assert verdict.status is Status.PASS, f"{requirement}: {verdict.text}"


def test_a_takeover_without_service_is_recorded_as_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_BACK_S", 0.5)
    monkeypatch.setattr(stage.lab.nodes["secondary"], "_accept", lambda _frame: None)
    takeover.provoke(stage.pair, faults.POWER_OFF, stage.probe)
    assert stage.judge("FO-24").status is Status.PASS
    assert stage.judge("FO-25").status is not Status.PASS


def test_a_split_is_provoked_healed_and_recorded_so_that_it_can_be_judged(stage: Stage) -> None:
    def judge_each(*requirements: str) -> None:
        for requirement in requirements:
            verdict = stage.judge(requirement)
            assert verdict.status is Status.PASS, f"{requirement}: {verdict.text}"

    test_troubleshooting.test_a_filter_of_source_macs_breaks_the_pair_until_spoofing_is_allowed(
        stage.pair, judge_each
    )


def test_a_steady_pair_answers_with_one_mac(stage: Stage) -> None:
    with steady(stage.pair) as active:
        assert active == "primary"
        stage.probe.ask(VIRTUAL_IP, times=6, every=1.0)
    assert stage.judge("FO-15").status is Status.PASS


@pytest.mark.parametrize("staged", [0, 4])
def test_a_pair_is_ready_when_the_standby_holds_what_the_active_node_runs(
    stage: Stage, staged: int
) -> None:
    standby = stage.lab.nodes["secondary"]
    standby.staged = staged
    assert stage.pair.wait_until_ready() == "primary"
    assert standby.staged == stage.lab.nodes["primary"].serial


def test_a_standby_that_holds_everything_is_sent_nothing(stage: Stage) -> None:
    stage.pair.wait_until_ready()
    stage.pair.wait_until_ready()
    asked = " ".join(stage.lab.machines["primary"].asked)
    assert asked.count("FailoverSync") == 1


def test_one_node_is_active_while_it_alone_was_heard(stage: Stage) -> None:
    assert stage.pair.active() == "primary"
    stage.lab["primary"].kill()
    assert stage.pair.active() == "primary"  # it was heard a moment ago, and the other is silent
    until(lambda: stage.lab.nodes["secondary"].active, 20, "the secondary to take over")
    assert stage.pair.active() == "secondary"


def test_what_was_heard_before_a_rewind_is_forgotten(stage: Stage) -> None:
    assert stage.pair.active() == "primary"
    stage.pair.rewound()
    assert stage.pair._alone() is None
    assert stage.pair.active() == "primary"


def test_a_handover_is_recorded_and_makes_the_other_node_active(stage: Stage) -> None:
    stage.pair.make_active("primary")
    assert not stage.recorded(HandoverBegan)
    stage.pair.make_active("secondary")
    (begun,), (ended,) = stage.recorded(HandoverBegan), stage.recorded(HandoverEnded)
    assert begun.node == ended.node == "primary"
    assert begun.at_ns < ended.at_ns
    assert stage.pair.active() == "secondary"


def test_a_foreign_pairs_advertisement_is_right_in_every_respect() -> None:
    foreign = Advertiser("192.168.70.11", "192.168.70.233", 95, "foreign-pair")
    advert = carp.decode(foreign.frame(7))
    secret = carp.Secret(foreign.password, foreign.virtual_ip, foreign.vhid)
    assert not carp.findings(advert, secret)
    assert (
        encoder.carp(
            foreign.address,
            counter=7,
            vhid=95,
            password=foreign.password,
            virtual_ip=foreign.virtual_ip,
        )[34:]
        == foreign.frame(7)[34:]
    )


def test_every_requirement_of_the_guide_has_a_scenario() -> None:
    sources = Path(takeover.__file__).parent.glob("test_*.py")
    text = "\n".join(path.read_text() for path in sources)
    judged = {name for name in checks() if name.startswith("FO-")}
    assert {name for name in judged if f'"{name}"' in text} == judged
    assert len(judged) == 49


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(ValueError, match="0 octets"):
        static_key("client\nremote x 1194 udp\n")


@pytest.mark.skipif(shutil.which("openvpn") is None, reason="openvpn is not installed")
def test_a_genuine_server_answers_the_greeting_and_no_other(tmp_path: Path) -> None:
    from tests.scenarios.openvpn_server import answered, server

    with server(tmp_path) as (port, key_file):
        key = static_key(key_file)
        assert answered(port, hard_reset(key))
        assert not answered(port, hard_reset(bytes(256)))


def test_a_network_is_said_to_be_as_usual_once_it_is(tmp_path: Path) -> None:
    left_ns = 0

    @contextmanager
    def filtered() -> Iterator[Callable[[], int]]:
        nonlocal left_ns
        yield lambda: 7
        left_ns = time.time_ns()

    with History(tmp_path / FILE_NAME, SCENARIO) as history:
        pair = cast(Pair, SimpleNamespace(history=history))
        with test_troubleshooting.recorded(pair, filtered(), test_troubleshooting.a_filter("vrrp")):
            pass
    (ended,) = read_history(tmp_path / FILE_NAME).of(FilterEnded)
    assert ended.hits == 7
    assert abs(ended.at_ns - left_ns) <= ended.uncertainty_ns
