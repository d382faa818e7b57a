"""Whoever dies, or two at once: nothing of the lab is left running."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress

import pytest

from lab.errors import WireError
from lab.guardian.belonging import processes_of
from lab.guardian.line import Guardian
from lab.marker import mark, seized
from lab.wait import until
from lab.wire import Wire
from tests.guardian.conftest import WITHIN, Lab, ends


def pid_of(lab: Lab, name: str) -> int:
    """Return the id of the lab's process of that name, once it is there."""

    def found() -> int | None:
        return next((one.pid for one in processes_of(lab.directory) if one.name == name), None)

    return until(found, WITHIN, f"the {name} to be there", every=0.01)


def end_at_once(pidfd: int) -> None:
    with suppress(ProcessLookupError):  # it has seen its owner die, and was faster
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def kill(lab: Lab, pid: int) -> int:
    """Kill one of the lab's processes, if it has not ended just now; return a pidfd of it."""
    pidfd = lab.watch(pid)
    end_at_once(pidfd)
    return pidfd


def nothing_left(lab: Lab) -> None:
    until(lambda: not processes_of(lab.directory), WITHIN, "the lab to end", every=0.01)


def start(lab: Lab, **options: object) -> Wire:
    return Wire.start(lab.directory, [], capture=lab.directory / "wire.pcapng", **options)


def test_when_the_owner_is_killed_machines_and_wire_end(lab: Lab) -> None:
    machine = lab.machine()
    owner, watched = lab.owner()
    owner.kill()
    assert machine.wait(WITHIN) == -signal.SIGTERM
    assert ends(watched)
    nothing_left(lab)
    assert not (lab.directory / "wire.sock").exists()


def test_when_owner_and_wire_are_killed_at_once_machines_end(lab: Lab) -> None:
    machine = lab.machine()
    owner, wire = lab.owner()
    owner.kill()
    end_at_once(wire)
    assert machine.wait(WITHIN) == -signal.SIGTERM
    nothing_left(lab)
    assert (
        f"ended qemu-system-x86_64 ({machine.pid})" in (lab.directory / "guardian.log").read_text()
    )


def test_when_owner_and_guardian_are_killed_at_once_machines_end(lab: Lab) -> None:
    machine = lab.machine()
    owner, _ = lab.owner()
    guardian = pid_of(lab, "guardian")
    owner.kill()
    kill(lab, guardian)
    assert machine.wait(WITHIN) == -signal.SIGTERM
    nothing_left(lab)


def test_when_the_wire_of_a_lab_that_was_left_up_is_killed_machines_end(lab: Lab) -> None:
    machine = lab.machine()
    owner, wire = lab.owner("disown")
    owner.kill()
    owner.wait(WITHIN)
    end_at_once(wire)
    assert machine.wait(WITHIN) == -signal.SIGTERM
    nothing_left(lab)


def test_when_the_owner_dies_and_the_wire_hangs_machines_end(lab: Lab) -> None:
    machine = lab.machine()
    owner, watched = lab.owner()
    signal.pidfd_send_signal(watched, signal.SIGSTOP)
    owner.kill()
    assert machine.wait(WITHIN) == -signal.SIGTERM
    assert ends(watched)
    nothing_left(lab)


def test_what_comes_up_while_a_lab_is_ended_is_ended_too(lab: Lab) -> None:
    early = lab.machine()
    owner, wire = lab.owner()
    owner.kill()
    end_at_once(wire)
    assert early.wait(WITHIN) == -signal.SIGTERM
    log = lab.directory / "guardian.log"
    until(lambda: f"({early.pid})" in log.read_text(), WITHIN, "it to be noted", every=0.01)
    late = lab.machine()
    assert late.wait(WITHIN) == -signal.SIGTERM
    nothing_left(lab)


def test_a_guardian_that_is_killed_has_a_successor_that_guards(lab: Lab) -> None:
    machine = lab.machine()
    owner, wire = lab.owner()
    first = pid_of(lab, "guardian")
    assert ends(kill(lab, first))
    assert pid_of(lab, "guardian") != first
    assert machine.poll() is None
    owner.kill()
    end_at_once(wire)
    assert machine.wait(WITHIN) == -signal.SIGTERM
    nothing_left(lab)


def test_where_no_guardian_lives_the_lab_ends(lab: Lab) -> None:
    machine = lab.machine()
    _, watched = lab.owner()
    for _ in range(10):
        if ends(watched, 0):
            break
        pid = pid_of(lab, "guardian")
        assert ends(kill(lab, pid))
        until(
            lambda last=pid: ends(watched, 0) or pid_of_any(lab, last),
            WITHIN,
            "another guardian, or the end",
            every=0.01,
        )
    assert ends(watched)
    assert machine.wait(WITHIN) == -signal.SIGTERM


def pid_of_any(lab: Lab, but: int) -> bool:
    return any(one.name == "guardian" and one.pid != but for one in processes_of(lab.directory))


def test_sigterm_to_the_wire_ends_the_machines_too(lab: Lab) -> None:
    machine = lab.machine()
    with start(lab) as wire:
        os.kill(wire.pid, signal.SIGTERM)
        assert machine.wait(WITHIN) == -signal.SIGTERM


def test_stopping_the_wire_leaves_the_machines_to_its_owner(lab: Lab) -> None:
    machine = lab.machine()
    with start(lab):
        pass
    assert machine.poll() is None
    assert [one.name for one in processes_of(lab.directory)] == ["qemu-system-x86_64"]


def test_the_owner_may_die_between_stopping_the_wire_and_ending_the_machines(lab: Lab) -> None:
    machine = lab.machine()
    guardian = Guardian.start(lab.directory)
    with start(lab, guardian=guardian):
        pass
    assert machine.poll() is None
    assert [one.name for one in processes_of(lab.directory) if one.name == "guardian"]
    guardian.close()  # as if its process had died
    assert machine.wait(WITHIN) == -signal.SIGTERM


def test_an_owner_may_die_before_its_wire_is_there(lab: Lab) -> None:
    machine = lab.machine()
    Guardian.start(lab.directory).close()
    assert machine.wait(WITHIN) == -signal.SIGTERM


def test_a_wire_that_cannot_start_brings_nothing_down(lab: Lab) -> None:
    machine = lab.machine()
    with start(lab), pytest.raises(WireError, match="serves"):
        Wire.start(lab.directory, [], capture=lab.directory / "other.pcapng")
    assert machine.poll() is None


def test_a_disowned_lab_outlives_its_owner_and_can_be_adopted(lab: Lab) -> None:
    machine = lab.machine()
    owner, watched = lab.owner("disown")
    owner.kill()
    owner.wait(WITHIN)
    adopter = Wire.connect(lab.directory)
    adopter.adopt()
    assert machine.poll() is None
    adopter.close()  # as if its process had died
    assert machine.wait(WITHIN) == -signal.SIGTERM
    assert ends(watched)
    nothing_left(lab)


def test_an_owned_lab_cannot_be_adopted(lab: Lab) -> None:
    with (
        start(lab),
        Wire.connect(lab.directory) as other,
        pytest.raises(WireError, match="has an owner"),
    ):
        other.adopt()


def test_the_owner_learns_that_the_wire_was_killed(lab: Lab) -> None:
    died = threading.Event()
    with start(lab, on_death=died.set) as wire:
        os.kill(wire.pid, signal.SIGKILL)
        assert died.wait(WITHIN)
        assert not wire.alive


def test_a_wire_that_is_stopped_is_not_reported_dead(lab: Lab) -> None:
    died = threading.Event()
    with start(lab, on_death=died.set) as wire:
        wire.stop()
    assert not died.is_set()


@pytest.mark.parametrize(("stopped", "killed"), [("wire", "guardian"), ("guardian", "wire")])
def test_wire_and_guardian_both_keep_a_lab_locked(lab: Lab, stopped: str, killed: str) -> None:
    mark(lab.directory)
    owner, _ = lab.owner("disown")
    owner.kill()
    owner.wait(WITHIN)
    assert locked(lab)
    last = lab.watch(pid_of(lab, stopped))
    signal.pidfd_send_signal(last, signal.SIGSTOP)  # it does not notice what follows
    assert ends(kill(lab, pid_of(lab, killed)))
    assert locked(lab)
    end_at_once(last)
    assert ends(last)
    nothing_left(lab)
    assert not locked(lab)


def locked(lab: Lab) -> bool:
    with seized(lab.directory) as free:
        return not free
