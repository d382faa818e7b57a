"""FO-41: the troubleshooting step of a stopped secondary, and each way of seeing too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import is_late
from tests.checks.failover.printed import lines, printed
from tests.checks.failover.recording import NS, passes, rejects, stamp, unsure


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
        ((0, 1, 2, 3, 4, 5), 14, "6 advertisement(s) of primary in 14 s, 8 are needed"),
    ],
)
def test_a_heartbeat_that_is_half_lost_is_rejected(
    tmp_path: Path, moments: tuple[float, ...], seconds: int, reason: str
) -> None:
    run = printed(tmp_path, lines(*moments), seconds=seconds)
    rejects(run.judge("FO-41"), reason)


def test_a_heartbeat_that_a_busy_host_thinned_out_says_nothing(tmp_path: Path) -> None:
    run = printed(tmp_path, lines(0, 2, 4, 6))
    run.event(4, "host.late", "host", of="primary", from_ns=stamp(2), kept_ns=2 * NS)
    unsure(run.judge("FO-41"), "was kept from running")


def test_a_listening_of_less_than_five_seconds_says_nothing(tmp_path: Path) -> None:
    unsure(printed(tmp_path, lines(0, 1, 2, 3), seconds=4).judge("FO-41"), "5 s are needed")


@pytest.mark.parametrize("text", ["0 packets captured", ""])
def test_a_filter_that_leaves_no_packet_is_rejected(tmp_path: Path, text: str) -> None:
    rejects(printed(tmp_path, text).judge("FO-41"), "saw 0 advertisement(s)")


def test_a_running_secondary_does_not_show_the_troubleshooting_step(tmp_path: Path) -> None:
    run = printed(tmp_path, lines(), stopped=False)
    unsure(run.judge("FO-41"), "0 tcpdump(s) on a node with its service stopped, 1 are needed")


@pytest.mark.parametrize("change", [("192.168.70.1 >", "192.168.70.2 >"), ("vrid 94", "vrid 95")])
def test_what_others_advertise_neither_helps_nor_harms(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    others = lines(change=change)
    passes(printed(tmp_path, f"{lines()}\n{others}").judge("FO-41"))
    rejects(printed(tmp_path, others).judge("FO-41"), "saw 0 advertisement(s)")


def test_a_line_that_is_printed_twice_is_one_packet(tmp_path: Path) -> None:
    twice = [at for second in range(0, 8, 2) for at in (second, second + 0.0004)]
    rejects(printed(tmp_path, lines(*twice)).judge("FO-41"), "3 in the 5 s from 18:15:53")


def test_what_a_node_sends_itself_it_does_not_hear(tmp_path: Path) -> None:
    sent = lines(change=(" M ", " Out "))
    rejects(printed(tmp_path, sent).judge("FO-41"), "saw 0 advertisement(s)")


def test_a_heartbeat_that_a_busy_wire_thinned_out_says_nothing(tmp_path: Path) -> None:
    run = printed(tmp_path, lines(0, 2, 4, 6))
    rejects(run.judge("FO-41"), "3 in the 5 s from")
    is_late(run, "FO-41", "wire", 2, 4)
