"""Maintenance as scenarios act it out, on machines that do what their scripts would."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.engine.judging import judge_now
from checks.engine.verdict import Status
from checks.multi_node.applying import APPLY
from checks.multi_node.deployment import Deployment
from checks.multi_node.steps import ORDER
from evidence.events.maintenance import (
    ConnectionsLogged,
    MaintenancePlanned,
    PowerSwitched,
    ScriptRun,
    ServerFilesWritten,
    UnitChanged,
)
from evidence.events.run import ScenarioStarted
from evidence.history import History, read_history
from lab.clock import NS, ClockOffset
from lab.errors import MachineError
from lab.topology import read_topology
from scenarios.multi_node import maintenance, test_maintenance, test_outages
from scenarios.multi_node.clients import ways
from scenarios.multi_node.planned import planned
from tests.captures import capture
from tests.checks import factories

BEHIND_NS = 4150 * NS
STARTED, FAILED, STOPPED = (
    "39f53479d3a045ac8e11786248231fbf",
    "be02cf6855d2428ba40df7e9d022f03d",
    "9d1aaa27d60140bd96365438aad20286",
)


@dataclass
class Machine:
    """A node or the controller; its clock is far behind, and its journal tells what it did."""

    name: str
    site: Deployment
    running: bool = True
    asked: list[str] = field(default_factory=list)
    entries: list[dict[str, str]] = field(default_factory=list)
    written_ns: int = 1
    on: bool = True

    def clock(self) -> ClockOffset:
        return ClockOffset(BEHIND_NS, 0)

    def run(self, command: str, **_: object) -> Any:
        self.asked.append(command)
        status, said = self.answer(command)
        return SimpleNamespace(status=status, stdout=said, stderr="", output=said)

    def answer(self, command: str) -> tuple[int, str]:
        match command.rsplit("/", 1)[-1]:
            case "stop_node.sh":
                self.change(running=False)
            case "start_node.sh":
                self.change(running=True)
            case "update_node.sh":
                self.written_ns = time.time_ns() - BEHIND_NS
            case "update_controller.sh":
                self.note("apache2.service", STOPPED)
                self.note("apache2.service", STARTED)
            case "apply_changes.sh":
                return self.apply()
            case _:
                return 0, self.tell(command)
        return 0, "done"

    def apply(self) -> tuple[int, str]:
        return (0, "") if self.on else (1, "ERROR: failure performing the HTTP request")

    def change(self, *, running: bool) -> None:
        if running != self.running:
            for number in (0, 1):
                unit = f"openvpn-server@{self.name}-{number}.service"
                self.note(unit, STARTED if running else STOPPED)
        self.running = running

    def note(self, unit: str, what: str) -> None:
        dated_us = str((time.time_ns() - BEHIND_NS) // 1000)
        self.entries.append(
            {"UNIT": unit, "MESSAGE_ID": what, "__REALTIME_TIMESTAMP": dated_us, "_PID": "1"}
        )

    def tell(self, command: str) -> str:
        if command.startswith("journalctl"):
            return "".join(json.dumps(one) + "\n" for one in self.entries)
        if command.startswith("stat"):
            at = f"{self.written_ns // NS}.{self.written_ns % NS:09}"
            return "".join(f"{at} /etc/openvpn/server/{self.name}-{n}.conf\n" for n in (0, 1))
        if "connection_log" in command:
            return "[]"
        return ""

    def kill(self) -> None:
        for one in self.site.nodes:
            LABS[-1].machines[one].on = False


class Lab:
    """The guide's machines."""

    def __init__(self) -> None:
        self.topology = read_topology("multi_node")
        self.site = Deployment(planned(self.topology))
        self.machines = {name: Machine(name, self.site) for name in self.site.hosts}
        LABS.append(self)

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]


LABS: list[Lab] = []


@dataclass
class Stage:
    """Where a scenario is played."""

    directory: Path
    history: History
    lab: Lab

    def judge(self, requirement: str) -> None:
        self.verdict = judge_now(self.directory, self.history, requirement)

    def recorded(self, kind: type[Any]) -> list[Any]:
        return [one for one in read_history(self.history.path) if isinstance(one, kind)]


@pytest.fixture
def stage(tmp_path: Path):
    lab = Lab()
    with History(tmp_path / "history.jsonl", "it") as history:
        history.record(ScenarioStarted(source="pytest", lab="lab"))
        history.record(planned(lab.topology))
        yield Stage(tmp_path, history, lab)
    LABS.clear()


@pytest.mark.parametrize("order", test_maintenance.WRONG_ORDERS, ids=" ".join)
def test_a_wrong_order_is_acted_out_and_named(order: Any, stage: Stage) -> None:
    test_maintenance.test_another_order_is_named_wrong(
        order, cast(Any, stage.lab), stage.lab.site, stage.history, stage.judge
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text
    (plan,) = stage.recorded(MaintenancePlanned)
    assert plan.order == order


def follow(stage: Stage, order: Any = ORDER) -> None:
    made = maintenance.Maintenance(cast(Any, stage.lab), stage.lab.site, stage.history)
    made.follow(order)
    made.read_journals()


def test_the_guides_order_is_acted_out_as_it_stands(stage: Stage) -> None:
    follow(stage)
    runs = [(one.script, one.source) for one in stage.recorded(ScriptRun)]
    assert [script for script, _ in runs] == [
        *["stop_node.sh"] * 2,
        "update_controller.sh",
        *["update_node.sh"] * 2,
        *["start_node.sh"] * 2,
    ]
    assert {source for script, source in runs if script == "update_controller.sh"} == {"controller"}
    typed = stage.lab["node-a"].asked
    assert "cd /root\ndocumentation-2/multi_node/stop_node.sh" in typed
    stage.judge("MN-26")
    assert "no order but the guide's was tried" in stage.verdict.text


def test_the_log_is_read_before_the_controller_is_updated(stage: Stage) -> None:
    follow(stage)
    (log,) = stage.recorded(ConnectionsLogged)
    (update,) = [one for one in stage.recorded(ScriptRun) if one.source == "controller"]
    assert log.at_ns + log.uncertainty_ns <= update.began_ns


def test_what_machines_date_is_brought_to_the_wires_clock(stage: Stage) -> None:
    before_ns = time.time_ns()
    follow(stage)
    now_ns = time.time_ns()
    dated = [one.at_ns for one in stage.recorded(UnitChanged)]
    for event in stage.recorded(ServerFilesWritten):
        dated += [file.written_ns for file in event.files]
    assert len(dated) > 10
    assert all(before_ns - NS <= at_ns <= now_ns for at_ns in dated)


def test_a_change_from_before_is_not_read() -> None:
    entry = {
        "UNIT": "apache2.service",
        "MESSAGE_ID": FAILED,
        "_SOURCE_REALTIME_TIMESTAMP": "5000000",
    }
    said = json.dumps({**entry, "__REALTIME_TIMESTAMP": "9000000"})
    offset = ClockOffset(10 * NS, 7)
    other = json.dumps({**entry, "UNIT": "cron.service", "__REALTIME_TIMESTAMP": "9000000"})
    (seen,) = maintenance.read_journal("node-a", f"{other}\n{said}\n", offset, 14 * NS)
    assert (seen.at_ns, seen.uncertainty_ns, seen.change) == (15 * NS, 7, "failed")
    assert not list(maintenance.read_journal("node-a", said, offset, 15 * NS))


def test_a_journal_that_is_none_is_an_error_that_names_the_machine(stage: Stage) -> None:
    node = stage.lab["node-b"]
    node.entries.append({"MESSAGE_ID": STOPPED})
    with pytest.raises(MachineError, match="node-b: its journal cannot be read"):
        maintenance.journal(stage.history, cast(Any, node), 0)


def test_rows_of_the_log_are_read_as_the_database_has_them(stage: Stage) -> None:
    row = {
        "profile_id": "node-a",
        "ip4": "10.1.0.2",
        "connected_at": "2020-04-10T18:31:00+00:00",
        "disconnected_at": None,
        "bytes_transferred": None,
        "lost": "0",
    }
    closed = {**row, "disconnected_at": "2020-04-10T18:32:00+00:00", "bytes_transferred": "4711"}
    said = SimpleNamespace(stdout=json.dumps([row, closed]))
    controller = SimpleNamespace(name="controller", run=lambda *_, **__: said)
    maintenance.connections(stage.history, cast(Any, controller))
    (log,) = stage.recorded(ConnectionsLogged)
    assert [one.bytes_transferred for one in log.rows] == [None, 4711]
    assert not log.rows[1].lost


def test_two_users_a_node_cover_protocols_and_families(stage: Stage) -> None:
    site = stage.lab.site
    each = ways(site, "udp", "tcp").values()
    used = [way for way in each if test_maintenance._is_used(way, site)]
    assert {way.name for way in used} == {
        "node-a-udp4",
        "node-a-tcp6",
        "node-b-udp6",
        "node-b-tcp4",
    }


def test_apply_changes_is_run_twice_and_then_without_the_controller(stage: Stage) -> None:
    site = stage.lab.site

    def state(history: History, node: Machine) -> None:
        made = factories.server_state(node.name, site)
        event = {"kind": "server.state", "source": node.name, **made}
        history.record(factories.read_event(event))

    def judge(requirement: str) -> None:
        (off,) = stage.recorded(PowerSwitched)
        spoke = factories.udp(
            (site.address("controller", 4), 50), (site.address("services", 4), 53), b"q"
        )
        started_ns = stage.recorded(ScenarioStarted)[0].at_ns
        frame = factories.sent(spoke, site=site)
        (stage.directory / "wire").mkdir()
        content = capture(
            [frame.__class__(off.at_ns - off.uncertainty_ns - 1, frame.interface, frame.data)],
            started_ns - NS,
            time.time_ns() + 60 * NS,
        )
        (stage.directory / "wire" / "lab.pcapng").write_bytes(content)
        stage.judge(requirement)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(test_outages.observe, "server_state", state)
        test_outages.test_apply_changes_twice_changes_nothing_and_fails_without_the_controller(
            cast(Any, stage.lab), site, stage.history, judge
        )
    assert stage.verdict.status is Status.PASS, stage.verdict.text
    runs = [one for one in stage.recorded(ScriptRun) if one.source == "node-a"]
    assert [(one.script, one.status) for one in runs] == [(APPLY, 0), (APPLY, 0), (APPLY, 1)]
    assert runs[0].typed == "cd /root\ndocumentation-2/apply_changes.sh"
