"""A standby's clock is set back by a timer of its own; when, its own words and the wire say."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.protocols.budgets import Ucarp
from evidence.moment import NS, Moment
from lab.clock import ClockOffset
from lab.errors import DeadlinePassed, MachineError
from scenarios.failover import clocks, set_back, test_takeover
from tests.checks.protocols import encoder
from tests.scenarios import failover_pair
from tests.scenarios.failover_pair import ADDRESS, ScriptedMachine
from tests.scenarios.failover_stage import Stage

PEER, OTHER = ADDRESS["primary"], ADDRESS["secondary"]
BEHIND_NS = 4150 * NS
LAST_NS = 9_000 * NS
USUAL = Ucarp(advbase=1).last_advert_to_takeover()
IN_A_NAMESPACE = ("unshare", "--user", "--map-root-user", "--net")

Wire = tuple[socket.socket, socket.socket]


def advertisement(source: str = PEER, protocol: int = 112) -> bytes:
    return encoder.ipv4(b"advertisement", source, "224.0.0.18", protocol=protocol)


@pytest.fixture
def wire() -> Iterator[Wire]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give the times that the clock was set to; it is this host's, so it is not set."""
    found: list[int] = []
    monkeypatch.setattr(time, "clock_settime_ns", lambda _clock, ns: found.append(ns))
    return found


def test_only_the_peers_advertisement_winds_the_timer_up(wire: Wire) -> None:
    ours, theirs = wire
    for other in (advertisement(OTHER), advertisement(protocol=17), b"", b"E"):
        theirs.send(other)
    assert not set_back.hears(ours, PEER, 0.01)
    theirs.send(advertisement(OTHER))
    theirs.send(advertisement())
    assert set_back.hears(ours, PEER, 60)


def test_what_has_come_by_the_time_a_late_guest_looks_is_no_silence(wire: Wire) -> None:
    ours, theirs = wire
    theirs.send(advertisement(OTHER))
    theirs.send(advertisement())
    assert set_back.hears(ours, PEER, 0)


def test_the_clock_is_set_once_the_peer_has_fallen_silent(
    wire: Wire, steps: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = wire
    for _ in range(3):
        theirs.send(advertisement())
    began_ns = time.time_ns()
    set_back.main(ours, PEER, silence_s=0.01, back_s=20)
    armed, said = capsys.readouterr().out.splitlines()
    assert armed == "armed"
    (step,) = steps
    word, at_ns, took_ns = said.split()
    assert word == "set"
    assert began_ns <= int(at_ns) <= step + 20 * NS <= time.time_ns()
    assert int(took_ns) >= 0


def test_the_program_hears_a_genuine_interface(tmp_path: Path) -> None:
    """In a namespace without a clock of its own: setting it is left out."""
    if subprocess.run([*IN_A_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host lets nobody make namespaces")
    (tmp_path / "sitecustomize.py").write_text(
        "import time; time.clock_settime_ns = lambda *_: None\n"
    )
    speaks = (
        "import socket, sys, time\n"
        "one = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)\n"
        "while True:\n"
        "    one.sendto(b'advertisement', ('127.0.0.1', 0)); time.sleep(0.1)\n"
    )
    script = (
        'ip link set lo up\n"$0" -c "$1" & speaker=$!\n'
        '"$0" "$2" lo 127.0.0.1 1 20 | while read -r word more; do\n'
        '  echo "$word"; [ "$word" != armed ] || kill "$speaker"\n'
        "done\n"
    )
    done = subprocess.run(
        [*IN_A_NAMESPACE, "sh", "-c", script, sys.executable, speaks, set_back.__file__],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PATH": f"{os.environ['PATH']}:/usr/sbin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["armed", "set"], done.stderr


def standby_saying(*answers: str, before: ClockOffset) -> Any:
    """Return a standby whose timer has said `answers`, one more each time that it is asked."""
    said = iter(["", *("\n".join(answers[: n + 1]) for n in range(len(answers)))])
    machine: Any = ScriptedMachine("secondary", {f"cat {clocks.SAID}": lambda _: next(said)})
    machine.clock = lambda: before
    machine.put = lambda content, path: machine.asked.append(f"{path}: {content}")
    return machine


def test_a_timer_is_armed_when_it_says_so_and_its_moment_is_the_wires() -> None:
    offset = ClockOffset(BEHIND_NS, 1_000_000)
    machine = standby_saying("armed", f"set {LAST_NS - BEHIND_NS} 4000000", before=offset)
    timer = clocks.Timer.armed(machine, "wire0", PEER, silence_s=2.0, back_s=20)
    program, started, *asked = machine.asked
    assert set_back.__doc__ is not None
    assert set_back.__doc__.splitlines()[0] in program
    assert f"{clocks.PROGRAM} wire0 {PEER} 2.0 20" in started
    assert len(asked) == 2
    assert timer.went_off() == Moment(LAST_NS + 2_000_000, 3_000_000)


@pytest.mark.parametrize("said", ["set", "set soon 1", "set 1 -1 1"])
def test_a_timer_that_says_anything_else_is_not_read(said: str) -> None:
    machine = standby_saying("armed", said, before=ClockOffset(0, 0))
    timer = clocks.Timer.armed(machine, "wire0", PEER, silence_s=2.0, back_s=20)
    with pytest.raises(MachineError, match="when its clock was set"):
        timer.went_off()


def test_a_timer_that_breaks_shows_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_ARMED_S", 0.01)
    machine = ScriptedMachine("secondary", {f"cat {clocks.SAID}": "OSError: no such device"})
    machine.put = lambda *_: None  # type: ignore[attr-defined]
    asked: Any = machine
    with pytest.raises(DeadlinePassed, match="OSError: no such device"):
        clocks.Timer.armed(asked, "wire0", PEER, silence_s=2.0, back_s=20)


@pytest.mark.parametrize("after_s", [1.1, 2.0, 2.9])
def test_a_clock_that_is_set_while_the_standby_counts_shows_it(after_s: float) -> None:
    at = Moment(LAST_NS + int(after_s * NS), NS // 20)
    assert clocks.misses(at, LAST_NS, USUAL) == ""


@pytest.mark.parametrize(
    ("after_s", "words"),
    [
        (-3.0, "3.0 s before the active node's last advertisement"),
        (0.98, "1.0 s after the active node's last advertisement"),  # it may not have been read yet
        (2.98, "3.0 s after the active node's last advertisement"),
        (4.0, "4.0 s after the active node's last advertisement"),
    ],
)
def test_a_clock_that_is_set_at_another_time_shows_nothing(after_s: float, words: str) -> None:
    at = Moment(LAST_NS + int(after_s * NS), NS // 20)
    why = clocks.misses(at, LAST_NS, USUAL)
    assert words in why
    assert "1.0 to 3.0 s after it" in why


STEP_S = 1


@pytest.fixture
def stepping(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Give a pair whose standby waits a second longer, as its timer lets it."""
    monkeypatch.setattr(test_takeover, "STEP_BACK_S", STEP_S)
    monkeypatch.setattr(failover_pair, "DEAD_S", failover_pair.DEAD_S + STEP_S)
    standby, node = stage.lab["secondary"], stage.lab.nodes["secondary"]
    clock = iter([ClockOffset(0, 0), ClockOffset(STEP_S * NS, 0)])
    monkeypatch.setattr(standby, "clock", lambda: next(clock))
    standby.put = lambda *_: None

    asked_first = list[float]()

    def said(_: str) -> str:
        asked_first.append(node._heard)
        if node._heard == asked_first[0]:
            return ""
        heard_ns = time.time_ns() - int((time.monotonic() - node._heard) * NS)
        return f"armed\nset {heard_ns + standby.went_off_ns} 0" if node.active else "armed"

    standby.went_off_ns = 2 * NS
    standby.script = {f"cat {clocks.SAID}": said}
    return stage


def measured(stage: Stage) -> dict[str, object]:
    found: dict[str, object] = {}
    test_takeover.test_a_standby_whose_clock_is_set_back_waits_so_much_longer(
        stage.pair, found.__setitem__
    )
    return found


def test_how_much_longer_a_standby_waits_is_measured(stepping: Stage) -> None:
    (silence_s,) = measured(stepping).values()
    assert isinstance(silence_s, float)
    assert silence_s > failover_pair.DEAD_S - 0.5


def test_a_clock_that_was_set_too_late_is_no_measurement(stepping: Stage) -> None:
    stepping.lab["secondary"].went_off_ns = 3 * NS
    with pytest.raises(pytest.skip.Exception, match=r"3\.0 s after the active node's last"):
        measured(stepping)


def test_a_standby_that_waits_no_longer_is_seen(
    stepping: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover_pair, "DEAD_S", failover_pair.DEAD_S - STEP_S)
    with pytest.raises(AssertionError, match="is not longer by"):
        measured(stepping)
