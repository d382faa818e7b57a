"""FO-26: announcements after a takeover, and who hears them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.recording import (
    MAC,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    takeover,
    unsure,
)
from tests.checks.failover.test_keepalived import failed_back
from tests.checks.protocols import encoder


def test_dropped_announcements_are_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    run.frames = [
        (at, port, raw, "dropped by rule 1" if raw[12:14] == b"\x08\x06" else note)
        for at, port, raw, note in run.frames
    ]
    rejects(run.judge("FO-26"), "no gratuitous ARP")


def test_a_single_announcement_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path)
    last = max(at for at, _, raw, _ in run.frames if raw[12:14] == b"\x08\x06")
    run.mapped(lambda at, _, raw: [] if at == last else [(at, raw)])
    rejects(run.judge("FO-26"), "1 gratuitous ARP(s)")


def test_a_client_that_keeps_the_old_mac_is_rejected(tmp_path: Path) -> None:
    run = takeover(tmp_path).changed("neighbour.seen", mac=MAC["primary"])
    rejects(run.judge("FO-26"), "still has 02:00:00:00:00:01")


def test_a_client_whose_neighbours_nobody_read_shows_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).without("neighbour.seen")
    unsure(run.judge("FO-26"), "no client's neighbour table was read")


def test_a_first_announcement_that_a_busy_host_delays_says_nothing(tmp_path: Path) -> None:
    run = takeover(tmp_path).mapped(
        lambda at, _, raw: [(at + 0.5 if raw[12:14] == b"\x08\x06" else at, raw)]
    )
    rejects(run.judge("FO-26"), "came 0.500 s from the first advertisement")
    unsure(busy(run, "wire", 13.2, 13.7).judge("FO-26"), "`wire` was kept from running")


def test_a_takeover_watched_for_less_than_the_second_announcement_takes_says_nothing(
    tmp_path: Path,
) -> None:
    run = takeover(tmp_path).without("fault.watched")
    run.event(14.9, "fault.watched", "scenario", node="primary")
    run.event(14, "neighbour.seen", "client", address=VIRTUAL_IP, mac=MAC["secondary"])
    unsure(run.judge("FO-26"), "watched for only 1.7 s")


def announced_at(directory: Path, *after: float, fault: str = "power-off") -> Run:
    """Let the new holder announce itself so many seconds after its first advertisement, only."""
    run = takeover(directory, fault=fault)
    run.frames = [one for one in run.frames if one[2][12:14] != b"\x08\x06"]
    for offset in after:
        run.frame(13.2 + offset, "secondary/wire0", encoder.gratuitous(MAC["secondary"]))
    return run


@pytest.mark.parametrize("apart", [0.005, 1.4])
def test_a_second_announcement_right_after_the_first_is_rejected(
    tmp_path: Path, apart: float
) -> None:
    verdict = announced_at(tmp_path, 0, apart).judge("FO-26")
    rejects(verdict, "1 gratuitous ARP(s) in 3 s, 1.5 s or more apart, not 2")


def test_one_more_announcement_between_the_two_is_one_for_a_worse_master(tmp_path: Path) -> None:
    passes(announced_at(tmp_path, 0, 0.7, 2.0).judge("FO-26"))


def test_a_first_announcement_that_a_busy_host_delays_does_not_bring_the_second_too_soon(
    tmp_path: Path,
) -> None:
    run = announced_at(tmp_path, 0, 1.3)
    rejects(busy(run, "secondary", 13.3, 14.0).judge("FO-26"), "1 gratuitous ARP(s) in 3 s")
    is_late(run, "FO-26", "wire", 12.6, 13.2)


def announced(directory: Path, after: float) -> Run:
    """Let keepalived announce itself so long after it has advertised, many times at once."""
    run = failed_back(directory).changed("fault.injected", fault="power-off")
    run.event(15, "neighbour.seen", "client", address=VIRTUAL_IP, mac=MAC["primary"])
    for offset in (0, 0.001, 0.002, 5):
        run.frame(10.73 + after + offset, "primary/wire0", encoder.gratuitous(MAC["primary"]))
    return run


@pytest.mark.parametrize("after", [0, 0.15, 0.29])
def test_keepalived_announces_itself_after_it_has_the_address(tmp_path: Path, after: float) -> None:
    passes(announced(tmp_path, after).judge("FO-26"))


def test_keepalived_that_announces_itself_too_late_is_rejected(tmp_path: Path) -> None:
    rejects(announced(tmp_path, 0.4).judge("FO-26"), "came 0.400 s", "limit 0.3 s")
