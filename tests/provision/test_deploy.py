"""Deploying a guide: what is thawed, what is applied anew, and what a failure costs.

Labs and checkpoints are pretended at this module's edge; plan, notes and transcripts are real.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.accelerator import tcg
from lab.checkpoint import FreezeFailed, NoRoom, ThawFailed
from lab.image import Image
from lab.timing import Kind, Recorder
from lab.topology import Topology
from provision import deploy
from provision.deploy import Deployer, Guide, guide_named
from provision.errors import PlanError, StepFailed
from tests.provision.machines import Said
from tests.provision.world import World

IMAGE = Image("debian-12", "debian", "recipe", Path("/disk.qcow2"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setenv("VPNPROOF_CACHE", str(tmp_path / "cache"))  # locks are real
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
    guide = Guide("multi_node", world.plan, world.wait_until_ready)
    image = options.pop("image", IMAGE)
    return Deployer(guide, image, tcg(""), progress=world, **options)  # type: ignore[arg-type]


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
        *("do C", "use the answer is 42", "ready", "freeze multi_node, C"),
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
    assert world.told == ["thaw multi_node, C"]


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
    assert world.told[-2:] == ["ready", "freeze multi_node, C"]


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
    assert world.told == ["boot", "do A", "ask", "do B", "do C", "use the answer is 42", "ready"]
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
        *("cold start", "do A", "ask", "do B", "do C", "use the answer is 42", "ready"),
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
    assert world.told[-1] == "ready"


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


def test_a_lab_that_cannot_be_taken_down_hides_no_error(world: World, deployer: Deployer) -> None:
    world.refused, world.stuck = "do B", True
    with pytest.raises(StepFailed, match="step 'second'") as caught:
        deployer.deploy()
    assert any("QEMU will not end" in note for note in caught.value.__notes__)


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


def test_a_lab_costs_a_thaw_once_all_of_the_guide_is_frozen(
    world: World, deployer: Deployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not deployer.thaws_now()
    deployer.deploy()
    assert deployer.thaws_now()
    monkeypatch.setattr(deploy, "has_memory", lambda _topology: False)
    assert not deployer.thaws_now()


@pytest.mark.parametrize(
    ("family", "name", "memory_mib"),
    [("debian", "debian-12", 512), ("el", "centos-stream-9", 1024)],
)
def test_a_lab_and_its_checkpoints_have_the_memory_that_its_guests_need(
    world: World, monkeypatch: pytest.MonkeyPatch, family: str, name: str, memory_mib: int
) -> None:
    seen: dict[str, list[int]] = {"started": [], "keyed": [], "asked": []}

    def see(what: str, topology: Topology) -> None:
        seen[what] = [one.memory_mib for one in topology.machines]

    def start(topology: Topology, *_: object, **more: Any) -> Any:
        see("started", topology)
        lab = world.new_lab(more["capture"])
        lab.topology = topology
        return lab

    def made_of(topology: Topology, *_: object, **more: object) -> object:
        see("keyed", topology)
        return more

    monkeypatch.setattr(deploy, "cold_start", start)
    monkeypatch.setattr(deploy, "ingredients", made_of)
    monkeypatch.setattr(deploy, "has_memory", partial(see, "asked"))
    deployer = making(world, image=Image(name, family, "recipe", Path("/disk.qcow2")))
    deployer.deploy()
    deployer.thaws_now()
    assert seen == dict.fromkeys(seen, [memory_mib] * 5)


@pytest.mark.parametrize("options", [{"fresh": True}, {"uri": "qemu:///session"}])
def test_without_checkpoints_a_lab_costs_more_than_a_thaw(
    world: World, deployer: Deployer, options: dict[str, Any]
) -> None:
    deployer.deploy()
    assert not making(world, **options).thaws_now()


def test_of_two_that_need_a_guide_one_follows_it_and_the_other_thaws(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()

    def say(line: str) -> None:
        if "waiting for what it freezes" in line:
            waits.set()

    def apply(command: str, **_: object) -> Said:
        assert waits.wait(20), "the second does not wait"
        return genuine(command)

    genuine = world.run
    monkeypatch.setattr(world, "say", say)
    monkeypatch.setattr(world, "run", apply)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(making(world).deploy) for _ in range(2)]:
            done.result()
    assert world.told.count("cold start") == 1
    assert world.told[-1] == "thaw multi_node, C"
