"""FO-41: the troubleshooting step of a stopped secondary, and each way of seeing too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.printed import lines, printed
from tests.checks.failover.recording import passes, rejects, unsure


def test_a_stopped_secondary_that_sees_the_heartbeat_passes(tmp_path: Path) -> None:
    passes(printed(tmp_path, lines()).judge("FO-41"))


def test_a_heartbeat_seen_over_midnight_passes(tmp_path: Path) -> None:
    passes(printed(tmp_path, lines(start="23:59:57")).judge("FO-41"))


@pytest.mark.parametrize(
    ("moments", "seconds", "reason"),
    [
        ((0, 1, 2, 3), 60, "4 advertisement(s) of primary in 60 s, 48 are needed"),
        ((0, 20, 40, 59), 60, "4 advertisement(s) of primary in 60 s"),
        ((0, 2, 4, 6), 8, "3 in the 5 s from 18:15:53"),
        ((0, 1, 2, 3, 7, 8, 9, 10), 12, "3 in the 5 s from 18:15:54"),
    ],
)
def test_a_heartbeat_that_is_half_lost_is_rejected(
    tmp_path: Path, moments: tuple[float, ...], seconds: int, reason: str
) -> None:
    run = printed(tmp_path, lines(*moments), seconds=seconds)
    rejects(run.judge("FO-41"), reason)


def test_a_listening_of_less_than_five_seconds_says_nothing(tmp_path: Path) -> None:
    unsure(printed(tmp_path, lines(0, 1, 2, 3), seconds=4).judge("FO-41"), "5 s are needed")


def test_a_filter_that_leaves_no_packet_is_rejected(tmp_path: Path) -> None:
    rejects(printed(tmp_path, "0 packets captured").judge("FO-41"), "saw 0 advertisement(s)")


def test_a_running_secondary_does_not_show_the_troubleshooting_step(tmp_path: Path) -> None:
    unsure(printed(tmp_path, lines(), stopped=False).judge("FO-41"))
