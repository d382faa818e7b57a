"""Deploying a guide: what is thawed, what is applied anew, and what a failure costs.

Labs and checkpoints are pretended at this module's edge; plan, notes and transcripts are real.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.accelerator import tcg
from lab.checkpoint import CheckpointDamaged, FreezeFailed, NoRoom, ThawFailed, key_of
from lab.errors import CommandFailed, LabError
from lab.image import Image
from provision import deploy
from provision.action import Command, Remember
from provision.deploy import Deployer, Guide, guide_named
from provision.errors import PlanError, StepFailed
from provision.plan import Plan
from provision.step import Step
from tests.provision.machines import Said

IMAGE = Image("debian-12", "debian", "recipe", Path("/disk.qcow2"))


class World:
    """What stands in for labs, machines and the store; everything asked of it is in `told`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.told: list[str] = []
        self.said: list[str] = []
        self.store: dict[str, Any] = {}
        self.damaged: set[str] = set()
        self.in_use: dict[str, list[str]] = {}
        self.freeze_fails: list[LabError] = []
        self.thaw_fails: list[LabError] = []
        self.refused = ""
        self.changed = ""
        self.labs = 0

    def __call__(self) -> World:
        """Be the class Store, too: its instances are the world."""
        return self

    # --- the lab ---

    @property
    def applied(self) -> list[str]:
        """The commands that machines were given, since this was last asked."""
        commands = [line for line in self.told if line.startswith(("do ", "ask", "use "))]
        self.told = []
        return commands

    def new_lab(self, capture: Path | None) -> SimpleNamespace:
        if capture is not None:
            capture.touch(exist_ok=False)  # as the wire's recorder insists
        self.labs += 1
        directory = self.place / f"lab-{self.labs}"
        directory.mkdir()
        machine = SimpleNamespace(name="node-a", run=self.run)
        return SimpleNamespace(
            topology=SimpleNamespace(name="multi_node"),
            directory=directory,
            machines={"node-a": machine},
            down=lambda: self.told.append("down"),
        )

    def run(self, command: str, **_: object) -> Said:
        if self.refused and self.refused in command:
            raise CommandFailed("node-a", command, 1, "no")
        self.told.append(command)
        return Said(0, "the answer is 42")

    def starting(self, how: str) -> Callable[..., SimpleNamespace]:
        def start(*_: object, capture: Path | None, **__: object) -> SimpleNamespace:
            self.told.append(how)
            return self.new_lab(capture)

        return start

    def settle(self, _lab: object) -> None:
        self.told.append("settle")

    # --- checkpoints ---

    def thaw(self, found: Any, *_: object, capture: Path | None, **__: object) -> Any:
        self.told.append(f"thaw {found.label}")
        lab = self.new_lab(capture)
        if self.thaw_fails:
            raise self.thaw_fails.pop(0)
        return lab

    def freeze(
        self, _lab: object, made_of: Mapping[str, Any], label: str, attach: Mapping[str, Path]
    ) -> None:
        if self.freeze_fails:
            raise self.freeze_fails.pop(0)
        self.told.append(f"freeze {label}")
        kept = self.place / key_of(made_of)
        (kept / "transcripts").mkdir(parents=True, exist_ok=True)
        for log in attach["transcripts"].iterdir():
            (kept / "transcripts" / log.name).write_text(log.read_text())
        (kept / "notes.json").write_text(attach["notes.json"].read_text())
        key = key_of(made_of)
        self.store[key] = SimpleNamespace(key=key, label=label, attachment=lambda name: kept / name)

    def find(self, key: str) -> Any:
        if key in self.damaged:
            self.damaged.remove(key)
            del self.store[key]
            raise CheckpointDamaged(f"checkpoint {key} cannot be trusted: one.save")
        return self.store.get(key)

    def set_aside(self, key: str, why: str) -> CheckpointDamaged:
        del self.store[key]
        return CheckpointDamaged(f"{key} was set aside: {why}")

    # --- the guide and what is said ---

    def plan(self, _topology: object, _platform: object) -> Plan:
        def typed(section: str) -> str:
            return f"do {section}" + (" otherwise" if section == self.changed else "")

        noted = Remember("secret", "ask")
        return Plan(
            [
                Step("first", "A", "node-a", "", (Command(typed("A")), noted)),
                Step("second", "B", "node-a", "", (Command(typed("B")),)),
                Step(
                    "third", "C", "node-a", "", (Command(typed("C")), Command("use {note:secret}"))
                ),
            ]
        )

    def say(self, line: str) -> None:
        self.said.append(line)

    def task(self, _text: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


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
