"""Mutants of deployments: which there are, that each can be applied, and how a run of them ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.engine.mutants import objection
from checks.engine.registry import checks
from checks.engine.requirements import catalogue
from checks.engine.verdict import Status, Verdict
from lab.errors import ConformanceFailure, LabError
from provision.failover import access_server
from scenarios.again import HostTooBusy
from scenarios.mutants import failover_sessions, failover_takeovers
from scenarios.mutants.access_server import LIBRARY, Patched
from scenarios.mutants.mutant import Mutant
from scenarios.mutants.plugin import NONE, every, hold
from tests.scenarios.pretended import PROJECT, pretend
from tests.score.healthy import healthy

EVERY = [mutant for mutants in every().values() for mutant in mutants]
DROP_IN = PROJECT / "provision" / "reference" / access_server.ARCHIVE / "openvpnas"
FILE = "scenarios/multi_node/test_controller.py"


def test_each_requirement_of_a_guide_that_is_shown_has_a_mutant_or_a_reason() -> None:
    shown = {name for name in checks() if not name.startswith("LAB")}
    assert {mutant.requirement for mutant in EVERY} | NONE.keys() >= shown


def test_no_requirement_has_both_a_mutant_and_a_reason_for_none() -> None:
    assert not {mutant.requirement for mutant in EVERY} & NONE.keys()


def test_no_two_mutants_have_one_name() -> None:
    names = [mutant.name for mutant in EVERY]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_the_scenario_of_a_mutant_is_there_and_judges_what_it_breaks(mutant: Mutant) -> None:
    guide = catalogue().get(mutant.requirement).guide.replace("-", "_")
    path, name = mutant.scenario.split("::")
    text = (PROJECT / "scenarios" / guide / path).read_text()
    before, found, after = text.partition(f"def {name}(")
    assert found
    marks = before[before.rindex("\n\n\n") :]
    body = after.partition("\n\n\n")[0]
    for requirement in (mutant.requirement, *mutant.depends):
        assert f'"{requirement}"' in marks
        assert f'"{requirement}"' in body or "judge_each()" in body


@pytest.mark.parametrize(
    "patched",
    [
        *(mutant.apply for mutant in EVERY if isinstance(mutant.apply, Patched)),
        failover_sessions._LOADS_OLD,
        failover_takeovers._STATE_MASTER,
    ],
    ids=lambda patched: f"{patched.module}: {patched.old.strip()}",
)
def test_what_is_patched_stands_in_the_drop_in_once(patched: Patched) -> None:
    assert LIBRARY.endswith(DROP_IN.name)
    text = (DROP_IN / patched.module).read_text()
    assert text.count(patched.old) == 1
    compile(text.replace(patched.old, patched.new), patched.module, "exec")


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: mutant.name)
def test_no_good_run_says_what_a_mutant_is_to_be_killed_for(mutant: Mutant, tmp_path: Path) -> None:
    """A verdict tells figures, too: words that stand in those name no reason."""
    good = healthy(mutant.requirement).recording.judge(mutant.requirement, tmp_path)
    assert good.status is Status.PASS
    told = Verdict(Status.FAIL, (*good.reasons, "something else is wrong"))
    assert "for another reason than" in objection(mutant.event, mutant.requirement, told)


REASONS = {
    "MN-13": "node-b: node-b-0.conf: management is '145.0.6.73 11942', not '127.0.0.1 11942'",
    "FO-25": "power-off of primary: tcp 443 answering on the virtual IP never came in 28.7 s,"
    " budget 0.00 to 10.00 s (the guide's 5 to 10 seconds; FO-25)",
    "FO-36": "alice-udp was not connected again",
    "FO-38": "robot-udp was not connected again",
    "FO-39": "power-off of primary: the tunnel of alice-udp carrying traffic again took 303.516 s,"
    " budget 0.00 to 75.00 s (about a minute; FO-39)",
    "FO-46": "no sync for 93 s, its period is 20 s and 15 s are for its transfers",
    "FO-49": "power-off of primary: the tunnel of robot-udp carrying traffic again never came in"
    " 1221.3 s, budget 0.00 to 75.00 s (about a minute; FO-39)",
}
OTHER_REASONS = {
    "FO-25": "power-off of primary: 0.443 s of two masters",
    "FO-36": "alice-udp was not seen to be served by secondary",
    "FO-38": "robot-udp sent a user name, not only its certificate",
    "FO-39": "alice-udp (udp): back after 303.5 s",
    "MN-13": "node-b: no openvpn listens on tcp 127.0.0.1:11943: has a management port each",
    "FO-46": "8 write(s) lost that the last sync contained, first: [37, 38, 39]",
    "FO-49": "alice-udp (udp): back after 60.5 s",
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_that_is_named_kills_a_mutant(name: str) -> None:
    (mutant,) = [one for one in EVERY if one.name == name]
    seen = Verdict(Status.FAIL, (REASONS[name],))
    assert objection(mutant.event, mutant.requirement, seen) == ""


@pytest.mark.parametrize("name", OTHER_REASONS)
def test_another_reason_of_the_same_requirement_kills_no_mutant(name: str) -> None:
    (mutant,) = [one for one in EVERY if one.name == name]
    other = Verdict(Status.FAIL, (OTHER_REASONS[name],))
    assert "for another reason than" in objection(mutant.event, mutant.requirement, other)


def came_of(status: Status, reason: str = "", *, late: bool = False) -> Verdict:
    return Verdict(status, (reason,), owed=1, late=late)


@pytest.mark.parametrize(
    ("verdict", "raised"),
    [
        (came_of(Status.UNKNOWN, "nobody knows"), LabError),
        (came_of(Status.UNKNOWN, "but `primary` was late", late=True), HostTooBusy),
        (came_of(Status.FAIL, "by chance"), ConformanceFailure),
    ],
    ids=["unknown", "late", "another reason"],
)
def test_a_mutant_that_is_not_killed_goes_again_only_where_the_host_was_too_busy(
    verdict: Verdict, raised: type[Exception]
) -> None:
    (mutant,) = [one for one in EVERY if one.name == "FO-28"]
    killed = came_of(Status.FAIL, "primary sent 60 advertisement(s) on its return")
    assert hold(mutant, "FO-28", killed) is killed
    with pytest.raises(raised, match="FO-28 is not killed") as caught:
        hold(mutant, "FO-28", verdict)
    assert isinstance(caught.value, HostTooBusy) is verdict.late


def test_a_run_of_mutants_has_an_item_a_mutant_and_says_what_it_was(tmp_path: Path) -> None:
    run = pretend(tmp_path, "-n", "0", "--mutants", FILE)
    assert [name.partition("[")[2] for name in run.begun] == [
        "MN-04]", "MN-05]", "MN-07]", "MN-08]", "MN-09]", "MN-09-as-printed]",
    ]  # fmt: skip
    assert json.loads((run.evidence / "kills.json").read_text()) == []


def test_a_usual_run_has_no_mutants(tmp_path: Path) -> None:
    run = pretend(tmp_path, "-n", "0", FILE)
    assert not [name for name in run.begun if "[" in name]
    assert not (run.evidence / "kills.json").exists()


def test_what_is_repeated_or_long_is_one_item_in_a_run_of_mutants(tmp_path: Path) -> None:
    run = pretend(tmp_path, "-n", "0", "--mutants", "scenarios/failover/test_returning.py")
    of_file = [one.name for one in EVERY if one.scenario.startswith("test_returning.py")]
    assert sorted(name.partition("[")[2][:-1] for name in run.begun) == sorted(of_file)
    (tmp_path / "other").mkdir()
    run = pretend(tmp_path / "other", "-n", "0", "--mutants", "-k", "FO-27", "scenarios/failover")
    assert run.begun[-1].endswith("::test_a_clean_stop_hands_over_and_drops_the_virtual_ip[FO-27]")


def test_mutants_of_another_heartbeat_are_refused(tmp_path: Path) -> None:
    run = pretend(tmp_path, "-n", "0", "--mutants", "--heartbeat=keepalived", FILE)
    assert "they break the guide's own heartbeat, ucarp" in run.said
    assert run.begun == []
