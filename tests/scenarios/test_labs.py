"""The labs of a run: shared, pristine or thrown away, and what is left of them at the end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.errors import LabError
from provision.erratum import Erratum
from scenarios import labs as module
from scenarios.labs import Keep, LabFailedBefore, Labs

ERRATUM = Erratum("name", "erratum", "guide", "happens", "fix")


class PretendLab:
    """A lab that is a directory."""

    def __init__(self, directory: Path, capture: Path) -> None:
        self.directory = directory
        self.capture = capture
        self.state = "running"
        self.breaks = False
        for kind in ("transcripts", "consoles"):
            (directory / kind).mkdir(parents=True)
            (directory / kind / "node-a.log").write_text(f"{kind} of {directory.name}")
        os.mkfifo(directory / "consoles" / "node-a.agent")  # a machine's socket is no file

    def down(self) -> None:
        self.state = "down"
        if self.breaks:
            raise LabError("it will not end")

    def keep(self) -> None:
        self.state = "kept"


class World:
    """Makes deployers, and through them labs."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.made: list[PretendLab] = []
        self.deployers = 0
        self.fails: list[BaseException] = []
        self.said: list[str] = []

    def deployer(self, _guide: str) -> SimpleNamespace:
        self.deployers += 1
        return SimpleNamespace(
            deploy=self.deploy,
            plan=SimpleNamespace(errata=(ERRATUM,)),
            progress=SimpleNamespace(say=self.said.append),
        )

    def deploy(self, *, capture: Path) -> PretendLab:
        if self.fails:
            raise self.fails.pop(0)
        self.made.append(PretendLab(self.place / f"lab-{len(self.made) + 1}", capture))
        return self.made[-1]


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    (tmp_path / "evidence").mkdir()
    return tmp_path / "evidence"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "how_to_look", lambda path: [f"look at {path.name}"])
    return World(tmp_path)


def making(world: World, evidence: Path, keep: Keep = "never", worker: str = "") -> Labs:
    return Labs(evidence, world.deployer, keep, worker=worker)  # type: ignore[arg-type]


@pytest.fixture
def labs(world: World, evidence: Path) -> Labs:
    return making(world, evidence)


def test_scenarios_of_a_guide_share_its_lab(labs: Labs, world: World) -> None:
    assert labs.get("multi_node") is labs.get("multi_node")
    assert len(world.made) == 1


def test_each_guide_has_a_lab_of_its_own(labs: Labs) -> None:
    assert labs.get("multi_node") is not labs.get("failover")


def test_a_pristine_scenario_gets_a_lab_that_nobody_used(labs: Labs, world: World) -> None:
    shared = labs.get("multi_node")
    assert labs.get("multi_node", pristine=True) is not shared
    assert [lab.state for lab in world.made] == ["down", "running"]


def test_a_pristine_scenario_that_comes_first_makes_one_lab_only(labs: Labs, world: World) -> None:
    labs.get("multi_node", pristine=True)
    assert len(world.made) == 1


def test_after_a_destructive_scenario_the_next_gets_another_lab(labs: Labs, world: World) -> None:
    harmed = labs.get("multi_node")
    labs.discard("multi_node")
    fresh = labs.get("multi_node", pristine=True)
    assert fresh is not harmed
    assert [lab.state for lab in world.made] == ["down", "running"]


def test_a_guides_labs_come_from_one_deployer_which_may_learn(labs: Labs, world: World) -> None:
    labs.get("multi_node")
    labs.discard("multi_node")
    labs.get("multi_node")
    assert world.deployers == 1


def test_every_lab_has_a_name_and_a_recording_of_its_own(
    labs: Labs, world: World, evidence: Path
) -> None:
    labs.get("multi_node")
    assert labs.name("multi_node") == "multi_node"
    labs.discard("multi_node")
    labs.get("multi_node")
    assert labs.name("multi_node") == "multi_node-2"
    assert [lab.capture for lab in world.made] == [
        evidence / "wire" / "multi_node.pcapng",
        evidence / "wire" / "multi_node-2.pcapng",
    ]


def test_workers_of_one_run_do_not_share_names(world: World, evidence: Path) -> None:
    labs = making(world, evidence, worker="gw1")
    labs.get("multi_node")
    assert labs.name("multi_node") == "multi_node-gw1"


def test_what_was_typed_and_where_it_departs_from_the_guide_is_evidence(
    labs: Labs, evidence: Path
) -> None:
    labs.get("multi_node")
    typed = evidence / "transcripts" / "multi_node" / "node-a.log"
    assert typed.read_text() == "transcripts of lab-1"
    assert json.loads((evidence / "errata-multi_node.json").read_text())[0]["name"] == "name"


def test_consoles_are_evidence_of_every_lab(labs: Labs, evidence: Path) -> None:
    labs.get("multi_node")
    labs.discard("multi_node")
    labs.get("multi_node")
    labs.end()
    for name, lab in (("multi_node", "lab-1"), ("multi_node-2", "lab-2")):
        console = evidence / "consoles" / name / "node-a.log"
        assert console.read_text() == f"consoles of {lab}"


def test_a_plan_that_typed_nothing_is_no_trouble(
    labs: Labs, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = world.deploy

    def deploy(*, capture: Path) -> PretendLab:
        lab = genuine(capture=capture)
        (lab.directory / "transcripts" / "node-a.log").unlink()
        (lab.directory / "transcripts").rmdir()
        return lab

    monkeypatch.setattr(world, "deploy", deploy)
    labs.get("multi_node")
    assert labs.end() == []
    assert world.made[0].state == "down"


def test_a_lab_that_cannot_be_made_fails_once_and_is_not_tried_again(
    labs: Labs, world: World
) -> None:
    world.fails = [LabError("no memory", hint="buy some")]
    with pytest.raises(LabError, match="no memory") as first:
        labs.get("multi_node")
    assert not isinstance(first.value, LabFailedBefore)
    for _ in range(2):
        with pytest.raises(LabFailedBefore, match="multi_node could not be made: no memory"):
            labs.get("multi_node")
    assert labs.get("failover") is world.made[0]
    assert labs.end() == []


def test_a_lab_that_was_made_before_is_made_once_more(
    labs: Labs, world: World, evidence: Path
) -> None:
    labs.get("multi_node")
    labs.discard("multi_node")
    world.fails.append(LabError("node-a hung"))
    assert labs.get("multi_node") is world.made[1]
    assert "node-a hung" in world.said[0]
    assert "multi_node-2 failed" in (evidence / "trouble.log").read_text()


def test_a_lab_that_fails_twice_in_a_row_is_not_made_again(labs: Labs, world: World) -> None:
    labs.get("multi_node")
    labs.discard("multi_node")
    world.fails += [LabError("node-a hung"), LabError("node-a hung again")]
    with pytest.raises(LabError, match="hung again"):
        labs.get("multi_node")
    with pytest.raises(LabFailedBefore):
        labs.get("multi_node")


def test_ctrl_c_is_not_a_failure_of_the_lab(labs: Labs, world: World) -> None:
    world.fails = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        labs.get("multi_node")
    assert labs.get("multi_node") is world.made[0]


def test_a_lab_whose_evidence_cannot_be_written_is_taken_down_all_the_same(
    labs: Labs, world: World, evidence: Path
) -> None:
    (evidence / "transcripts").write_text("in the way")
    with pytest.raises(OSError, match="transcripts"):
        labs.get("multi_node")
    labs.end()
    assert [lab.state for lab in world.made] == ["down"]


def test_at_the_end_nothing_is_left(labs: Labs, world: World) -> None:
    labs.get("multi_node")
    labs.get("failover")
    labs.note_failure("failover", "test_one")
    assert labs.end() == []
    assert [lab.state for lab in world.made] == ["down", "down"]


def test_one_that_will_not_end_keeps_none_of_the_others_up(labs: Labs, world: World) -> None:
    labs.get("multi_node")
    labs.get("failover")
    world.made[0].breaks = True
    with pytest.raises(LabError, match="it will not end"):
        labs.end()
    assert [lab.state for lab in world.made] == ["down", "down"]


def test_keeping_always_leaves_all_up_and_says_how_to_look(world: World, evidence: Path) -> None:
    labs = making(world, evidence, "always")
    labs.get("multi_node")
    labs.get("failover")
    assert labs.end() == [
        *("multi_node is left up:", "look at lab-1"),
        *("failover is left up:", "look at lab-2"),
    ]
    assert [lab.state for lab in world.made] == ["kept", "kept"]


def test_keeping_failed_leaves_up_only_where_a_scenario_failed(
    world: World, evidence: Path
) -> None:
    labs = making(world, evidence, "failed")
    labs.get("multi_node")
    labs.get("failover")
    labs.note_failure("failover", "test_one")
    assert labs.end() == ["failover is left up:", "look at lab-2"]
    assert [lab.state for lab in world.made] == ["down", "kept"]


def test_a_failure_in_a_lab_that_is_gone_keeps_no_other_up(world: World, evidence: Path) -> None:
    labs = making(world, evidence, "failed")
    labs.get("multi_node")
    labs.note_failure("multi_node", "test_one")
    labs.discard("multi_node")
    labs.get("multi_node")
    assert labs.end() == []
