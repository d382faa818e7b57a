"""Whoever else advertises on the pair's LAN neither passes nor fails the pair, in any check.

`HEALTHY` has a recording for every requirement whose check reads the wire; add yours.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.failover.parted import platforms, split
from tests.checks.failover.recording import ADDRESS, Run, passes, rejects, steady, stopped, takeover
from tests.checks.failover.strangers import STRANGERS
from tests.checks.failover.test_returning import failback, loop, returned
from tests.checks.failover.test_serving import serving
from tests.checks.failover.test_vhids import moved, neighbours
from tests.checks.failover.tunnels import tunnels
from tests.checks.protocols import encoder


def tunnelled(directory: Path) -> Run:
    return tunnels(directory, 61)


HEALTHY: dict[str, Callable[[Path], Run]] = {
    **dict.fromkeys(("FO-12", "FO-13", "FO-14", "FO-15"), serving),
    **dict.fromkeys(("FO-16", "FO-17", "FO-18", "FO-19"), steady),
    **dict.fromkeys(("FO-20", "FO-24", "FO-25", "FO-26", "FO-31"), takeover),
    "FO-22": moved,
    "FO-27": stopped,
    "FO-28": returned,
    "FO-29": loop,
    "FO-30": failback,
    "FO-39": tunnelled,
    "FO-49": tunnelled,
    "FO-42": split,
    "FO-43": split,
    "FO-44": lambda directory: split(directory, "source-mac"),
    "FO-45": lambda directory: split(directory, "isolation"),
    "FO-48": platforms,
    "FO-23": neighbours,
}
NO_STRANGERS = {("FO-23", "a CARP pair, VHID 95")}
"""There it is the neighbour's own VHID: a third pair with it is what must not be."""
CASES = [
    (requirement, stranger)
    for requirement in HEALTHY
    for stranger in STRANGERS
    if (requirement, stranger) not in NO_STRANGERS
]


def second_master(run: Run) -> Run:
    """Let the standby advertise beside the active node, with that one's address."""
    for second in range(round(run.seconds)):
        raw = encoder.carp(ADDRESS["primary"], counter=90_000 + second)
        run.frame(second + 0.6, "secondary/wire0", raw)
    return run


@pytest.mark.parametrize("requirement", HEALTHY)
def test_the_recording_is_healthy(tmp_path: Path, requirement: str) -> None:
    passes(HEALTHY[requirement](tmp_path).judge(requirement))


@pytest.mark.parametrize(("requirement", "stranger"), CASES)
def test_a_stranger_on_the_lan_changes_nothing(
    tmp_path: Path, requirement: str, stranger: str
) -> None:
    passes(STRANGERS[stranger](HEALTHY[requirement](tmp_path)).judge(requirement))


@pytest.mark.parametrize(("requirement", "stranger"), CASES)
def test_a_stranger_does_not_stand_in_for_a_silent_pair(
    tmp_path: Path, requirement: str, stranger: str
) -> None:
    run = HEALTHY[requirement](tmp_path)
    run.frames = [frame for frame in run.frames if frame[2][12:14] != b"\x08\x00"]
    assert STRANGERS[stranger](run).judge(requirement).status is not Status.PASS


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("requirement", ["FO-12", "FO-15", "FO-16", "FO-17"])
def test_a_stranger_hides_no_second_master(tmp_path: Path, requirement: str, stranger: str) -> None:
    run = second_master(HEALTHY[requirement](tmp_path))
    rejects(STRANGERS[stranger](run).judge(requirement))
