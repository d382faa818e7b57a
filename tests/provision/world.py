"""A world in which deploying a guide takes no time: labs, machines and the store only remember."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lab.checkpoint import CheckpointDamaged, key_of
from lab.errors import CommandFailed, LabError
from provision.action import Command, Remember
from provision.plan import Plan
from provision.step import Step
from tests.provision.machines import Said


class World:
    """Stands in for labs, machines and the store; everything asked of it is in `told`."""

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
        self.stuck = False
        """Whether labs cannot be taken down."""

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
            down=self.down,
        )

    def down(self) -> None:
        self.told.append("down")
        if self.stuck:
            raise LabError("QEMU will not end")

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

    def wait_until_ready(self, _lab: object) -> None:
        self.told.append("ready")

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
