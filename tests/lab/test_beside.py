"""What a thread does that nobody waits for, it does through every machine of a lab."""

from __future__ import annotations

from types import SimpleNamespace

from lab.lab import Lab
from lab.timing import Kind, Recorder, beside, spending


def ask(_machine: object) -> None:
    with spending(Kind.COMMAND):
        pass


def a_lab() -> SimpleNamespace:
    return SimpleNamespace(machines={name: SimpleNamespace(given_up=False) for name in "abc"})


def test_what_is_done_with_each_machine_beside_is_beside(recorder: Recorder) -> None:
    with beside():
        Lab.each(a_lab(), ask)  # type: ignore[arg-type]
    share = recorder.take().shares[Kind.COMMAND]
    assert (share.count, share.wall_s) == (3, 0)


def test_what_is_done_with_each_machine_otherwise_is_waited_for(recorder: Recorder) -> None:
    Lab.each(a_lab(), ask)  # type: ignore[arg-type]
    share = recorder.take().shares[Kind.COMMAND]
    assert share.count == 3
    assert share.wall_s > 0
