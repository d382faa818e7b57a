"""A thawed guest is told the time, by the program that waits in it or by a login.

The program is the real one, in a thread here, on a clock that is not this host's.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.checkpoint import waiter, waiting
from lab.checkpoint.greeting import greet
from lab.errors import MachineError
from tests.checkpoint.pretend import PretendMachine


class Guest:
    """Runs the program that waits, behind a socket as QEMU opens it."""

    CLOCK_REALTIME = time.CLOCK_REALTIME

    def __init__(self, channel: Path) -> None:
        self.channel = channel
        self.late = 60.0
        self.sets_clock = True
        self.random: list[bytes] = []
        self.waits_on = threading.Event()
        self.over = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(channel))
        self._listening.listen()
        self._thread = threading.Thread(target=self._wait)

    def time(self) -> float:
        return time.time() - self.late

    def clock_settime(self, _clock: int, now: float) -> None:
        if self.sets_clock:
            self.late = time.time() - now

    def select(self, *_: object) -> None:
        self.waits_on.set()
        if self.over.wait(0.01):
            raise EOFError

    def _wait(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            connection, _ = self._listening.accept()
            with connection:
                waiter.serve(connection.fileno())

    def __enter__(self) -> Guest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def ends(self) -> bool:
        self._thread.join(10)
        return not self._thread.is_alive()


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guest]:
    with Guest(tmp_path / "one.thaw") as guest:
        monkeypatch.setattr(waiter, "time", guest)
        monkeypatch.setattr(waiter, "select", guest)
        monkeypatch.setattr(waiter, "_mix_in", guest.random.append)
        yield guest


@pytest.fixture
def machine() -> PretendMachine:
    return PretendMachine("one")


def typed(machine: PretendMachine) -> list[str]:
    """Return what each command begins with; the first is to end who waits."""
    return ["dismiss" if c.startswith("[ ! -e") else c.split()[0] for c in machine.commands]


def test_who_waits_sets_the_clock_takes_randomness_and_ends(
    guest: Guest, machine: PretendMachine
) -> None:
    greet(machine, guest.channel)
    assert guest.late == pytest.approx(0, abs=0.5)
    assert [len(drawn) for drawn in guest.random] == [32]
    assert guest.ends()
    assert machine.commands == []


def test_a_clock_that_is_ahead_is_set_back(guest: Guest, machine: PretendMachine) -> None:
    guest.late = -3600.0
    greet(machine, guest.channel)
    assert guest.late == pytest.approx(0, abs=0.5)


def test_who_waits_goes_on_waiting_when_a_caller_hangs_up_before_telling(
    guest: Guest, machine: PretendMachine
) -> None:
    with waiting.Waiter(machine, guest.channel) as conversation:
        assert conversation.clock() == pytest.approx(time.time() - 60, abs=30)
    assert guest.waits_on.wait(10)
    assert guest.late == 60.0


def test_who_sets_no_clock_is_not_believed(guest: Guest, machine: PretendMachine) -> None:
    guest.sets_clock = False
    greet(machine, guest.channel)
    assert typed(machine) == ["dismiss", "cat", "date"]


def test_who_answers_too_slowly_to_set_a_clock_is_not_believed(
    guest: Guest, machine: PretendMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing = itertools.count(1000.0, 2.0)
    slow = SimpleNamespace(time=lambda: next(passing))
    monkeypatch.setattr("lab.checkpoint.greeting.time", slow)
    greet(machine, guest.channel)
    assert guest.late == 60.0
    assert typed(machine) == ["dismiss", "cat", "date"]


def test_where_nobody_waits_a_login_does_it(machine: PretendMachine) -> None:
    greet(machine, None)
    assert typed(machine) == ["dismiss", "cat", "date"]
    assert "urandom" in machine.commands[1]


def test_so_it_does_where_the_channel_does_not_open(
    machine: PretendMachine, tmp_path: Path
) -> None:
    greet(machine, tmp_path / "none.thaw")
    assert typed(machine) == ["dismiss", "cat", "date"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [(b"", "its channel was closed"), (b"what?\n", "could not convert string to float")],
)
def test_an_answer_that_is_none_names_the_machine(
    machine: PretendMachine, tmp_path: Path, answer: bytes, told: str
) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "one.thaw"))
        listening.listen()
        with waiting.Waiter(machine, tmp_path / "one.thaw") as conversation:
            guest, _ = listening.accept()
            guest.sendall(answer)
            guest.shutdown(socket.SHUT_WR)
            with guest, pytest.raises(MachineError, match=f"^one: .*{told}"):
                conversation.clock()


def test_a_machine_that_was_given_up_is_not_waited_for(
    machine: PretendMachine, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "one.thaw"))
        silent.listen()
        with waiting.Waiter(machine, tmp_path / "one.thaw") as conversation:
            machine.given_up = True
            with pytest.raises(MachineError, match="does not answer"):
                conversation.clock()


def test_a_clock_that_was_set_late_by_a_login_is_set_again_by_what_it_was_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Slow(PretendMachine):
        def run(self, command: str, **_: object) -> SimpleNamespace:
            self.commands.append(command)
            return SimpleNamespace(seconds=2.0 if len(self.commands) == 3 else 0.1)

    machine = Slow("one")
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    greet(machine, None)
    assert [c.split()[3] for c in machine.commands[2:]] == ["@1000.000", "@1001.000"]
