"""Watching how late processes were: what is told of, as how many pieces, and what is passed over.

The test's own clock goes on by a tick whenever the watch looks, and the watch's thread is kept
waiting for ever: every look is one that the test asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import lateness
from lab.errors import MachineError
from lab.lateness import LATE_NS, LONGEST_NS, Late, LatenessWatch, processes, switched_on
from tests.lab.host_files import HostFiles

MS = 1_000_000
TICK_NS = 200 * MS
WALL_NS = 1_700_000_000_000_000_000
NEVER_S = 3600.0


class Clock:
    """Two clocks of a host that go alike, until somebody sets the one on the wall."""

    def __init__(self) -> None:
        self.at_ns, self.wall_ns = 0, WALL_NS

    def pass_by(self, ns: int = TICK_NS) -> None:
        self.at_ns += ns
        self.wall_ns += ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    told = SimpleNamespace(time_ns=lambda: one.wall_ns, monotonic_ns=lambda: one.at_ns)
    monkeypatch.setattr(lateness, "time", told)
    return one


class Watched:
    """A host with the machine "a" (process 7, one processor 8) and the wire (process 9)."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.host = HostFiles(folder)
        self.clock = clock
        self.running = {"a": 7, "wire": 9}
        self._delays = {7: 0, 8: 0, 9: 0}
        self._write()

    def _write(self) -> None:
        self.host.process(7, {7: self._delays[7], 8: self._delays[8]})
        self.host.process(9, {9: self._delays[9]})

    def later(self, **kept_ns: int) -> None:
        """Let a tick pass in which these were kept from running for so long."""
        self._delays[8] += kept_ns.get("a", 0)
        self._delays[9] += kept_ns.get("wire", 0)
        self._write()
        self.clock.pass_by()

    def processes(self) -> Mapping[str, int]:
        return self.running


@pytest.fixture
def watched(tmp_path: Path, clock: Clock) -> Watched:
    return Watched(tmp_path, clock)


@pytest.fixture
def watch(watched: Watched) -> Iterator[LatenessWatch]:
    with LatenessWatch(watched.processes, proc=watched.host.proc, every_s=NEVER_S) as one:
        yield one


def look(watch: LatenessWatch, watched: Watched, *kept_ns: int) -> None:
    """Look after each of several ticks, in which "a" was kept from running for so long."""
    for kept in kept_ns:
        watched.later(a=kept)
        watch._look()


def test_a_host_that_is_not_busy_leaves_nothing(watch: LatenessWatch, watched: Watched) -> None:
    look(watch, watched, 0, LATE_NS - 1, 0)
    assert watch.take() == []


def test_who_was_kept_from_running_is_told_with_from_until_and_for_how_long(
    watch: LatenessWatch, watched: Watched
) -> None:
    look(watch, watched, 0, LATE_NS, 0)
    assert watch.take() == [Late("a", WALL_NS + TICK_NS, WALL_NS + 2 * TICK_NS, LATE_NS, 0)]


def test_what_was_told_is_not_told_again(watch: LatenessWatch, watched: Watched) -> None:
    look(watch, watched, 150 * MS)
    assert len(watch.take()) == 1
    assert watch.take() == []


def test_what_happened_before_the_watch_began_is_not_told(tmp_path: Path, clock: Clock) -> None:
    watched = Watched(tmp_path, clock)
    watched.later(a=5_000 * MS)
    with LatenessWatch(watched.processes, proc=watched.host.proc, every_s=NEVER_S) as watch:
        watched.later()
        assert watch.take() == []


def test_readings_that_were_late_one_after_another_are_one(
    watch: LatenessWatch, watched: Watched
) -> None:
    look(watch, watched, 100 * MS, 150 * MS, 30 * MS)
    (late,) = watch.take()
    assert late.kept_ns == 280 * MS
    assert late.until_ns - late.from_ns == 3 * TICK_NS


def test_a_reading_that_was_in_time_parts_two_that_were_late(
    watch: LatenessWatch, watched: Watched
) -> None:
    look(watch, watched, 100 * MS, 0, 100 * MS)
    assert [late.from_ns for late in watch.take()] == [WALL_NS, WALL_NS + 2 * TICK_NS]


def test_a_long_time_is_told_in_pieces_and_nothing_of_it_is_lost(
    watch: LatenessWatch, watched: Watched
) -> None:
    look(watch, watched, *[100 * MS] * 23)
    told = watch.take()
    assert sum(late.kept_ns for late in told) == 2300 * MS
    assert max(late.until_ns - late.from_ns for late in told) == LONGEST_NS
    assert all(one.until_ns == next_.from_ns for one, next_ in pairwise(told))


def test_a_look_that_comes_late_loses_nothing_but_the_moment(
    watch: LatenessWatch, watched: Watched
) -> None:
    for _ in range(15):
        watched.later(a=100 * MS)
    (late,) = watch.take()
    assert (late.from_ns, late.until_ns) == (WALL_NS, WALL_NS + 15 * TICK_NS)
    assert late.kept_ns == 1500 * MS


def test_a_wait_of_several_readings_that_is_told_at_its_end_is_dated_back(
    watch: LatenessWatch, watched: Watched
) -> None:
    look(watch, watched, 0, 0, 0, 700 * MS)
    (late,) = watch.take()
    assert late.kept_ns == 700 * MS
    assert late.until_ns == WALL_NS + 4 * TICK_NS
    assert late.from_ns == late.until_ns - 700 * MS


def test_what_is_dated_back_makes_one_with_what_was_told_before(
    watch: LatenessWatch, watched: Watched
) -> None:
    look(watch, watched, 100 * MS, 300 * MS)
    (late,) = watch.take()
    assert (late.from_ns, late.until_ns) == (WALL_NS, WALL_NS + 2 * TICK_NS)
    assert late.kept_ns == 400 * MS


def test_the_wire_is_late_by_itself(watch: LatenessWatch, watched: Watched) -> None:
    watched.later(wire=60 * MS)
    assert [(late.of, late.kept_ns) for late in watch.take()] == [("wire", 60 * MS)]


def test_how_long_anybody_waited_stands_beside_it(watch: LatenessWatch, watched: Watched) -> None:
    watched.host.pressure(90_000)
    look(watch, watched, 80 * MS)
    watched.host.pressure(100_000)
    look(watch, watched, 80 * MS)
    assert [late.pressure_ns for late in watch.take()] == [100 * MS]


def test_a_host_that_tells_no_pressure_tells_the_rest(
    watch: LatenessWatch, watched: Watched
) -> None:
    (watched.host.proc / "pressure" / "cpu").unlink()
    look(watch, watched, 80 * MS, 80 * MS)
    assert [(late.kept_ns, late.pressure_ns) for late in watch.take()] == [(160 * MS, None)]


def test_a_machine_that_is_switched_off_is_passed_over(
    watch: LatenessWatch, watched: Watched
) -> None:
    look(watch, watched, 50 * MS)
    del watched.running["a"]
    watched.host.end(7)
    watched.clock.pass_by()
    assert [late.kept_ns for late in watch.take()] == [50 * MS]


def test_a_machine_that_comes_back_is_another_process_that_begins_anew(
    watch: LatenessWatch, watched: Watched
) -> None:
    look(watch, watched, 50 * MS)
    watched.running["a"] = 70
    watched.host.process(70, {70: 900 * MS})
    watched.clock.pass_by()
    watch._look()
    watched.host.process(70, {70: 940 * MS})
    watched.clock.pass_by()
    first, second = watch.take()
    assert (first.kept_ns, second.kept_ns) == (50 * MS, 40 * MS)
    assert second.from_ns == first.until_ns + TICK_NS


def test_a_clock_that_is_set_does_not_make_a_reading_longer(
    watch: LatenessWatch, watched: Watched
) -> None:
    watched.clock.wall_ns += 60_000 * MS
    look(watch, watched, 50 * MS)
    (late,) = watch.take()
    assert late.until_ns - late.from_ns == TICK_NS


def test_a_kernel_that_tells_nothing_is_said_and_never_looked_at(watched: Watched) -> None:
    (watched.host.proc / "self" / "schedstat").unlink()
    with LatenessWatch(watched.processes, proc=watched.host.proc, every_s=NEVER_S) as watch:
        watched.later(a=150 * MS)
        assert watch.take() == []
    assert "schedstat" in watch.not_measured


def test_a_look_that_fails_breaks_no_scenario_and_is_said(watched: Watched) -> None:
    def broken() -> Mapping[str, int]:
        raise RuntimeError("no such lab")

    with LatenessWatch(broken, proc=watched.host.proc, every_s=NEVER_S) as watch:
        assert watch.take() == []
    assert "no such lab" in watch.not_measured


def test_a_machine_that_is_on_and_cannot_be_measured_is_said(watched: Watched) -> None:
    del watched.running["a"]  # nobody finds out its process
    with LatenessWatch(
        watched.processes, lambda: {"a"}, proc=watched.host.proc, every_s=NEVER_S
    ) as watch:
        watched.later(wire=60 * MS)
        assert [late.of for late in watch.take()] == ["wire"]  # the others are measured on
    assert watch.unmeasured == "a is on, and how late it was cannot be read"


def test_a_machine_that_is_on_and_whose_process_tells_nothing_is_said(watched: Watched) -> None:
    watched.host.end(7)
    with LatenessWatch(
        watched.processes, lambda: {"a"}, proc=watched.host.proc, every_s=NEVER_S
    ) as watch:
        watch.take()
    assert watch.unmeasured.startswith("a is on")


def test_a_machine_that_is_on_and_measured_or_goes_off_meanwhile_is_not_said(
    watched: Watched,
) -> None:
    on = [{"a"}, {"a"}, {"a", "b"}, {"a"}]
    with LatenessWatch(
        watched.processes, lambda: on.pop(0), proc=watched.host.proc, every_s=NEVER_S
    ) as watch:
        assert len(on) == 2
        watch.take()
    assert (watch.unmeasured, on) == ("", [])


def test_a_hypervisor_that_does_not_say_what_is_on_breaks_no_scenario(watched: Watched) -> None:
    def gone() -> set[str]:
        raise MachineError("cannot ask for the state of a")

    with LatenessWatch(watched.processes, gone, proc=watched.host.proc, every_s=NEVER_S) as watch:
        watch.take()
    assert "cannot ask for the state of a" in watch.unmeasured


def test_a_hypervisor_of_the_labs_own_need_not_be_asked_what_is_on(tmp_path: Path) -> None:
    own, shared = (pretended_lab(tmp_path, private=private) for private in (True, False))
    shared.hypervisor.is_on = lambda name: name == "lab-b"
    assert (switched_on(own), switched_on(shared)) == (set(), {"b"})


def test_the_watch_looks_by_itself_and_its_thread_ends_with_the_block(tmp_path: Path) -> None:
    host = HostFiles(tmp_path)
    asked = 0

    def count() -> Mapping[str, int]:
        nonlocal asked
        asked += 1
        if asked == 3:
            thread.append(lateness.threading.current_thread())
        return {}

    thread: list[Any] = []
    with LatenessWatch(count, proc=host.proc, every_s=0.001) as watch:
        while not thread:
            watch._over.wait(0.001)
    assert not thread[0].is_alive()


def pretended_lab(folder: Path, *, private: bool) -> Any:
    return SimpleNamespace(
        directory=folder,
        wire=SimpleNamespace(pid=9),
        hypervisor=SimpleNamespace(private=private),
        machines={"a": None, "b": None},
        domain_name=lambda name: name if private else f"lab-{name}",
    )


@pytest.mark.parametrize("private", [True, False])
def test_libvirt_says_which_process_a_machine_is_and_one_that_is_off_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    folder = tmp_path / "run" / "libvirt" / "qemu" / "run"
    folder.mkdir(parents=True)
    lab = pretended_lab(tmp_path, private=private)
    (folder / f"{lab.domain_name('a')}.pid").write_text("1234")
    assert processes(lab) == {"a": 1234, "wire": 9, "scenario": os.getpid()}
