"""FO-26: announcements after a takeover, and who hears them."""

from __future__ import annotations

from pathlib import Path

from tests.checks.failover.crashes import busy
from tests.checks.failover.recording import (
    MAC,
    VIRTUAL_IP,
    rejects,
    takeover,
    unsure,
)


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
