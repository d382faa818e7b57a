"""Validate and Commit, in networks broken one way at a time."""

from __future__ import annotations

import json

import pytest
from access_network import ADDRESSES, PAIR_REQUEST, FakeNetwork
from openvpnas import commit
from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.errors import InvalidValue
from openvpnas.paths import Paths
from openvpnas.sync import SyncFailed
from openvpnas.validation import Report

FORTH = "SSH from primary to secondary"
BACK = "SSH from secondary to primary"
RSYNC_PRIMARY = "rsync on primary"
RSYNC_SECONDARY = "rsync on secondary"


def statuses(report: Report) -> dict[str, str]:
    return {row.name: row.status for row in report.rows}


def request(**changes: object) -> dict[str, object]:
    return {**PAIR_REQUEST, **changes}


def test_four_rows_are_good_where_everything_is_right(paths: Paths, network: FakeNetwork):
    report = commit.check(paths, PAIR_REQUEST, network)
    assert statuses(report) == {
        FORTH: "GOOD",
        BACK: "GOOD",
        RSYNC_PRIMARY: "GOOD",
        RSYNC_SECONDARY: "GOOD",
    }
    assert report.good


def test_an_unreachable_secondary_turns_its_row_and_hides_what_is_behind_it(
    paths: Paths, network: FakeNetwork
):
    network.says("ssh", "root@192.168.70.2", status=255, errors="Connection refused")
    assert statuses(commit.check(paths, PAIR_REQUEST, network)) == {
        FORTH: "BAD",
        BACK: "UNKNOWN",
        RSYNC_PRIMARY: "GOOD",
        RSYNC_SECONDARY: "UNKNOWN",
    }


def test_one_way_keys_turn_the_row_of_the_other_way(paths: Paths, network: FakeNetwork):
    network.says("root@192.168.70.1", status=255, errors="Permission denied (publickey).")
    report = commit.check(paths, PAIR_REQUEST, network)
    assert [name for name, status in statuses(report).items() if status != "GOOD"] == [BACK]
    assert not report.good


def test_rsync_missing_here_turns_its_row_alone(paths: Paths, network: FakeNetwork):
    network.rules = [rule for rule in network.rules if rule[0] != ("rsync --version",)]
    report = commit.check(paths, PAIR_REQUEST, network)
    assert [name for name, status in statuses(report).items() if status != "GOOD"] == [
        RSYNC_PRIMARY
    ]


def test_rsync_missing_there_turns_its_row_alone(paths: Paths, network: FakeNetwork):
    network.says("ssh", "rsync --version", status=127, errors="sh: rsync: not found")
    report = commit.check(paths, PAIR_REQUEST, network)
    assert [name for name, status in statuses(report).items() if status != "GOOD"] == [
        RSYNC_SECONDARY
    ]


def test_a_log_in_that_is_not_root_is_bad(paths: Paths, network: FakeNetwork):
    network.says("ssh", "sshuser@192.168.70.2", output="1000\n")
    secondary = {"host": "192.168.70.2", "ssh_user": "sshuser"}
    report = commit.check(paths, request(secondary=secondary), network)
    assert statuses(report)[FORTH] == "BAD"
    assert "not as root" in report.rows[0].detail


def test_ssh_never_asks_and_never_trusts_an_unknown_host_key(paths: Paths, network: FakeNetwork):
    commit.check(paths, PAIR_REQUEST, network)
    for command in network.asked:
        if command[0] == "ssh":
            assert "BatchMode=yes" in command
            assert "StrictHostKeyChecking=yes" in command


def test_ssh_ports_are_used_in_both_directions(paths: Paths, network: FakeNetwork):
    nodes = {
        "primary": {"host": "192.168.70.1", "ssh_port": 2201},
        "secondary": {"host": "192.168.70.2", "ssh_port": 2202},
    }
    commit.check(paths, request(**nodes), network)
    lines = [" ".join(command) for command in network.asked]
    assert any("-p 2202" in line and "-p 2201" in line for line in lines)


def test_a_password_is_never_on_a_command_line(paths: Paths, network: FakeNetwork):
    nodes = {
        "primary": {"host": "192.168.70.1", "ssh_password": "pw-of-a"},
        "secondary": {"host": "192.168.70.2", "ssh_password": "pw-of-b"},
    }
    network.says("sshpass", "id -u", output="0\n")
    report = commit.check(paths, request(**nodes), network)
    assert statuses(report)[BACK] == "GOOD"
    assert not [word for command in network.asked for word in command if "pw-of" in word]
    assert "pw-of-a\n" in network.given


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"virtual_ip": "192.168.71.222"}, "outside the nodes' subnet"),
        ({"virtual_ip": "192.168.70.1"}, "own address"),
        ({"virtual_ip": "192.168.70.255"}, "not a host's address"),
        ({"secondary": {"host": "192.168.70.1"}}, "both nodes have the address"),
        ({"secondary": {"host": "192.168.80.2"}}, "outside the subnet"),
        ({"primary": {"host": "192.168.70.3"}}, "address of this machine"),
    ],
)
def test_addresses_that_cannot_be_are_problems(
    paths: Paths, network: FakeNetwork, changes: dict[str, object], problem: str
):
    report = commit.check(paths, request(**changes), network)
    assert len(report.rows) == 4
    assert any(problem in found for found in report.problems)
    assert not report.good


@pytest.mark.parametrize(
    "changes",
    [
        {"virtual_ip": "not-an-address"},
        {"virtual_ip": ""},
        {"virtual_ip": ["192.168.70.222"]},
        {"vhid": 0},
        {"vhid": 256},
        {"vhid": True},
        {"ucarp_password": "x" * 20},
        {"primary": "192.168.70.1"},
        {"secondary": {"host": "192.168.70.2", "ssh_port": 70000}},
        {"secondary": {"host": "-oProxyCommand=x"}},
        {"secondary": {"host": "192.168.70.2", "ssh_user": "-l"}},
        {"engine": "carp"},
    ],
)
def test_values_that_cannot_be_are_refused_before_anything_is_asked(
    paths: Paths, network: FakeNetwork, changes: dict[str, object]
):
    with pytest.raises(InvalidValue):
        commit.check(paths, request(**changes), network)
    assert network.asked == []


def test_a_virtual_ip_that_somebody_has_is_a_problem(paths: Paths, network: FakeNetwork):
    network.says(
        "neighbour", output=json.dumps([{"lladdr": "52:54:00:00:00:09", "state": ["REACHABLE"]}])
    )
    report = commit.check(paths, PAIR_REQUEST, network)
    assert report.problems == ("the virtual IP 192.168.70.222 is in use by 52:54:00:00:00:09",)


def test_a_virtual_ip_that_the_pair_itself_has_is_no_problem(paths: Paths, network: FakeNetwork):
    network.says(
        "neighbour", output=json.dumps([{"lladdr": "52:54:00:00:00:02", "state": ["REACHABLE"]}])
    )
    network.says("ssh", "ip -o -4 address", output="2: wire0 inet 192.168.70.222/32\n")
    assert commit.check(paths, PAIR_REQUEST, network).good


def test_a_secondary_with_data_of_its_own_is_a_problem(paths: Paths, network: FakeNetwork):
    network.says("ssh", "node-state", output='{"holds_data": true, "pair_id": "foreign"}')
    report = commit.check(paths, PAIR_REQUEST, network)
    assert any("holds data of its own" in problem for problem in report.problems)


def test_a_secondary_with_this_pairs_data_is_no_problem(paths: Paths, network: FakeNetwork):
    own = {"holds_data": True, "pair_id": CertificateStore.at(paths).pair_id()}
    network.says("ssh", "node-state", output=json.dumps(own))
    assert commit.check(paths, PAIR_REQUEST, network).good


@pytest.mark.parametrize("answer", ["", "no json", "[]"])
def test_a_host_without_the_software_is_a_problem(paths: Paths, network: FakeNetwork, answer: str):
    network.says("ssh", "node-state", output=answer)
    report = commit.check(paths, PAIR_REQUEST, network)
    assert any("no Access Server found" in problem for problem in report.problems)


def test_validate_changes_nothing(paths: Paths, network: FakeNetwork):
    before = {file: file.read_bytes() for file in paths.root.rglob("*") if file.is_file()}
    commit.check(paths, PAIR_REQUEST, network)
    after = {file: file.read_bytes() for file in paths.root.rglob("*") if file.is_file()}
    assert after == before
    starts = {"ucarp", "keepalived", "systemctl"}
    assert not [command for command in network.asked if starts & set(command)]


def test_commit_keeps_the_pair_hands_it_over_and_restarts(paths: Paths, network: FakeNetwork):
    restarts: list[int] = []
    commit.commit(paths, request(vhid=77), network, lambda: restarts.append(1))
    values = Config.at(paths).all()
    assert (values["failover.mode"], values["ucarp.vhid"]) == ("ucarp", "77")
    assert 1 <= len(values["ucarp.password"]) <= 19
    assert "accept-snapshot" in network.asked[-1][-1]
    assert restarts == [1]


def test_a_second_commit_keeps_the_heartbeats_password(paths: Paths, network: FakeNetwork):
    commit.commit(paths, PAIR_REQUEST, network, lambda: None)
    first = Config.at(paths).get("ucarp.password")
    commit.commit(paths, PAIR_REQUEST, network, lambda: None)
    assert Config.at(paths).get("ucarp.password") == first


def test_commit_is_refused_and_changes_nothing_unless_all_is_good(
    paths: Paths, network: FakeNetwork
):
    network.says("ssh", "rsync --version", status=127)
    before = Config.at(paths).all()
    with pytest.raises(commit.NotGood, match="rsync on secondary"):
        commit.commit(paths, PAIR_REQUEST, network, lambda: pytest.fail("restarted"))
    assert Config.at(paths).all() == before


def test_a_partner_that_does_not_take_the_configuration_undoes_the_commit(
    paths: Paths, network: FakeNetwork
):
    network.says("rsync --archive", status=12, errors="connection unexpectedly closed")
    before = Config.at(paths).all()
    with pytest.raises(SyncFailed, match="unexpectedly closed"):
        commit.commit(paths, PAIR_REQUEST, network, lambda: pytest.fail("restarted"))
    assert Config.at(paths).all() == before


def test_the_active_secondary_can_validate_too(paths: Paths, network: FakeNetwork):
    network.says("ip -json -4 address", output=ADDRESSES.replace("70.1", "70.2"))
    network.says("root@192.168.70.2", "192.168.70.1", status=255, errors="refused")
    report = commit.check(paths, PAIR_REQUEST, network)
    assert statuses(report)[FORTH] == "BAD"
    assert statuses(report)[BACK] == "GOOD"
