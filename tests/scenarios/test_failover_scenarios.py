"""Failover scenarios record what their checks need: on a real wire, with a pair that is played."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from checks.engine.judging import judge_now
from checks.engine.registry import checks
from checks.engine.verdict import Status, Verdict
from checks.failover import setup
from checks.protocols import carp
from evidence.history import History, read_history
from lab.clock import NS, ClockOffset
from lab.lab import Lab
from lab.probe import Probe
from lab.wait import until
from scenarios.failover import (
    faults,
    observe,
    takeover,
    test_troubleshooting,
    tunnels,
    validation,
)
from scenarios.failover.adverts import Advertiser
from scenarios.failover.faults import Fault, Moment
from scenarios.failover.greeting import hard_reset, tls_crypt_key
from scenarios.failover.pair import Pair
from scenarios.failover.test_serving import steady
from tests.checks.protocols import encoder
from tests.scenarios.failover_pair import VIRTUAL_IP, PlayedLab, played_lab

SCENARIO = "it"


@dataclass
class Stage:
    """A played pair, its history, and the judge of what both left behind."""

    lab: PlayedLab
    pair: Pair
    probe: Probe
    history: History

    def judge(self, requirement: str) -> Verdict:
        self.lab.wire.flush()
        return judge_now(self.history.path.parent, self.history, requirement)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("VPNPROOF_LABS", str(tmp_path / "labs"))
    (tmp_path / "wire").mkdir()
    with (
        played_lab(tmp_path, tmp_path / "wire" / "lab.pcapng") as lab,
        History(tmp_path / "history.jsonl", SCENARIO) as history,
        Probe(lab.wire, "lan", "probe", "02:70:72:6f:62:65", "192.168.70.9") as probe,
    ):
        history.record("scenario.start", "pytest", lab="lab")
        with Pair(cast(Lab, lab), history) as pair:
            pair.record_configured("primary")
            yield Stage(lab, pair, probe, history)


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
    history = read_history(stage.history.path)
    (ended,) = history.events("service.stopped")
    read = next(event for event in history.events("addresses") if event.source == "primary")
    assert read.at_ns - ended.at_ns == 250_000_000


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
    history = read_history(stage.history.path)
    (fault,) = history.events("fault.begin")
    back = [probe for probe in history.events("probe") if probe.at_ns > fault.at_ns]
    assert moments["from"] < fault.at_ns
    assert (
        max(min(p.at_ns for p in back if p["port"] == port) for port in takeover.PORTS)
        < (moments["until"])
    )


def test_a_takeover_without_service_is_recorded_as_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "_SERVICE_S", 0.5)
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
        stage.probe.ask(VIRTUAL_IP, times=6, every=0.05)
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
    assert not read_history(stage.history.path).events("handover.begin")
    stage.pair.make_active("secondary")
    begin, end = (
        read_history(stage.history.path).events(f"handover.{edge}")[0] for edge in ("begin", "end")
    )
    assert begin["node"] == end["node"] == "primary"
    assert begin.at_ns < end.at_ns
    assert stage.pair.active() == "secondary"


def test_the_moment_of_a_fault_is_the_middle_of_the_time_it_took() -> None:
    seen: list[Moment] = []
    outer = faults.during(lambda: seen.append(faults.during(lambda: None)))
    (inner,) = seen
    assert abs(inner.at_ns - outer.at_ns) <= outer.uncertainty_ns + inner.uncertainty_ns


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in faults.ALL}) == len(faults.ALL)


class RecordingLab:
    """Notes which of a lab's switches a fault moves."""

    def __init__(self) -> None:
        self.moved: list[str] = []
        self.wire = self.hypervisor = self
        self.topology = self

    def __getitem__(self, name: str) -> RecordingLab:
        return self

    def domain_name(self, name: str) -> str:
        return name

    def mac(self, name: str, _index: int) -> str:
        return f"mac of {name}"

    def __getattr__(self, switch: str) -> Callable[..., None]:
        def move(*words: object, **more: object) -> None:
            self.moved.append(" ".join([switch, *map(str, (*words, *more.items()))]))

        return move


@pytest.mark.parametrize(
    ("fault", "struck", "undone"),
    [
        (faults.POWER_OFF, "kill", "kill"),
        (faults.PAUSE, "pause", "kill"),
        (faults.LINK_CUT, "cut node/wire0", "kill heal node/wire0"),
        (faults.CARRIER_LOSS, "('up', False)", "('up', True)"),
        (faults.SERVICE_STOP, "service openvpnas stop", "service openvpnas start"),
        (faults.KILL_UCARP, "pkill -KILL -x 'ucarp|keepalived'", ""),
        (faults.KILL_OPENVPN, "pkill -KILL -x 'openvpn'", ""),
        (faults.GUEST_CRASH, "echo c > /proc/sysrq-trigger", "kill"),
    ],
    ids=str,
)
def test_a_fault_moves_its_own_switch_and_moves_it_back(
    fault: Fault, struck: str, undone: str
) -> None:
    lab = RecordingLab()
    fault.strike(cast(Any, lab), "node")
    assert struck in " ".join(lab.moved)
    lab.moved.clear()
    fault.undo(cast(Any, lab), "node")
    assert undone in " ".join(lab.moved)


def test_log_lines_are_dated_to_the_middle_of_their_second() -> None:
    text = (
        '2022-04-29T10:51:22+0530 [stdout#info] [FAILOVER] OUT: "Switching to state: MASTER"\nx\n'
    )
    ((at_ns, line),) = observe.dated(text)
    assert (at_ns, line) == (1651209682 * 10**9 + 5 * 10**8, "Switching to state: MASTER")


def test_a_guests_log_lines_are_dated_by_the_wire(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thawed lab is behind: what its guests date is brought to this host's time."""
    now_ns = time.time_ns()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(now_ns / NS - 4150))
    secondary = stage.lab["secondary"]
    secondary.script = {"openvpnas.log": f'{stamp} [stdout#info] [FAILOVER] OUT: "line"'}
    monkeypatch.setattr(secondary, "clock", lambda: ClockOffset(4150 * NS, NS // 10))
    observe.log_lines(stage.pair, "secondary", now_ns)
    (line,) = read_history(stage.history.path).events("log.line")
    assert abs(line.at_ns - now_ns) <= line.uncertainty_ns + NS // 10
    assert line.uncertainty_ns == NS // 2 + NS // 10


def test_the_subscription_is_a_python_value_not_json() -> None:
    assert observe.python_value("{'name': 'LAB-1', 'error': None}\n")["error"] is None


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


def test_validates_answer_becomes_rows(stage: Stage) -> None:
    rows = [
        {"name": validation.TO_SECONDARY, "status": "GOOD", "detail": ""},
        {"name": validation.TO_PRIMARY, "status": "UNKNOWN", "detail": ""},
    ]
    answer = {"good": False, "rows": rows, "problems": []}
    stage.lab["primary"].script = {"FailoverValidate": json.dumps(answer)}
    validation.validate(stage.pair, "no-rsync", (validation.TO_PRIMARY,))
    event = read_history(stage.history.path).events("validate.rows")[-1]
    assert [row["good"] for row in event["rows"]] == [True, False]


@pytest.mark.parametrize(
    ("broken", "node"), [("no-rsync", "secondary"), ("no-rsync-on-primary", "primary")]
)
def test_rsync_is_taken_from_the_node_that_is_named_and_given_back(
    stage: Stage, broken: str, node: str
) -> None:
    machines = stage.lab.machines
    for machine in machines.values():
        machine.script = {"command -v rsync": "/usr/bin/rsync\n", "FailoverValidate": '{"rows":[]}'}
    validation.validate_with(stage.pair, broken)
    moved = [
        (name, command)
        for name, machine in machines.items()
        for command in machine.asked
        if command.startswith("mv ")
    ]
    assert moved == [
        (node, "mv /usr/bin/rsync /usr/bin/rsync.away"),
        (node, "mv /usr/bin/rsync.away /usr/bin/rsync"),
    ]


def test_what_is_broken_before_a_validate_turns_each_row_bad_once() -> None:
    assert validation.PREREQUISITES.keys() >= setup.PREREQUISITES
    expected = {row for _, rows in validation.PREREQUISITES.values() for row in rows}
    assert expected == {*validation.ALL_OF_PARTNER, validation.ON_PRIMARY}


def test_a_port_is_blocked_on_the_wire_only_as_long_as_it_should_be(stage: Stage) -> None:
    with validation.port_blocked(stage.pair):
        assert len(stage.lab.wire.rules()) == 1
    assert stage.lab.wire.rules() == []


def test_log_in_checks_are_counted_for_one_client_since_a_moment(stage: Stage) -> None:
    line = '{} [stdout#info] [AUTH] OUT: "auth-user-pass-verify user={!r} cn={!r} accepted: x"'
    lines = [
        line.format("2000-01-01T00:00:00+0000", "alice", "alice"),
        line.format("2099-01-01T00:00:00+0000", "", "robot_AUTOLOGIN"),
        line.format("2099-01-01T00:00:00+0000", "alice", "alice"),
    ]
    said = {"node.log": "\n".join(lines)}
    stage.lab["secondary"].script = said
    robot = tunnels.Traveller("robot", "udp", 0, autologin=True)
    alice = tunnels.Traveller("alice", "udp", 1)
    since = 10**18
    assert tunnels.verify_calls(stage.pair, "secondary", robot, since) == [""]
    assert tunnels.verify_calls(stage.pair, "secondary", alice, since) == ["alice"]


def test_every_requirement_of_the_guide_has_a_scenario() -> None:
    sources = Path(takeover.__file__).parent.glob("test_*.py")
    text = "\n".join(path.read_text() for path in sources)
    judged = {name for name in checks() if name.startswith("FO-")}
    assert {name for name in judged if f'"{name}"' in text} == judged
    assert len(judged) == 49


def test_a_profile_without_tls_crypt_key_is_refused() -> None:
    with pytest.raises(ValueError, match="0 octets"):
        tls_crypt_key("client\nremote x 1194 udp\n")


@pytest.mark.skipif(shutil.which("openvpn") is None, reason="openvpn is not installed")
def test_a_genuine_server_answers_the_greeting_and_no_other(tmp_path: Path) -> None:
    from tests.scenarios.openvpn_server import answered, server

    with server(tmp_path) as (port, key_file):
        key = tls_crypt_key(f"<tls-crypt>\n{key_file}</tls-crypt>\n")
        assert answered(port, hard_reset(key))
        assert not answered(port, hard_reset(bytes(256)))
