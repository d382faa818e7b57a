"""Mutants that do what their column says: how each is applied, and what its check makes of it.

The evidence is made up, as the scenario on such a deployment would record it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from checks.engine.mutants import objection
from checks.engine.verdict import Verdict
from checks.multi_node.steps import START, STOP, UPDATE_CONTROLLER, UPDATE_NODE
from evidence.events.pair import SteadyBegan
from lab.lab import Lab
from provision.multi_node.controller import CA
from scenarios.failover import test_logs_and_sync, test_sessions, test_troubleshooting
from scenarios.failover.pair import Pair
from scenarios.multi_node import test_maintenance
from scenarios.mutants import failover_sessions, failover_takeovers
from scenarios.mutants.mutant import Broken, Mutant
from scenarios.mutants.plugin import every
from tests.checks.factories import Run as OfNodes
from tests.checks.failover.parted import split
from tests.checks.failover.recording import Run
from tests.checks.failover.test_keepalived import keepalived
from tests.checks.failover.test_returning import failback, loop
from tests.checks.failover.test_syncing import synced
from tests.checks.failover.test_tokens import resumed
from tests.checks.failover.test_validating import STATE, validated
from tests.checks.multi_node.installed_runs import run_mn_09
from tests.checks.multi_node.maintained import applied, maintenance
from tests.checks.multi_node.runs import WRONG, run_mn_23
from tests.checks.multi_node.test_sorting import ALL_AT_A, answered
from tests.scenarios.failover_stage import Stage

BY_NAME = {mutant.name: mutant for mutants in every().values() for mutant in mutants}


def not_split(directory: Path) -> Run:
    run = split(directory, "source-mac", hits=1)
    run.frames.clear()
    run.beats("primary", 0, 60)
    return run


def ucarp_started(directory: Path) -> Run:
    run = validated(directory)
    before = {**STATE, "secondary: programs": "ucarp"}
    run.changed("validate.began", state=before)
    run.changed("validate.ended", state={**before, "secondary: programs": "ucarp\nucarp"})
    run.beats("secondary", 9.5, 60, counter=7000)
    return run


def preempted(directory: Path) -> Run:
    """Let the node that reboots be active while it is up, and the other one while it is not."""
    run = loop(directory)
    run.frames.clear()
    run.beats("secondary", 0.2, 12)
    for cycle in range(8):
        up = 12 + 10 * cycle
        run.beats("primary", up, up + 6, counter=9000 + 10 * cycle)
        run.beats("secondary", up + 9.5, up + 10, counter=2000 + cycle)
    run.beats("secondary", 92, 100, counter=5000)
    return run


def not_given_back(directory: Path) -> Run:
    run = failback(directory)
    run.frames.clear()
    run.beats("secondary", 0, 10.2)
    run.beats("secondary", 17.1, 40, counter=5000)
    return run


def changed(run: Run, kind: str, only: dict[str, object], **data: object) -> Run:
    """Overwrite data of those events of a kind that hold others."""
    found = [one for one in run.events if one[1] == kind and only.items() <= one[3].items()]
    assert found
    for event in found:
        event[3].update(data)
    return run


def revoked(directory: Path) -> Run:
    of_robot: dict[str, object] = {"method": "certificate"}
    robot = {"client": "robot-udp", "connected": False}
    return changed(resumed(directory), "session.resumed", of_robot, **robot)


def loaded(directory: Path, *items: str) -> Run:
    run = synced(directory)
    for item in items:
        changed(run, "running.compared", {"item": item}, running="a")
    return run


def judged(run: Run, requirement: str) -> Verdict:
    return run.judge(requirement)


def with_mode_as_printed() -> OfNodes:
    run = run_mn_09()
    for file in run.find("credentials.shown", "controller")["files"]:
        if file["path"].startswith(CA):
            file["mode"] = "640"
    return run


def applied_where_it_was_deployed() -> OfNodes:
    """As the shell says it, which finds no documentation-2 in itself."""
    run = applied()
    for typed in run.all("script.run"):
        typed.update(status=127, output="sh: documentation-2/apply_changes.sh: not found")
    return run


KILLED: dict[str, Callable[[Path], Verdict]] = {
    "FO-44": lambda at: judged(not_split(at), "FO-44"),
    "FO-09": lambda at: judged(ucarp_started(at), "FO-09"),
    "FO-29": lambda at: judged(preempted(at), "FO-29"),
    "FO-30": lambda at: judged(not_given_back(at), "FO-30"),
    "FO-33": lambda at: judged(loaded(at, "users", "revocations", "configuration"), "FO-33"),
    "FO-33-added": lambda at: judged(loaded(at, "users"), "FO-33"),
    "FO-34": lambda at: judged(
        changed(synced(at), "staged.compared", {"target": "primary"}, staged="a", seconds=60),
        "FO-34",
    ),
    "FO-38": lambda at: judged(revoked(at), "FO-38"),
    "FO-47": lambda at: judged(keepalived(at, preempting=True), "FO-47"),
    "MN-23-sorts": lambda at: answered(run_mn_23(*ALL_AT_A)).judge("MN-23", at),
    "MN-09-as-printed": lambda at: with_mode_as_printed().judge("MN-09", at),
    "MN-14-as-printed": lambda at: applied_where_it_was_deployed().judge("MN-14", at),
    "MN-25": lambda at: maintenance(WRONG).judge("MN-25", at),
}


@pytest.mark.parametrize("name", KILLED)
def test_what_such_a_deployment_leaves_behind_kills_the_mutant(name: str, tmp_path: Path) -> None:
    mutant = BY_NAME[name]
    assert objection(mutant.event, mutant.requirement, KILLED[name](tmp_path)) == ""


def test_a_user_that_is_added_is_no_old_snapshot(tmp_path: Path) -> None:
    verdict = loaded(tmp_path, "users").judge("FO-33")
    assert "for another reason than" in objection(BY_NAME["FO-33"].event, "FO-33", verdict)


def test_the_other_requirement_of_a_filter_that_splits_nothing_is_not_fail(tmp_path: Path) -> None:
    verdict = not_split(tmp_path).judge("FO-43")
    assert objection(BY_NAME["FO-44"].event, "FO-43", verdict) == ""


def test_the_controller_is_updated_first_in_the_order_that_is_judged() -> None:
    assert WRONG == (UPDATE_CONTROLLER, STOP, UPDATE_NODE, START)
    with ExitStack() as undone:
        BY_NAME["MN-25"].apply(cast(Broken, Standing(undone)))
        assert test_maintenance.ORDER == WRONG
    assert test_maintenance.ORDER[0] == STOP


class Standing(Broken):
    """A deployment of which nothing but a scenario's module is changed."""

    def __init__(self, undone: ExitStack, **told: Any) -> None:
        self.undone = undone
        self.lab = told.get("lab")  # type: ignore[assignment]
        self._pair = told.get("pair")


@pytest.mark.parametrize(
    ("name", "module", "called"),
    [
        ("FO-34", test_logs_and_sync, "follow_a_change"),
        ("FO-38", test_sessions, "provoke"),
        ("FO-42", test_troubleshooting, "vrrp_filtered"),
    ],
)
def test_what_stands_in_for_a_part_of_a_scenario_is_gone_with_the_mutant(
    name: str, module: ModuleType, called: str
) -> None:
    genuine = getattr(module, called)
    pair = SimpleNamespace(active=lambda: "primary", other=lambda _: "secondary")
    with ExitStack() as undone:
        BY_NAME[name].apply(Standing(undone, pair=pair))
        assert getattr(module, called) is not genuine
    assert getattr(module, called) is genuine


def test_a_certificate_is_revoked_and_synced_before_the_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []
    monkeypatch.setattr(failover_sessions, "provoke", lambda *_: told.append("fault"))
    pair = SimpleNamespace(
        active=lambda: "primary", sacli=lambda node, *words, **_: told.append((node, *words))
    )
    with ExitStack() as undone:
        BY_NAME["FO-38"].apply(Standing(undone, pair=pair))
        test_sessions.provoke(pair, None, None, None)  # type: ignore[attr-defined]
    assert told == [
        ("primary", "--user", "robot", "RevokeUser"), ("primary", "FailoverSync"), "fault",
    ]  # fmt: skip


def test_keys_are_one_way_when_the_change_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(failover_sessions, "one_way_key", lambda _: told.append("key"))
    monkeypatch.setattr(test_logs_and_sync, "follow_a_change", lambda _pair, _: told.append("it"))
    with ExitStack() as undone:
        BY_NAME["FO-34"].apply(Standing(undone))
        test_logs_and_sync.follow_a_change(cast(Pair, None), "secondary")
    assert told == ["key", "it"]


@pytest.fixture
def filtered(stage: Stage) -> Stage:
    """Let the secondary send what it is told to."""
    secondary = stage.lab.nodes["secondary"]

    def send(command: str) -> str:
        found = re.search(r"fromhex\('([0-9a-f]+)'\) \+ bytes\((\d+)\)", command)
        assert found
        secondary.nic.send(bytes.fromhex(found[1]) + bytes(int(found[2])))
        return ""

    machine = stage.lab.machines["secondary"]
    machine.script = {"AF_PACKET": send, **machine.script}
    return stage


def test_a_filter_that_allows_the_virtual_mac_hits_something_and_splits_nothing(
    filtered: Stage,
) -> None:
    said: dict[str, Verdict] = {}

    def judge_each(*requirements: str) -> None:
        said.update({requirement: filtered.judge(requirement) for requirement in requirements})

    mutant: Mutant = BY_NAME["FO-44"]
    with ExitStack() as undone:
        broken = Broken(cast(Lab, filtered.lab), filtered.history, filtered.pair, undone)
        undone.callback(broken.end)
        mutant.apply(broken)
        test_troubleshooting.test_a_filter_of_source_macs_breaks_the_pair_until_spoofing_is_allowed(
            filtered.pair, judge_each
        )
    for requirement, verdict in said.items():
        assert objection(mutant.event, requirement, verdict) == ""


def test_state_master_is_written_once_the_pair_is_steady(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(failover_takeovers, "_STATE_MASTER", lambda _: done.append("written"))
    monkeypatch.setattr(stage.pair, "make_active", lambda node: done.append(f"{node} active"))
    with ExitStack() as undone:
        broken = Broken(cast(Lab, stage.lab), stage.history, stage.pair, undone)
        BY_NAME["FO-47"].apply(broken)
        assert done == ["secondary active"]
        stage.history.record(SteadyBegan(source="scenario", active="secondary"))
        broken._later[0].result(30)
        broken.end()
    assert done == ["secondary active", "written"]
    assert stage.lab.machines["primary"].asked[-1] == "sync"
