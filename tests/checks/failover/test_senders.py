"""Who sent an advertisement: the port says it, and strangers are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.failover.recorded import Recorded
from evidence.scenario import Evidence
from tests.checks.failover.recording import ADDRESS, SCENARIO, VIRTUAL_IP, Run, steady
from tests.checks.failover.strangers import OTHER, STRANGERS, tagged
from tests.checks.protocols import encoder


def heard(run: Run) -> Recorded:
    run.write()
    return Recorded(Evidence(run.directory, SCENARIO, "FO-16"))


@pytest.mark.parametrize("source", [ADDRESS["primary"], ADDRESS["secondary"], VIRTUAL_IP])
@pytest.mark.parametrize("password", [encoder.PASSWORD, "another"])
def test_what_comes_in_at_a_nodes_port_is_that_nodes_whatever_it_claims(
    tmp_path: Path, source: str, password: str
) -> None:
    run = steady(tmp_path)
    run.frame(5.5, "secondary/wire0", tagged(encoder.carp(source, password=password)))
    (sent,) = heard(run).sent.of("secondary")
    assert (sent.vlan, sent.port) == (7, "secondary/wire0")


def test_the_pairs_digest_from_elsewhere_is_an_intruders(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.frame(5.5, "elsewhere/wire0", encoder.carp(ADDRESS["secondary"]))
    recorded = heard(run)
    assert recorded.sent.senders() == {"primary", "an intruder at elsewhere/wire0"}
    assert not recorded.strangers


@pytest.mark.parametrize(
    ("source", "sender"),
    [
        (ADDRESS["primary"], "primary"),
        (ADDRESS["secondary"], "secondary"),
        (OTHER, "an intruder"),
    ],
)
def test_the_pairs_digest_in_a_recording_without_ports_is_told_by_its_address(
    tmp_path: Path, source: str, sender: str
) -> None:
    run = Run(tmp_path, 10)
    run.frame(5.5, "", encoder.carp(source))
    assert heard(run).sent.senders() == {sender}


def test_a_bad_digest_from_elsewhere_is_a_strangers(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.frame(5.5, "elsewhere/wire0", encoder.carp(ADDRESS["secondary"], password="another"))
    recorded = heard(run)
    assert recorded.sent.senders() == {"primary"}
    (stranger,) = recorded.strangers
    assert (stranger.group, stranger.port) == (94, "elsewhere/wire0")
    why = "another pair uses VHID 94, with another password or virtual IP"
    assert stranger.what == f"{why}: VHIDs must be unique on a LAN"


def test_another_pairs_own_vhid_is_as_it_should_be(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.frame(5.5, "elsewhere/wire0", encoder.carp(OTHER, vhid=95))
    (stranger,) = heard(run).strangers
    assert stranger.what == "another pair uses VHID 95"


def test_the_pairs_digest_from_elsewhere_in_a_vlan_is_a_strangers(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.frame(5.5, "elsewhere/wire0", tagged(encoder.carp(ADDRESS["secondary"])))
    recorded = heard(run)
    assert recorded.sent.senders() == {"primary"}
    (stranger,) = recorded.strangers
    assert (stranger.what, stranger.vlan) == ("another pair uses VHID 94 in VLAN 7", 7)


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_are_a_value_of_their_own(tmp_path: Path, name: str) -> None:
    recorded = heard(STRANGERS[name](steady(tmp_path)))
    assert recorded.strangers
    assert recorded.sent.senders() == {"primary"}
    assert not recorded.heard.malformed


@pytest.mark.parametrize(("port", "of_pair"), [("secondary/wire0", 1), ("elsewhere/wire0", 0)])
def test_bytes_that_claim_to_be_a_heartbeat_are_malformed_or_a_strangers(
    tmp_path: Path, port: str, of_pair: int
) -> None:
    run = steady(tmp_path)
    broken = b"\1" * 12 + b"\x08\x00" + encoder.ipv4(b"\x21\x5e\x00\x00", VIRTUAL_IP, encoder.GROUP)
    run.frame(5.5, port, broken)
    recorded = heard(run)
    assert (len(recorded.heard.malformed), len(recorded.strangers)) == (of_pair, 1 - of_pair)


def test_the_pairs_digest_from_elsewhere_with_a_priority_and_no_vlan_is_an_intruders(
    tmp_path: Path,
) -> None:
    run = steady(tmp_path)
    run.frame(5.5, "elsewhere/wire0", tagged(encoder.carp(ADDRESS["secondary"]), vlan=0))
    assert any(one.port == "elsewhere/wire0" for one in heard(run).sent)
