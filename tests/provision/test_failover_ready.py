"""When a pair counts as ready, played on machines whose answers are scripted."""

# ruff: noqa: ARG002 - these have the signature of what they stand for

import json

import pytest

from lab.errors import CommandFailed, DeadlinePassed
from lab.topology import read_topology
from provision.failover import ready as module
from provision.failover import wait_until_ready
from tests.provision.machines import Said

SILENT = None
STAGED = {"term": 1, "serial": 20}
OLD = {"term": 1, "serial": 19}


class Node:
    """A node that reports one state after another, the last one for ever."""

    name = "node"

    def __init__(self, *reports):
        self.reports = list(reports)
        self.syncs = 0
        self.refuses = 0

    def run(self, command, *, stdin=None, timeout=60, check=True):
        if command.endswith("FailoverSync"):
            self.syncs += 1
            if self.syncs <= self.refuses:
                raise CommandFailed("primary", command, 1, "the standby is not one")
            return Said(0, json.dumps({"id": "a", "term": 1, "serial": 20}))
        if command.endswith("FailoverStatus"):
            if self.reports[0] == SILENT:
                self.reports.pop(0)
                raise CommandFailed("primary", command, 1, "no answer")
            state, staged = self.reports[0] if len(self.reports) == 1 else self.reports.pop(0)
            return Said(0, json.dumps({"state": state, "live": STAGED, "staged": staged}))
        return Said(0)


class Pair:
    """A lab with two such nodes and a gateway."""

    topology = read_topology("failover")

    def __init__(self, primary, secondary):
        self.machines = {"primary": primary, "secondary": secondary, "gateway": Node()}

    def __getitem__(self, name):
        return self.machines[name]


def test_a_pair_in_step_is_sent_nothing():
    lab = Pair(Node(("MASTER", None)), Node(("BACKUP", STAGED)))
    wait_until_ready(lab)
    assert lab["primary"].syncs == 0


@pytest.mark.parametrize("before", [None, OLD])
def test_a_standby_that_lacks_something_is_sent_everything(before):
    lab = Pair(
        Node(("MASTER", None)), Node(("BACKUP", before), ("BACKUP", before), ("BACKUP", STAGED))
    )
    wait_until_ready(lab)
    assert lab["primary"].syncs == 1


def test_a_standby_that_is_still_active_is_waited_for_and_sent_everything_again():
    lab = Pair(
        Node(("MASTER", None)),
        Node(("MASTER", STAGED), ("MASTER", STAGED), ("BACKUP", None), ("BACKUP", STAGED)),
    )
    wait_until_ready(lab)
    assert lab["secondary"].reports == [("BACKUP", STAGED)]
    assert lab["primary"].syncs == 1


def test_nodes_that_refuse_a_command_while_they_change_roles_are_asked_again():
    lab = Pair(
        Node(SILENT, ("MASTER", None)),
        Node(SILENT, ("BACKUP", None), ("BACKUP", None), ("BACKUP", STAGED)),
    )
    lab["primary"].refuses = 1
    wait_until_ready(lab)
    assert lab["primary"].syncs == 2


def test_a_primary_that_never_serves_is_named(monkeypatch):
    monkeypatch.setattr(module, "until", _once)
    with pytest.raises(DeadlinePassed, match="the primary to be the active node"):
        wait_until_ready(Pair(Node(("BACKUP", None)), Node(("MASTER", None))))


def _once(condition, seconds, what):
    if not condition():
        raise DeadlinePassed(what)
