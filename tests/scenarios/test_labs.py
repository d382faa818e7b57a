"""The labs of a run: shared, pristine or thrown away, and what is left of them at the end."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from evidence.secret import Secrets
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
        self.topology = None
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
        if self.breaks:
            raise LabError("it will not be kept")


class World:
    """Makes deployers, and through them labs."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.made: list[PretendLab] = []
        self.deployers = 0
        self.fails: list[BaseException] = []
        self.frozen = True
        self.gate = threading.Event()  # what is made ahead waits for it
        self.gate.set()
        self.said: list[str] = []

    def deployer(self, _guide: str) -> SimpleNamespace:
        self.deployers += 1
        return SimpleNamespace(
            deploy=self.deploy,
            thaws_now=lambda: self.frozen,
            plan=SimpleNamespace(errata=(ERRATUM,)),
            secrets={"password of openvpn": "correct horse"},
            progress=SimpleNamespace(say=self.said.append),
        )

    def deploy(self, *, capture: Path) -> PretendLab:
        self.gate.wait()
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
    monkeypatch.setattr(module, "check_memory", lambda _topology: None)
    monkeypatch.setattr(module, "how_to_look", lambda path: [f"look at {path.name}"])
    monkeypatch.setenv("VPNPROOF_LABS", str(tmp_path / "labs"))
    return World(tmp_path)


def making(
    world: World, evidence: Path, keep: Keep = "never", worker: str = "", *, ahead: bool = False
) -> Labs:
    return Labs(evidence, world.deployer, keep, worker=worker, ahead=ahead)  # type: ignore[arg-type]


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


def test_a_lab_that_the_evidence_does_not_know_of_is_nobodys(world: World, evidence: Path) -> None:
    def full(_name: str, _lab: object) -> None:
        if len(world.made) == 1:
            raise OSError("No space left on device")

    labs = Labs(evidence, world.deployer, "never", on_start=full)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="No space"):
        labs.get("multi_node")
    labs.get("multi_node")
    assert [lab.state for lab in world.made] == ["down", "running"]


def test_it_is_known_of_a_lab_whether_a_scenario_failed_in_it(labs: Labs) -> None:
    labs.get("failover")
    assert not labs.has_failed("failover")
    labs.note_failure("failover", "test_it")
    assert labs.has_failed("failover")
    labs.discard("failover")
    labs.get("failover")
    assert not labs.has_failed("failover")


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


def test_one_that_will_not_be_kept_keeps_none_of_the_others_up(
    world: World, evidence: Path
) -> None:
    labs = making(world, evidence, "failed")
    labs.get("multi_node")
    labs.note_failure("multi_node", "test_one")
    labs.get("failover")
    world.made[0].breaks = True
    with pytest.raises(LabError, match="it will not be kept"):
        labs.end()
    assert [lab.state for lab in world.made] == ["kept", "down"]


def test_a_lab_that_will_not_end_is_an_error_of_the_run(labs: Labs, world: World) -> None:
    labs.get("multi_node")
    world.made[0].breaks = True
    with pytest.raises(LabError, match="it will not end"):
        labs.end()


def test_a_guides_lab_makes_way_for_that_of_another(labs: Labs, world: World) -> None:
    labs.get("multi_node")
    labs.get("failover")
    assert [lab.state for lab in world.made] == ["down", "running"]


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


@pytest.mark.parametrize("keep", ["failed", "always"])
def test_a_lab_that_a_failed_scenario_spoiled_is_left_up_the_first_of_its_guide(
    world: World, evidence: Path, keep: Keep
) -> None:
    labs = making(world, evidence, keep)
    for failed in (False, True, True):
        labs.get("multi_node")
        if failed:
            labs.note_failure("multi_node", "test_one")
        labs.discard("multi_node")
    labs.get("failover")
    left_up = ["multi_node is left up:", "look at lab-2"]
    left_up += ["failover is left up:", "look at lab-4"] if keep == "always" else []
    assert labs.end() == left_up
    states = ["down", "kept", "down", "kept" if keep == "always" else "down"]
    assert [lab.state for lab in world.made] == states


def test_a_lab_beside_which_there_is_no_room_for_another_is_not_left_up(
    world: World, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_topology: object) -> None:
        raise LabError("its machines need 4240 MiB")

    monkeypatch.setattr(module, "check_memory", full)
    labs = making(world, evidence, "failed")
    labs.get("multi_node")
    labs.note_failure("multi_node", "test_one")
    labs.discard("multi_node")
    assert [lab.state for lab in world.made] == ["down"]
    assert any("is not left up: its machines need" in line for line in world.said)
    assert labs.end() == []


@pytest.fixture
def eager(world: World, evidence: Path) -> Iterator[Labs]:
    """Labs of a run that may thaw ahead."""
    labs = making(world, evidence, ahead=True)
    yield labs
    world.gate.set()
    labs.end()


def test_a_lab_made_ahead_is_the_next_one(eager: Labs, world: World, evidence: Path) -> None:
    harmed = eager.get("failover")
    eager.make_ahead("failover")
    assert eager.name("failover") == "failover"
    assert eager.get("failover") is harmed
    eager.discard("failover")
    fresh = eager.get("failover", pristine=True)
    assert fresh is world.made[1]
    assert eager.name("failover") == "failover-2"
    assert (evidence / "transcripts" / "failover-2" / "node-a.log").exists()
    assert world.made[1].capture == evidence / "wire" / "failover-2.pcapng"


def test_a_lab_is_made_while_another_is_used(eager: Labs, world: World) -> None:
    eager.get("failover")
    world.gate.clear()
    eager.make_ahead("failover")
    eager.discard("failover")
    world.gate.set()
    assert eager.get("failover") is world.made[1]


def test_only_one_lab_is_made_ahead(eager: Labs, world: World) -> None:
    eager.get("failover")
    eager.make_ahead("failover")
    eager.make_ahead("failover")
    eager.make_ahead("multi_node")
    eager.discard("failover")
    eager.get("failover")
    eager.end()
    assert len(world.made) == 2


def test_nothing_is_made_ahead_without_room_for_two(labs: Labs, world: World) -> None:
    labs.get("failover")
    labs.make_ahead("failover")
    labs.end()
    assert len(world.made) == 1


def test_nothing_is_made_ahead_that_is_more_than_a_thaw(eager: Labs, world: World) -> None:
    eager.get("failover")
    world.frozen = False
    eager.make_ahead("failover")
    eager.end()
    assert len(world.made) == 1


def test_a_lab_of_another_guide_can_be_made_ahead(eager: Labs, world: World) -> None:
    eager.get("failover")
    eager.make_ahead("multi_node")
    assert eager.get("multi_node") is world.made[1]
    assert [lab.state for lab in world.made] == ["down", "running"]


def test_that_a_lab_ahead_failed_is_said_when_it_is_asked_for(
    eager: Labs, world: World, evidence: Path
) -> None:
    eager.get("failover")
    world.fails.append(LabError("node-a hung"))
    eager.make_ahead("failover")
    eager.discard("failover")
    assert eager.get("failover") is world.made[1]
    assert eager.name("failover") == "failover-3"
    assert "failover-2 failed, and is made once more: node-a hung" in (
        (evidence / "trouble.log").read_text()
    )


def test_a_first_lab_that_failed_ahead_is_made_once_more(eager: Labs, world: World) -> None:
    """Beside another lab there may have been no memory; alone there may be."""
    eager.get("failover")
    world.fails.append(LabError("no memory"))
    eager.make_ahead("multi_node")
    assert eager.get("multi_node") is world.made[1]
    assert any("no memory" in line for line in world.said)


def test_a_lab_that_fails_ahead_and_again_fails_the_scenario_that_needs_it(
    eager: Labs, world: World
) -> None:
    eager.get("failover")
    world.fails += [LabError("no memory"), LabError("no memory either")]
    eager.make_ahead("multi_node")
    with pytest.raises(LabError, match="no memory either"):
        eager.get("multi_node")
    with pytest.raises(LabFailedBefore):
        eager.get("multi_node")


def test_a_lab_made_ahead_that_nobody_needed_leaves_nothing(
    eager: Labs, world: World, evidence: Path
) -> None:
    eager.get("failover")
    world.gate.clear()
    eager.make_ahead("failover")
    (evidence / "wire").mkdir()
    unused = evidence / "wire" / "failover-2.pcapng"
    unused.touch()
    world.gate.set()
    assert eager.end() == []
    assert [lab.state for lab in world.made] == ["down", "down"]
    assert not unused.exists()


def test_the_recording_of_an_earlier_attempt_outlives_a_lab_that_nobody_needed(
    eager: Labs, world: World, evidence: Path
) -> None:
    (evidence / "wire").mkdir()
    earlier = evidence / "wire" / "failover-2.pcapng"
    earlier.write_bytes(b"evidence")
    eager.get("failover")
    world.fails.append(LabError("cannot record to it: File exists"))
    eager.make_ahead("failover")
    eager.end()
    assert earlier.read_bytes() == b"evidence"


def test_a_failure_ahead_that_nobody_met_is_told_at_the_end(
    eager: Labs, world: World, evidence: Path
) -> None:
    eager.get("failover")
    world.fails.append(LabError("node-a hung"))
    eager.make_ahead("failover")
    eager.end()
    trouble = (evidence / "trouble.log").read_text()
    assert "failover-2 failed, and was not needed: node-a hung" in trouble
    assert world.made[0].state == "down"


def test_ctrl_c_while_a_lab_is_awaited_leaves_nothing(
    eager: Labs, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager.get("failover")
    world.gate.clear()
    eager.make_ahead("failover")
    eager.discard("failover")

    def interrupted(_future: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("concurrent.futures.Future.result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            eager.get("failover")
    world.gate.set()
    eager.end()
    assert [lab.state for lab in world.made] == ["down", "down"]


def test_what_a_lab_knows_is_kept_to_be_looked_for(
    labs: Labs, world: World, evidence: Path
) -> None:
    labs.get("failover")
    assert Secrets(evidence).mask("it is correct horse") == "it is (password of openvpn)"
    world.fails.append(LabError("ssh said: correct horse"))
    labs.discard("failover")
    labs.get("failover")
    assert "ssh said: (password of openvpn)" in (evidence / "trouble.log").read_text()
