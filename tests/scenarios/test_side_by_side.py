"""How many labs run side by side, and what becomes of a run on several workers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.engine.verdict import Status
from checks.engine.verdicts import read_verdicts
from lab.topology import Topology, read_topology
from provision.deploy import Deployer, guide_named
from scenarios.arguments import SCENARIOS, ask_for_scenarios, at_most, guides_of
from scenarios.side_by_side import SideBySide, in_chosen_topology, side_by_side, topologies
from tests.scenarios.pretended import PROJECT, Pretended, pretend

FAILOVER = "scenarios/failover"
POWER_OFF = f"{FAILOVER}/test_takeover.py::test_a_power_failure_makes_the_standby_active"
CLEAN_STOP = f"{FAILOVER}/test_takeover.py::test_a_clean_stop_hands_over_and_drops_the_virtual_ip"
ONE = f"{FAILOVER}/test_survival.py::test_what_the_last_sync_held_survives_and_the_rest_is_counted"
CASES = f"{FAILOVER}/test_keepalived.py::test_keepalived_keeps_what_the_guide_promises"
GUIDES = ("multi_node", "failover")


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)


def labs(free: float, *, cores: int = 2, **more: int) -> SideBySide:
    """Choose, with memory for so many of the larger lab."""
    topologies: list[Topology] = [read_topology(guide) for guide in GUIDES]
    need = max(one.memory_mib for one in topologies)
    return SideBySide.chosen(topologies, cores, int(free * need), **more)


@pytest.mark.parametrize(
    ("free", "cores", "count", "ahead"),
    [
        (10, 2, 2, True),
        (10, 8, 8, False),
        (4, 2, 2, True),
        (3.9, 2, 2, False),
        (1.9, 2, 1, False),
        (2, 1, 1, True),
        (0.5, 4, 1, False),
    ],
)
def test_labs_are_as_many_as_cores_and_memory_allow(
    free: float, cores: int, count: int, ahead: bool
) -> None:
    chosen = labs(free, cores=cores)
    assert (chosen.labs, chosen.ahead) == (count, ahead)


def test_there_are_no_more_labs_than_scenarios() -> None:
    assert labs(10, cores=8, scenarios=3).labs == 3


def test_a_number_that_was_given_holds_and_what_is_left_decides_about_more() -> None:
    assert (labs(4, labs=4).labs, labs(4, labs=4).ahead) == (4, False)
    assert labs(4, labs=1).ahead


def test_a_lab_is_counted_with_what_qemu_takes_for_translated_code() -> None:
    chosen = labs(1)
    largest = read_topology("multi_node")
    assert chosen.lab_mib >= sum(machine.memory_mib + 256 for machine in largest.machines)
    assert f"2 cores, {chosen.free_mib} MiB free, a lab needs {chosen.lab_mib} MiB" in str(chosen)


@pytest.mark.parametrize(
    ("argument", "yes"),
    [
        ("scenarios", True),
        ("scenarios/", True),
        (str(SCENARIOS), True),
        (POWER_OFF, True),
        ("tests/scenarios", False),
        ("tests/scenarios/test_labs.py::test_x", False),
        ("tests", False),
    ],
)
def test_tests_of_scenarios_are_no_scenarios(argument: str, yes: bool) -> None:
    assert ask_for_scenarios([argument]) is yes


@pytest.mark.parametrize(
    ("arguments", "guides"),
    [
        (["scenarios/"], ["multi_node", "failover"]),
        ([POWER_OFF], ["failover"]),
        ([FAILOVER, "scenarios/multi_node"], ["multi_node", "failover"]),
        (["tests"], []),
    ],
)
def test_only_guides_that_are_asked_for_need_memory(
    arguments: list[str], guides: list[str]
) -> None:
    assert guides_of(arguments, GUIDES) == guides


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ([ONE], 1),
        ([ONE, f"{POWER_OFF}[2/3]"], 2),
        ([POWER_OFF], 3),
        ([CASES], None),
        ([ONE, FAILOVER], None),
        ([f"{FAILOVER}/test_no_such_file.py::test_x"], None),
        ([f"{ONE}_not"], None),
    ],
)
def test_scenarios_are_counted_where_that_takes_no_collecting(
    arguments: list[str], count: int | None
) -> None:
    assert at_most(arguments, full=False) == count


def test_a_sign_off_run_counts_20_repetitions() -> None:
    assert at_most([POWER_OFF], full=True) == 20


#: Two cores and memory for so many labs, whatever this machine has.
HOST = """
import os, lab.topology
lab.topology.free_memory_mib = lambda: {free}
os.sched_getaffinity = lambda _: {{0, 1}}
"""


def on_two_cores(place: Path, *arguments: str, free: int = 30_000, **more: str) -> Pretended:
    (place / "pretended_host.py").write_text(HOST.format(free=free))
    return pretend(place, "-p", "pretended_host", *arguments, **more)


def test_without_a_number_workers_are_as_many_as_labs_and_share_all_scenarios(
    tmp_path: Path,
) -> None:
    run = on_two_cores(tmp_path, "scenarios/")
    assert "labs: 2 side by side, each with the next one thawed ahead (2 cores" in run.said
    assert run.workers == {"gw0", "gw1"}
    assert {"gw0 speaks", "gw1 speaks"} <= set(run.said.splitlines()), "workers were silent"
    assert len(run.begun) == len(set(run.begun)) > 30
    assert run.status == 0, run.said
    by_guide = {(who, scenario.split("/")[1]) for who, _, scenario in run.told}
    assert not (tmp_path / "collected").exists()
    assert len(by_guide) > 2, "no guide's scenarios are one worker's alone"


def test_what_scenarios_took_is_remembered_for_the_next_run(tmp_path: Path) -> None:
    run = on_two_cores(tmp_path, POWER_OFF, ONE)
    known = json.loads((tmp_path / "cache" / "durations.json").read_text())
    assert set(known) == {POWER_OFF, ONE}
    assert run.status == 0


@pytest.mark.parametrize(
    "arguments",
    [("-n", "0"), ("-p", "no:xdist"), ("--pdb",)],
    ids=["n-0", "no-xdist", "pdb"],
)
def test_who_wants_no_workers_has_none(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    run = on_two_cores(tmp_path, *arguments, POWER_OFF)
    assert run.workers == {"alone"}
    assert run.status == 0, run.said


def test_memory_for_one_lab_only_means_no_workers(tmp_path: Path) -> None:
    run = on_two_cores(tmp_path, POWER_OFF, free=4_000)
    assert run.workers == {"alone"}
    assert "labs: 1 side by side (2 cores, 4000 MiB free" in run.said


def test_one_scenario_needs_no_workers(tmp_path: Path) -> None:
    assert on_two_cores(tmp_path, ONE).workers == {"alone"}


def test_a_number_of_workers_that_was_given_holds(tmp_path: Path) -> None:
    run = on_two_cores(tmp_path, "-n", "3", POWER_OFF)
    assert "labs: 3 side by side" in run.said
    assert "created: 3/3 workers" in run.said


def test_collecting_only_starts_no_workers(tmp_path: Path) -> None:
    run = on_two_cores(tmp_path, "--collect-only", "-q", POWER_OFF)
    assert run.told == []
    assert f"{POWER_OFF}[1/3]" in run.said


def test_a_worker_that_dies_costs_its_scenario_and_the_others_go_on(tmp_path: Path) -> None:
    run = on_two_cores(tmp_path, POWER_OFF, CLEAN_STOP, ONE, dies=f"{POWER_OFF}[2/3]")
    assert run.status == 1
    assert "crashed while running" in run.said
    assert sorted(run.begun) == sorted(
        [ONE, *(f"{name}[{number}/3]" for name in (POWER_OFF, CLEAN_STOP) for number in (1, 2, 3))]
    )
    assert "6 passed" in run.said
    assert (tmp_path / "collected").exists(), "what is left of its lab was not removed"
    verdicts = read_verdicts(run.evidence)
    assert verdicts.by_requirement["FO-24"][POWER_OFF].status is Status.UNKNOWN
    assert "2 of 3 repetitions; not judged: 2" in run.said
    assert verdicts.of("FO-27").status is Status.PASS


def test_requirements_of_a_scenario_whose_worker_died_are_not_forgotten(tmp_path: Path) -> None:
    run = on_two_cores(tmp_path, ONE, POWER_OFF, dies=ONE)
    verdict = read_verdicts(run.evidence).of("FO-46")
    assert verdict.status is Status.UNKNOWN
    assert "its process died before it was judged" in verdict.reasons


def test_other_tests_keep_xdists_own_ways(tmp_path: Path) -> None:
    run = on_two_cores(tmp_path, "tests/scenarios/test_run.py", "--collect-only", "-q")
    assert "labs:" not in run.said
    assert os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") is None


def options(*topologies: str, image: str = "debian-12") -> pytest.Config:
    chosen: dict[str, object] = {
        "topology": [*topologies] or None,
        "full": False,
        "image": image,
    }
    return cast(
        pytest.Config,
        SimpleNamespace(args=["scenarios/multi_node"], getoption=chosen.get),
    )


def test_memory_is_reckoned_with_the_topology_that_was_chosen() -> None:
    own, larger = (side_by_side(options(*names)) for names in ((), ("multi_node_3",)))
    assert own.lab_mib == read_topology("multi_node").memory_mib
    assert larger.lab_mib == read_topology("multi_node_3").memory_mib > own.lab_mib
    assert side_by_side(options("failover")).lab_mib == own.lab_mib, "it is of another guide"


def test_memory_is_reckoned_with_what_the_guests_of_an_image_get() -> None:
    topology = read_topology("multi_node")
    chosen = side_by_side(options(image="centos-stream-9"))
    assert chosen.lab_mib == topology.fit_for("el").memory_mib > topology.memory_mib


def test_an_image_that_there_is_none_of_is_a_usage_error() -> None:
    with pytest.raises(pytest.UsageError, match="no image called 'atlantis'"):
        side_by_side(options(image="atlantis"))


def test_a_topology_takes_the_place_of_its_guides_own() -> None:
    assert topologies(options()) == {}
    assert topologies(options("multi_node_3", "failover")) == {
        "multi_node": "multi_node_3",
        "failover": "failover",
    }
    made = in_chosen_topology(
        options("multi_node_3"), lambda guide: Deployer(guide_named(guide), *[cast(Any, None)] * 3)
    )
    assert made("multi_node").guide.topology == "multi_node_3"
    assert made("failover").guide.topology == "failover"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["none"], "--topology: no topology 'none'"),
        (["multi_node", "multi_node_3"], "multi_node and multi_node_3 are both of multi_node"),
    ],
)
def test_a_topology_that_cannot_be_chosen_is_a_usage_error(names: list[str], words: str) -> None:
    with pytest.raises(pytest.UsageError, match=words):
        topologies(options(*names))


def test_who_is_told_how_many_workers_there_are_by_the_environment_is_obeyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from scenarios.side_by_side import automatic

    config = SimpleNamespace(args=[POWER_OFF])
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "7")
    assert automatic(config) is None  # type: ignore[arg-type]
