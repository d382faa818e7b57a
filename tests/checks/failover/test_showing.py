"""FO-26, 31, 39, 49: what each of them has to say of one takeover."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy
from tests.checks.failover.recording import (
    ADDRESS,
    Run,
    passes,
    rejects,
    takeover,
    unsure,
)
from tests.checks.failover.tunnels import tunnels
from tests.checks.protocols import encoder


@pytest.mark.parametrize("requirement", ["FO-26", "FO-31"])
def test_a_takeover_as_it_should_be_passes(tmp_path: Path, requirement: str) -> None:
    passes(takeover(tmp_path).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-26", "FO-39", "FO-49"])
def test_after_kill_9_of_ucarp_the_virtual_ip_stays_on_the_old_node_too(
    tmp_path: Path, requirement: str
) -> None:
    run = tunnels(tmp_path, 61, fault="kill-ucarp")
    for at in range(17, 37):
        run.asked(at, "primary", "secondary")
    rejects(run.judge(requirement), "primary answers ARP for it while secondary is the active")


@pytest.mark.parametrize("requirement", ["FO-26", "FO-31", "FO-39", "FO-49"])
def test_a_fault_that_calls_for_no_takeover_shows_none(tmp_path: Path, requirement: str) -> None:
    run = tunnels(tmp_path, 61, fault="kill-openvpn")
    run.changed("fault.injected", expects_takeover=False)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    run.beats("primary", 10.2, 400, counter=1011)
    unsure(run.judge(requirement), "no fault was recorded that calls for a takeover")


@pytest.mark.parametrize("requirement", ["FO-26", "FO-31", "FO-39", "FO-49"])
def test_a_rogue_that_advertises_from_the_standbys_address_is_no_takeover(
    tmp_path: Path, requirement: str
) -> None:
    run = tunnels(tmp_path, 61)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    for at in range(13, 400):
        forged = encoder.carp(ADDRESS["secondary"], password="guessed", counter=2000 + at)
        run.frame(at + 0.5, "rogue/wire0", forged)
    rejects(run.judge(requirement), "secondary did not take over in")


def late_by_a_second(directory: Path) -> Run:
    """Let the second ARP and the log's lines come after 3.3 s."""
    run = takeover(directory).mapped(
        lambda at, _, raw: [(at + 1.3 if raw[12:14] == b"\x08\x06" and at > 15 else at, raw)]
    )
    run.events = [(16.5 if one[1] == "log.line" else one[0], *one[1:]) for one in run.events]
    return run


@pytest.mark.parametrize(
    ("requirement", "said"), [("FO-26", "1 gratuitous ARP(s)"), ("FO-31", "the MASTER line is 3.3")]
)
def test_what_a_busy_host_delays_after_a_takeover_says_nothing(
    tmp_path: Path, requirement: str, said: str
) -> None:
    run = late_by_a_second(tmp_path)
    rejects(run.judge(requirement), said)
    rejects(busy(run, "primary", 13.3, 16.5).judge(requirement), said)
    verdict = busy(run, "secondary", 13.3, 16.5).judge(requirement)
    unsure(verdict, said, "`secondary` was kept from running")
    assert verdict.late
