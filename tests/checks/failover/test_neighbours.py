"""FO-26: what a client's neighbour table shows, and when it was read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy
from tests.checks.failover.recording import MAC, VIRTUAL_IP, Run, passes, rejects, takeover, unsure
from tests.checks.failover.strangers import tagged


def read(run: Run, at: float, mac: str | None) -> Run:
    """Let the client's table be read at a moment."""
    run.event(at, "neighbour.seen", "client", address=VIRTUAL_IP, mac=mac)
    return run


def test_a_table_read_before_the_second_announcement_only_says_nothing(tmp_path: Path) -> None:
    run = read(takeover(tmp_path).without("neighbour.seen"), 13.3, MAC["primary"])
    unsure(run.judge("FO-26"), "read 0.1 s after")
    unsure(busy(run, "client", 13.1, 13.4).judge("FO-26"), "read 0.1 s after")
    passes(read(run, 17, MAC["secondary"]).judge("FO-26"))


def test_an_old_mac_in_the_table_once_it_was_announced_twice_is_rejected(tmp_path: Path) -> None:
    run = read(takeover(tmp_path).without("neighbour.seen"), 13.3, MAC["secondary"])
    rejects(read(run, 17, MAC["primary"]).judge("FO-26"), f"still has {MAC['primary']}")


@pytest.mark.parametrize("at", [13.3, 17])
def test_a_table_without_an_entry_keeps_no_old_mac(tmp_path: Path, at: float) -> None:
    run = read(takeover(tmp_path).without("neighbour.seen"), at, None)
    unsure(run.judge("FO-26"), "has no entry")


def test_announcements_in_a_vlan_reach_no_client(tmp_path: Path) -> None:
    run = takeover(tmp_path).mapped(
        lambda at, _, raw: [(at, tagged(raw) if raw[12:14] == b"\x08\x06" else raw)]
    )
    rejects(run.judge("FO-26"), "no gratuitous ARP of secondary")
