"""What a thawed guest is met with: randomness of its own, and one question; its clock stays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.checkpoint.greeting import bring_to_the_present, greet
from lab.clock import NS, ClockOffset
from lab.errors import MachineError
from tests.checkpoint.pretend import PretendMachine


class PretendAgent:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def clock(self) -> ClockOffset:
        self.asked.append("clock")
        return ClockOffset(4150 * NS, NS // 1000)

    def mix_in_randomness(self) -> None:
        self.asked.append("mix in randomness")

    def move_clock(self, by_ns: int) -> None:
        self.asked.append(f"move by {by_ns / NS:.0f} s")


CHANNEL = Path("one.agent")


@pytest.fixture
def machine() -> PretendMachine:
    return PretendMachine("one")


@pytest.fixture
def agent(machine: PretendMachine, monkeypatch: pytest.MonkeyPatch) -> PretendAgent:
    agent = PretendAgent()

    @contextlib.contextmanager
    def conversation(channel: Path) -> Iterator[PretendAgent]:
        assert channel == CHANNEL
        yield agent

    monkeypatch.setattr(machine, "agent", conversation)
    return agent


def test_the_agent_is_asked_for_the_time_and_nothing_is_set(
    machine: PretendMachine, agent: PretendAgent
) -> None:
    assert greet(machine, CHANNEL) == ClockOffset(4150 * NS, NS // 1000)
    assert agent.asked == ["mix in randomness", "clock"]
    assert machine.commands == []
    assert machine.channel == CHANNEL


def test_without_an_agent_a_login_does_it_and_sets_nothing_either(machine: PretendMachine) -> None:
    assert greet(machine, None) == machine.behind
    assert [command.split()[0] for command in machine.commands] == ["cat"]
    assert "urandom" in machine.commands[0]
    assert machine.channel is None


def test_so_it_does_where_the_channel_does_not_open(
    machine: PretendMachine, tmp_path: Path
) -> None:
    assert greet(machine, tmp_path / "none.agent") == machine.behind
    assert machine.channel is None


def test_a_machine_that_nobody_reaches_fails(
    machine: PretendMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_seconds: float) -> None:
        raise MachineError("one does not answer")

    monkeypatch.setattr(machine, "wait_until_up", refuse)
    with pytest.raises(MachineError, match="one does not answer"):
        greet(machine, None)


def test_a_fresh_guest_is_brought_to_the_present(
    machine: PretendMachine, agent: PretendAgent
) -> None:
    bring_to_the_present(machine, CHANNEL)
    assert agent.asked == ["clock", "move by 4150 s"]


def test_without_an_agent_a_fresh_guests_clocks_are_set_by_a_login(machine: PretendMachine) -> None:
    bring_to_the_present(machine, None)
    (typed,) = machine.commands
    assert typed.startswith("date -u -s")
    assert "60.000" in typed
    assert "hwclock -u -w" in typed
