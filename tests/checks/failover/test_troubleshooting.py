"""FO-41: tcpdump on a stopped node: at least 4 of the guide's lines in each 5 s."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from checks.protocols import tcpdump
from tests.checks.failover.recording import Run, passes, rejects, unsure

EVERY_SECOND = tuple(range(9))


def lines(
    *seconds: float, start: str = "18:15:53", source: str = "192.168.70.1", vrid: int = 94
) -> str:
    """Print the guide's line at so many seconds after `start`."""
    text = tcpdump.GUIDE_SAMPLE.replace("00:5f", f"00:{vrid:02x}")
    text = text.replace("vrid 94", f"vrid {vrid}").replace("192.168.70.1 >", f"{source} >")
    begun = datetime.strptime(start, "%H:%M:%S")
    stamps = [begun + timedelta(seconds=second) for second in seconds or EVERY_SECOND]
    return "\n".join(text.replace("18:15:53.000605", f"{at:%H:%M:%S.%f}") for at in stamps)


def printed(directory: Path, text: str, *, stopped: bool = True, seconds: float = 8) -> Run:
    run = Run(directory, 10)
    shown = {"text": text, "seconds": seconds, "service_stopped": stopped}
    run.event(5, "tcpdump.printed", "secondary", **shown)
    return run


@pytest.mark.parametrize("start", ["18:15:53", "23:59:57"])
def test_a_stopped_secondary_that_sees_the_heartbeat_passes(tmp_path: Path, start: str) -> None:
    passes(printed(tmp_path, lines(start=start)).judge("FO-41"))


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
    rejects(printed(tmp_path, lines(*moments), seconds=seconds).judge("FO-41"), reason)


def test_a_listening_of_less_than_five_seconds_says_nothing(tmp_path: Path) -> None:
    unsure(printed(tmp_path, lines(0, 1, 2, 3), seconds=4).judge("FO-41"), "5 s are needed")


@pytest.mark.parametrize("text", ["0 packets captured", ""])
def test_a_filter_that_leaves_no_packet_is_rejected(tmp_path: Path, text: str) -> None:
    rejects(printed(tmp_path, text).judge("FO-41"), "saw 0 advertisement(s)")


def test_a_running_secondary_does_not_show_the_troubleshooting_step(tmp_path: Path) -> None:
    run = printed(tmp_path, lines(), stopped=False)
    unsure(run.judge("FO-41"), "0 tcpdump(s) on a node with its service stopped, 1 are needed")


@pytest.mark.parametrize(
    "other", [{"source": "192.168.70.50", "vrid": 95}, {"source": "192.168.70.2"}]
)
def test_what_others_advertise_neither_helps_nor_harms(
    tmp_path: Path, other: dict[str, object]
) -> None:
    strange = lines(**other)
    passes(printed(tmp_path, f"{lines()}\n{strange}").judge("FO-41"))
    rejects(printed(tmp_path, strange).judge("FO-41"), "saw 0 advertisement(s)")
