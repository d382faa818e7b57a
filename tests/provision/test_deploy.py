"""Deploying a guide: what is thawed, what is applied anew, and what a failure costs.

Labs and checkpoints are pretended at this module's edge; plan, notes and transcripts are real.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.accelerator import tcg
from lab.checkpoint import FreezeFailed, NoRoom, ThawFailed
from lab.image import Image
from lab.timing import Kind, Recorder
from provision import deploy
from provision.deploy import Deployer, Guide, guide_named
from provision.errors import PlanError, StepFailed
from tests.provision.world import World

IMAGE = Image("debian-12", "debian", "recipe", Path("/disk.qcow2"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    for name, stands_in in {
        "Store": made,
        "thaw": made.thaw,
        "freeze": made.freeze,
        "cold_start": made.starting("cold start"),
        "Lab": SimpleNamespace(boot=made.starting("boot")),
        "labs_by_checkpoint": lambda: made.in_use,
        "ingredients": lambda *_, **more: more,
        "WORTH_FREEZING": -1.0,
    }.items():
        monkeypatch.setattr(deploy, name, stands_in)
    return made


@pytest.fixture
def deployer(world: World) -> Deployer:
    return making(world)


def making(world: World, **options: Any) -> Deployer:
    guide = Guide("multi_node", world.plan, world.settle)
    return Deployer(guide, IMAGE, tcg(""), progress=world, **options)  # type: ignore[arg-type]


def frozen(world: World, section: str) -> str:
    """Return the key of the checkpoint that was made at the end of a section."""
    return next(key for key, one in world.store.items() if one.label.endswith(section))


def test_without_checkpoints_everything_is_applied_and_each_section_frozen(
    world: World, deployer: Deployer
) -> None:
    deployer.deploy()
    assert world.told == [
        "cold start",
        *("do A", "ask", "freeze multi_node, A"),
        *("do B", "freeze multi_node, B"),
        *("do C", "use the answer is 42", "freeze multi_node, C"),
        "settle",
    ]


def test_short_sections_are_frozen_with_those_after_them(
    world: World, deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "WORTH_FREEZING", 3600.0)
    deployer.deploy()
    assert [line for line in world.told if "freeze" in line] == ["freeze multi_node, C"]


def test_a_second_deployment_is_a_thaw(world: World, deployer: Deployer) -> None:
    deployer.deploy()
    world.told = []
    deployer.deploy()
    assert world.told == ["thaw multi_node, C", "settle"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("A", ["cold start", "do A otherwise"]),
        ("B", ["thaw multi_node, A", "do B otherwise"]),
        ("C", ["thaw multi_node, B", "do C otherwise"]),
    ],
)
def test_a_changed_step_is_applied_again_with_those_after_it(
    world: World, deployer: Deployer, changed: str, expected: list[str]
) -> None:
    deployer.deploy()
    world.told, world.changed = [], changed
    deployer.deploy()
    assert world.told[:2] == expected
    assert world.told[-2:] == ["freeze multi_node, C", "settle"]


def test_notes_and_transcripts_go_on_where_the_checkpoint_was_made(
    world: World, deployer: Deployer
) -> None:
    deployer.deploy()
    world.told, world.changed = [], "C"
    lab = deployer.deploy()
    assert "use the answer is 42" in world.told
    transcript = (lab.directory / "transcripts" / "node-a.log").read_text()
    places = [transcript.index(typed) for typed in ("do A", "do B", "do C otherwise")]
    assert places == sorted(places)


def test_fresh_ignores_checkpoints_and_makes_none(world: World, deployer: Deployer) -> None:
    deployer.deploy()
    before, world.told = dict(world.store), []
    making(world, fresh=True).deploy()
    assert world.told == ["boot", "do A", "ask", "do B", "do C", "use the answer is 42", "settle"]
    assert world.store == before


def test_another_libvirt_neither_thaws_nor_freezes(world: World, deployer: Deployer) -> None:
    deployer.deploy()
    before, world.told = dict(world.store), []
    making(world, uri="qemu:///session").deploy()
    assert world.told[0] == "cold start"
    assert world.store == before


def test_a_damaged_checkpoint_is_said_and_made_anew_from_the_one_before(
    world: World, deployer: Deployer
) -> None:
    deployer.deploy()
    world.damaged.add(damaged := frozen(world, "C"))
    world.told = []
    deployer.deploy()
    assert world.told[:2] == ["thaw multi_node, B", "do C"]
    assert any(f"checkpoint {damaged} cannot be trusted" in line for line in world.said)
    assert frozen(world, "C") == damaged


def test_one_that_does_not_come_to_life_is_set_aside_and_made_anew(
    world: World, deployer: Deployer, tmp_path: Path
) -> None:
    deployer.deploy()
    world.thaw_fails = [ThawFailed("libvirt refuses")]
    world.told = []
    deployer.deploy(capture=tmp_path / "wire.pcapng")
    assert world.told[:3] == ["thaw multi_node, C", "thaw multi_node, B", "do C"]
    assert any("was set aside: libvirt refuses" in line for line in world.said)


def test_when_two_do_not_come_to_life_it_is_not_their_fault(
    world: World, deployer: Deployer
) -> None:
    deployer.deploy()
    world.thaw_fails = [ThawFailed("libvirt refuses"), ThawFailed("again")]
    with pytest.raises(ThawFailed, match="again"):
        deployer.deploy()
    assert len(world.store) == 2


def test_one_that_another_lab_runs_on_is_not_set_aside(world: World, deployer: Deployer) -> None:
    deployer.deploy()
    world.in_use = {frozen(world, "C"): ["multi_node-abcd"]}
    world.thaw_fails = [ThawFailed("libvirt refuses")]
    with pytest.raises(ThawFailed):
        deployer.deploy()
    assert len(world.store) == 3


def test_a_freeze_that_fails_costs_the_lab_but_not_the_deployment(
    world: World, deployer: Deployer, tmp_path: Path
) -> None:
    world.freeze_fails = [FreezeFailed("lost: No space left on device")]
    deployer.deploy(capture=tmp_path / "wire.pcapng")
    assert world.told == [
        *("cold start", "do A", "ask", "down"),
        *("cold start", "do A", "ask", "do B", "do C", "use the answer is 42", "settle"),
    ]
    assert any("No space left on device" in line for line in world.said)
    assert world.store == {}


def test_after_a_freeze_that_failed_no_other_is_tried_in_this_run(
    world: World, deployer: Deployer
) -> None:
    world.freeze_fails = [FreezeFailed("lost")]
    deployer.deploy()
    deployer.deploy()
    assert world.store == {}


def test_what_was_frozen_before_a_freeze_failed_is_thawed(world: World, deployer: Deployer) -> None:
    deployer.deploy()
    world.told, world.changed = [], "B"
    world.freeze_fails = [FreezeFailed("lost")]
    deployer.deploy()
    assert [line for line in world.told if "thaw" in line] == ["thaw multi_node, A"] * 2
    assert world.told[-1] == "settle"


def test_without_room_the_same_lab_goes_on_unfrozen(world: World, deployer: Deployer) -> None:
    world.freeze_fails = [NoRoom("no room", hint="free some disk")]
    deployer.deploy()
    assert world.labs == 1
    assert world.store == {}
    assert any("no room" in line and "free some disk" in line for line in world.said)


def test_a_step_that_fails_takes_the_lab_down_and_keeps_what_was_frozen(
    world: World, deployer: Deployer
) -> None:
    world.refused = "do B"
    with pytest.raises(StepFailed, match="step 'second'"):
        deployer.deploy()
    assert world.told[-1] == "down"
    world.told, world.refused = [], ""
    deployer.deploy()
    assert world.told[:2] == ["thaw multi_node, A", "do B"]


def test_ctrl_c_takes_the_lab_down(world: World, deployer: Deployer) -> None:
    def interrupted(_lab: object) -> None:
        raise KeyboardInterrupt

    deployer.guide = Guide("multi_node", world.plan, interrupted)
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy()
    assert world.told[-1] == "down"


def test_a_guide_that_there_is_not_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(PlanError, match="no guide 'third'") as refused:
        guide_named("third")
    assert "multi_node" in refused.value.hint


def test_starting_machines_and_applying_steps_is_provisioning(
    world: World, deployer: Deployer, recorder: Recorder
) -> None:
    deployer.deploy()
    assert recorder.take().shares[Kind.PROVISION].count == 2
    world.settle = lambda _lab: time.sleep(0.5)  # type: ignore[method-assign]
    making(world).deploy()
    assert recorder.take().shares[Kind.PROVISION].own_s < 0.5
