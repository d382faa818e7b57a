"""A pair in a network that is no /24: checks go by prefix lengths, not by how addresses look."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from evidence.events.setup import CommitAttempted
from tests.checks.failover.recording import ADDRESS, passes, rejects, unsure
from tests.checks.failover.test_setup import prepared
from tests.score.healthy import FAILOVER


@pytest.mark.parametrize("requirement", sorted(FAILOVER))
def test_a_good_run_passes_whatever_the_nodes_addresses_share(
    requirement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # ucarp on x86 prefers the primary: as little-endian numbers, 10.0.2.1 is below 10.0.1.5
    monkeypatch.setitem(ADDRESS, "primary", "10.0.2.1")
    monkeypatch.setitem(ADDRESS, "secondary", "10.0.1.5")
    passes(FAILOVER[requirement](tmp_path).judge(requirement))


@pytest.mark.parametrize(
    ("network", "virtual_ip"),
    [
        ("192.168.70.1/25", "192.168.70.200"),  # a /24 would hold it
        ("10.0.2.1/22", "10.0.4.1"),
        ("10.0.2.1/22", "9.255.255.255"),
        ("10.0.0.16/28", "10.0.0.32"),
        ("10.0.0.0/31", "10.0.0.2"),
    ],
)
def test_a_virtual_ip_outside_any_subnet_has_to_be_refused(
    tmp_path: Path, network: str, virtual_ip: str
) -> None:
    run = prepared(tmp_path)
    run.changed("commit.attempted", network=network, virtual_ip=virtual_ip)
    passes(run.judge("FO-10"))
    run.changed("commit.attempted", accepted=True)
    rejects(run.judge("FO-10"), f"{virtual_ip} is accepted in {network}")


@pytest.mark.parametrize(
    ("network", "virtual_ip"),
    [
        ("192.168.70.1/23", "192.168.71.222"),
        ("10.0.2.1/22", "10.0.3.254"),
        ("10.0.0.1/8", "10.9.9.9"),
    ],
)
def test_what_only_looks_outside_shows_nothing(
    tmp_path: Path, network: str, virtual_ip: str
) -> None:
    run = prepared(tmp_path)
    run.changed("commit.attempted", network=network, virtual_ip=virtual_ip)
    unsure(run.judge("FO-10"), "no virtual IP outside the subnet was tried")


@pytest.mark.parametrize("network", ["192.168.70.1", "192.168.70.0/33", "the LAN"])
def test_a_network_without_a_prefix_length_cannot_be_recorded(network: str) -> None:
    with pytest.raises(ValidationError, match="network"):
        CommitAttempted(
            source="primary", virtual_ip="192.168.71.1", network=network, accepted=False
        )
