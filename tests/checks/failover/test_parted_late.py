"""FO-42 to 45, 48: a busy host moves the role, or keeps a node from taking it: no verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.parted import filtered_twice, platforms, split
from tests.checks.failover.recording import Run, rejects


def taken(run: Run, silent: tuple[float, float], second: tuple[float, float]) -> Run:
    """Let the primary be silent in a span, and the secondary advertise in another."""
    run.frames = [
        one for one in run.frames if one[1][0] != "p" or not silent[0] < one[0] < silent[1]
    ]
    run.beats("secondary", *second, counter=9000)
    return run


def under_a_guests_firewall(directory: Path) -> Run:
    return taken(filtered_twice(directory), (41.5, 46.5), (45.2, 47))


def test_a_role_that_a_busy_host_moves_under_a_guests_firewall_says_nothing(
    tmp_path: Path,
) -> None:
    run = under_a_guests_firewall(tmp_path)
    rejects(run.judge("FO-42"), "firewall gave 2 masters")
    rejects(busy(run, "primary", 44.9, 46.5).judge("FO-42"), "firewall gave 2 masters")
    is_late(run, "FO-42", "primary", 41.2, 46.5)


def test_two_masters_for_long_under_a_guests_firewall_are_rejected_on_a_busy_host_too(
    tmp_path: Path,
) -> None:
    run = taken(filtered_twice(tmp_path), (41.5, 45), (44.7, 50))
    rejects(busy(run, "primary", 41.2, 45).judge("FO-42"), "firewall gave 2 masters")


def on_a_plain_network(directory: Path) -> Run:
    return taken(platforms(directory), (11.5, 15.5), (14.8, 16))


def test_a_role_that_a_busy_host_moves_on_a_plain_network_says_nothing(tmp_path: Path) -> None:
    run = on_a_plain_network(tmp_path)
    rejects(run.judge("FO-48"), "plain: 2 master(s), expected 1")
    is_late(run, "FO-48", "primary", 11.2, 15.9)


def test_a_role_that_moves_once_more_than_a_busy_host_explains_is_rejected(
    tmp_path: Path,
) -> None:
    run = on_a_plain_network(tmp_path)
    run.beats("secondary", 19.8, 20, counter=9500)
    rejects(busy(run, "primary", 11.2, 15.5).judge("FO-48"), "plain: 2 master(s), expected 1")


@pytest.mark.parametrize("requirement", ["FO-43", "FO-44"])
def test_a_role_that_a_busy_host_moves_long_after_the_healing_says_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = taken(split(tmp_path, "source-mac"), (44.1, 49), (47.9, 49.8))
    rejects(run.judge(requirement), "2 masters 3.0 s after the filter's end")
    is_late(run, requirement, "primary", 44, 49)


@pytest.mark.parametrize(
    ("requirement", "name"), [("FO-42", "vrrp"), ("FO-44", "source-mac"), ("FO-45", "isolation")]
)
def test_a_node_that_a_busy_host_keeps_from_acting_under_a_filter_says_nothing(
    tmp_path: Path, requirement: str, name: str
) -> None:
    run = split(tmp_path, name)
    run.frames = [one for one in run.frames if one[1][0] == "p" or not 13 < one[0] < 30]
    rejects(run.judge(requirement), "not two masters at once")
    rejects(busy(run, "secondary", 10.5, 20).judge(requirement), "not two masters at once")
    rejects(busy(run, "primary", 10.5, 30).judge(requirement), "not two masters at once")
    is_late(run, requirement, "secondary", 10.5, 30)
