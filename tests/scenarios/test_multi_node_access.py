"""Who reaches a node: the programs that ask on loopback, their records by scripted machines."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.engine.verdict import Status
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import DAEMON_PORT
from evidence.capture import Frame
from evidence.events.access import FirewallShown, ForwardTried, GuideTextTried, PortsKnocked
from evidence.history import read_history
from lab.wait import until
from provision.vpn_clients import Tunnel
from scenarios.multi_node import access, knocking, test_access, test_firewall
from tests.checks.factories import Run
from tests.checks.multi_node.access_runs import knock_frames, ruleset, run_mn_10, tried
from tests.checks.sites import GUIDE, THREE
from tests.scenarios.test_multi_node_scenarios import Stage, stage

__all__ = ["stage"]


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_knock_tells_who_listens_from_who_does_not(listening: int, closed: int) -> None:
    said = knocking.knock("tcp", "127.0.0.1", [listening, closed])
    assert said == {listening: "open", closed: "reset"}


def test_a_port_that_says_nothing_is_silent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        port = mute.getsockname()[1]
        assert knocking.knock("udp", "127.0.0.1", [port], seconds=0.1) == {port: "silent"}


def test_an_address_that_cannot_be_reached_at_all_is_not_open() -> None:
    assert knocking.knock("tcp", "255.255.255.255", [22], seconds=0.1) != {22: "open"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_an_echo_answers_datagrams_over_both_families(address: str, closed: int) -> None:
    program = [sys.executable, knocking.__file__, "echo", str(closed)]
    with subprocess.Popen(program) as echoing:  # a process of its own: it listens until it ends
        try:
            until(
                lambda: knocking.knock("udp", address, [closed], seconds=1) == {closed: "open"},
                30,
                "an answer",
            )
        finally:
            echoing.kill()


def test_a_machine_prints_what_its_knocks_said(
    listening: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert knocking.main(["tcp", "127.0.0.1", str(listening)]) == 0
    assert json.loads(capsys.readouterr().out) == [{"port": listening, "said": "open"}]


class Answering:
    """A machine that knows how its knocks and its peers of vpn-daemon are answered."""

    def __init__(self, name: str, stage: Stage, frames: list[Frame]) -> None:
        self.name, self.stage, self.frames = name, stage, frames

    def run(self, command: str, *, stdin: str = "", **_: object) -> Any:  # noqa: ARG002
        words = shlex.split(command)
        said = self._peers(words[3:]) if words[2] == str(DAEMON_PORT) else self._knocks(words)
        return SimpleNamespace(status=0, stdout=json.dumps(said), stderr="")

    def _peers(self, addresses: list[str]) -> list[dict[str, Any]]:
        site = self.stage.site
        found = []
        for event in run_mn_10(site).all("daemon.tried"):
            address = site.address(event["node"], event["family"])
            assert address in addresses
            kept = tried(event["node"], event["family"], event["shown"], event["tls"])
            kept = {name: kept[name] for name in ("shown", "tls", "connected", "sent", "answer")}
            found.append({"address": address, "detail": "", **kept})
        return found

    def _knocks(self, words: list[str]) -> list[dict[str, Any]]:
        transport, address, *ports = words[2:]
        site = self.stage.site
        node = site.node_of(address)
        assert node is not None
        said = "open" if self.name == site.controller.name else "prohibited"
        family = 6 if ":" in address else 4
        for port in ports:
            run = Run(site=site)
            self.frames += knock_frames(run, self.name, node, family, transport, int(port), said)
        return [{"port": int(port), "said": said} for port in ports]


class AnsweringLab:
    """Machines that answer knocks and vpn-daemon's peers, and what the wire carries of that."""

    def __init__(self, stage: Stage) -> None:
        self.frames: list[Frame] = []
        self.machines = {name: Answering(name, stage, self.frames) for name in stage.site.hosts}

    def __getitem__(self, name: str) -> Answering:
        return self.machines[name]


def test_every_peer_of_every_daemon_is_recorded(stage: Stage) -> None:
    lab = cast(Any, AnsweringLab(stage))

    def judge(requirement: str) -> None:
        stage.write_wire(run_mn_10(stage.site).frames)
        stage.judge(requirement)

    test_access.test_vpn_daemon_lets_the_controller_in_and_no_other_peer(
        lab, stage.site, stage.history, judge
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def test_every_machine_knocks_at_every_other_nodes_daemon(stage: Stage) -> None:
    lab = cast(Any, AnsweringLab(stage))
    test_access.test_only_the_controller_reaches_vpn_daemon(
        lab, stage.site, stage.history, lambda _: None
    )
    events = read_history(stage.history.path).of(PortsKnocked)
    nodes, machines = len(stage.site.nodes), len(stage.site.hosts)
    assert len(events) == 2 * nodes * (machines - 1)
    assert len(lab.frames) == 2 * len(events)
    assert all(event.began_ns <= event.at_ns for event in events)


# The firewall's records


class Node:
    """A node that shows its firewall, and takes what it is told."""

    name = "node-a"

    def __init__(self, address: str) -> None:
        self.address = address
        self.typed: list[str] = []

    def run(self, command: str, *, stdin: str = "", **_: object) -> Any:
        self.typed.append(f"{command} < {stdin}" if stdin else command)
        answers = {
            "ip -o": f"2: wire0    inet {self.address}/24 brd 145.0.6.255 scope global wire0\\",
            "iptables-save": ruleset("node-a", 4),
            "ip6tables-save": ruleset("node-a", 6),
            "ss ": "tcp LISTEN 0 128 *:22 *:*",
            "cat ": "b00t\n",
        }
        said = next((text for key, text in answers.items() if command.startswith(key)), "")
        status = 2 if "--test" in command else 0
        return SimpleNamespace(status=status, stdout=said, stderr="", output=said)


def test_a_firewall_is_shown_with_its_counters_and_its_boot(stage: Stage) -> None:
    node = Node(stage.site.address("node-a", 4))
    access.show_firewall(stage.history, stage.site, cast(Any, node), "loaded")
    (event,) = read_history(stage.history.path).of(FirewallShown)
    assert (event.interface, event.boot, event.phase) == ("wire0", "b00t", "loaded")
    assert "iptables-save -c" in node.typed


@pytest.mark.parametrize("target", ["10.1.0.3", "fd00:1:1:1::3"])
def test_what_goes_by_a_node_has_a_route_for_as_long_as_it_takes(stage: Stage, target: str) -> None:
    node = Node("x")
    with access.routed(cast(Any, node), target, "gateway") as sends:
        access.forward(stage.history, "services", sends, "node-a", "in", target)
    added, ping, removed = node.typed
    assert f"route replace {target}" in added
    assert ping.startswith(f"ping -{6 if ':' in target else 4} ")
    assert f"route delete {target}" in removed
    (event,) = read_history(stage.history.path).of(ForwardTried)
    assert (event.sent, event.received) == (1, 1)


def test_the_guides_own_text_is_tried_without_a_change(stage: Stage) -> None:
    node = Node("x")
    lab = SimpleNamespace(topology=stage.lab.topology)
    test_firewall.try_ipv6_as_printed(stage.history, cast(Any, lab), cast(Any, node))
    (typed,) = node.typed
    assert typed.startswith("ip6tables-restore --test")
    assert typed.count("COMMIT") == 1
    (event,) = read_history(stage.history.path).of(GuideTextTried)
    assert event.status == 2


def test_nobody_reaches_a_client_without_a_tunnel_by_the_guides_own_text(stage: Stage) -> None:
    machines = {name: Node(name) for name in stage.site.hosts}
    lab = cast(Any, AnsweringLab(stage))
    lab.machines, lab.topology = machines, stage.lab.topology
    down = Tunnel("x", up=False, remote=None, port=None, addresses=(), log="")
    each = {f"{node}-udp4": down for node in stage.site.nodes}
    test_firewall.let_in_as_printed(stage.history, lab, stage.site, each)
    assert not any(one.typed for one in machines.values())
    assert not read_history(stage.history.path).of(GuideTextTried)


def test_programs_for_guests_import_nothing_of_this_project() -> None:
    for program in ("daemon_peers.py", "knocking.py"):
        text = (Path(access.__file__).parent / program).read_text()
        for package in ("lab", "evidence", "checks", "provision", "scenarios"):
            assert f"from {package}" not in text
            assert f"import {package}" not in text


@pytest.mark.parametrize("site", [GUIDE, THREE], ids=["two nodes", "three"])
def test_nobody_knocks_at_a_port_twice(site: Deployment) -> None:
    for ports in test_firewall.every_port(site).values():
        assert len(ports) == len(set(ports))


def test_the_management_ports_of_every_node_are_knocked_at() -> None:
    assert {11940, 11941, 12004, 12005} <= {*test_firewall.every_port(GUIDE)["tcp"]}
    assert {12068, 12069} <= {*test_firewall.every_port(THREE)["tcp"]}


def test_a_socket_that_was_told_of_no_error_and_has_no_peer_is_not_let_in() -> None:
    with socket.socket() as one:
        one.setblocking(False)
        assert knocking._answer("tcp", one) == "silent"
