"""Each multi-node scenario records what its check needs, on machines that answer from a script."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.engine.judging import judge_now
from checks.engine.verdict import Status
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import RECORD_TYPE
from evidence.capture import Frame
from evidence.events.multi_node import ApiAnswered, ConnectionLog, TunnelTried
from evidence.events.run import ScenarioStarted
from evidence.history import History, read_history
from lab.clock import NS, ClockOffset
from lab.errors import DeadlinePassed
from lab.topology import read_topology
from provision.multi_node import download
from provision.multi_node.site import Site
from provision.vpn_clients import Client, Tunnel
from scenarios.multi_node import (
    observe,
    test_controller,
    test_load_balancing,
    test_nodes,
    test_requirements,
)
from scenarios.multi_node.clients import Clients, Way
from scenarios.multi_node.planned import planned
from scenarios.multi_node.tunnel_clients import echo
from tests.captures import capture
from tests.checks import factories
from tests.checks.factories import dns_answer, good_config, sent, udp

PROFILE = "client\r\nremote nodes.frkovpn.tuxed.net 1194 udp\r\nremote x 1194 tcp\r\n"
BEHIND_S = 4150
"""How far the machines' clocks are behind the host's."""

Said = str | Callable[[str, str], str]


@dataclass
class ScriptedMachine:
    """Answers each command by the first entry whose key stands in it."""

    name: str
    script: Mapping[str, Said]
    asked: list[str] = field(default_factory=list)
    behind_s: int = BEHIND_S

    def run(self, command: str, *, stdin: str = "", **_: object) -> Any:
        self.asked.append(command)
        said = next(answer for key, answer in self.script.items() if key in command)
        text = said if isinstance(said, str) else said(command, stdin)
        return SimpleNamespace(status=0, stdout=text, stderr="", seconds=0.1)

    def clock(self) -> ClockOffset:
        return ClockOffset(self.behind_s * NS, NS // 100)


def dig_block(number: int, name: str, kind: str, addresses: Sequence[str]) -> str:
    records = "".join(f"{name}.\t\t60\tIN\t{kind}\t{address}\n" for address in addresses)
    return (
        f";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: {number}\n"
        ";; flags: qr aa rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1\n\n"
        ";; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n; COOKIE: 12ab (good)\n"
        f";; QUESTION SECTION:\n;{name}.\t\tIN\t{kind}\n\n;; ANSWER SECTION:\n{records}\n"
    )


def turned(addresses: Sequence[str], number: int) -> list[str]:
    """Return addresses in the order of the `number`th turn."""
    turn = number % len(addresses)
    return [*addresses[turn:], *addresses[:turn]]


def answering_dig(site: Deployment) -> Callable[[str, str], str]:
    known = {(a["name"], a["type"]): a["addresses"] for a in factories.good_names(site)}

    def answer_dig(command: str, stdin: str) -> str:
        asked = [line.split() for line in stdin.splitlines()]
        return "".join(
            dig_block(number, name, kind, turned(known[name, kind], number))
            for number, (name, kind) in enumerate(asked)
        )

    return answer_dig


def answer_curl(machine: str, site: Deployment) -> str:
    parts = []
    for family in (4, 6):
        for shown, word in (("none", "missing"), ("wrong", "invalid")):
            body, head = f'{{"error":"{word} authentication information"}}', "401 application/json"
            if machine not in site.nodes:
                body, head = "<html>\n403\n</html>\n", "403 text/html; charset=iso-8859-1"
            parts.append(f"@@@ {family} {shown}\n{body}\n{head}\n")
    return "".join(parts)


def ages_of(node: str) -> str:
    """Tell of two processes that were started a second after their files were written."""
    told = ["hz 100", "up 5000.10", "now 1700005000200000000", "up 5000.30"]
    for number in (0, 1):
        told.append(f"file 1700001000.250000001 /etc/openvpn/server/{node}-{number}.conf")
        told.append(f"process 100125 {node}-{number}.conf")
    return "\n".join(told) + "\n"


def as_json(value: object) -> str:
    return json.dumps(value)


def machine(name: str, site: Deployment) -> ScriptedMachine:
    host, answer_dig = site.hosts[name], answering_dig(site)
    entries = [
        {"family": word, "local": host.address(family), "prefixlen": host.bits[family]}
        for word, family in (("inet", 4), ("inet6", 6))
    ]
    script: dict[str, Said] = {
        "ip -j addr": lambda command, stdin: (
            as_json([{"ifname": "wire0", "operstate": "UP", "addr_info": entries}])
            + "\n\n@@@ names\n"
            + answer_dig(command, stdin)
        ),
        "dig ": answer_dig,
        "curl ": answer_curl(name, site),
        'vpn-server-api/config.php"; ': as_json(good_config(site)),
        "php -l": lambda command, _: "".join(
            f"@@@ 0 {path}\nNo syntax errors detected in {path}\n"
            for path in command.split("; do")[0].split()[3:]
        ),
    }
    if name in site.nodes:
        state = factories.server_state(name, site)
        script |= {
            "/etc/openvpn/server": "".join(
                f"@@@ {file}\n{text}\n" for file, text in state["files"].items()
            )
            + f"\n@@@ /units\n{state['units']}\n@@@ /sockets\n{state['sockets']}"
            + f"\n@@@ /links\n{as_json(state['links'])}\n\n@@@ /ages\n{ages_of(name)}",
        }
    return ScriptedMachine(name, script)


class ScriptedLab:
    """Scripted machines, and the topology they are of."""

    def __init__(self, topology: str = "multi_node") -> None:
        self.topology = read_topology(topology)
        self.site = Deployment(planned(self.topology))
        self.machines = {name: machine(name, self.site) for name in self.site.hosts}

    def __getitem__(self, name: str) -> ScriptedMachine:
        return self.machines[name]


class ScriptedClients:
    """VPN clients that land where their profile says, or in turns on all nodes."""

    def __init__(self, site: Deployment, down: Sequence[str] = ()) -> None:
        self.site = site
        self.clients: list[Client] = []
        self.down = down

    def connect_all(self, clients: Sequence[Client]) -> None:
        self.clients += clients

    def wait_up(self, _: Sequence[str], seconds: float) -> None:  # noqa: ARG002 - as VpnClients
        if self.down:
            raise DeadlinePassed(f"{self.down} did not come up")

    def ping_all(self, addresses: Mapping[str, str]) -> dict[str, bool]:
        return dict.fromkeys(addresses, True)

    def statuses(self, names: Sequence[str]) -> tuple[Tunnel, ...]:
        return tuple(self.tunnel(number) for number in range(len(names)))

    def tunnel(self, number: int) -> Tunnel:
        one = self.clients[number]
        words = one.config.split("\n")[0].split()
        remote, protocol = turned(self.site.node_addresses(6), number)[0], "udp6"
        if words[0] == "remote" and words[1] != "nodes.frkovpn.tuxed.net":
            remote, protocol = words[1], words[3]
        node = self.site.node_of(remote)
        assert node is not None
        ranges = self.site.process_ranges(node)["tcp" in protocol]
        up = one.name not in self.down
        addresses = tuple(f"{network[number + 2]}/{network.prefixlen}" for network in ranges)
        return Tunnel(one.name, up, remote, 1194, addresses if up else (), "" if up else "no key")


@dataclass
class Stage:
    """Where a scenario is played: fakes, a history, a judge that keeps the last verdict."""

    directory: Path
    history: History
    began_ns: int
    lab: ScriptedLab

    @property
    def site(self) -> Deployment:
        return self.lab.site

    def clients(self, pretended: object, profiles: int = 16) -> Clients:
        """Return pretended clients as a scenario gets them, with so many profiles."""
        return Clients(cast(Any, pretended), [PROFILE] * profiles, self.site, self.history)

    def judge(self, requirement: str) -> None:
        if not (self.directory / "wire").exists():
            self.write_wire([])
        self.verdict = judge_now(self.directory, self.history, requirement)

    def write_wire(self, frames: Sequence[Frame]) -> None:
        """Record frames as carried just now, in their order."""
        now_ns = time.time_ns()
        dated = [
            replace(frame, at_ns=now_ns - len(frames) + number)
            for number, frame in enumerate(frames)
        ]
        (self.directory / "wire").mkdir()
        content = capture(dated, self.began_ns - NS, now_ns + 60 * NS)
        (self.directory / "wire" / "lab.pcapng").write_bytes(content)


@pytest.fixture(params=["multi_node", "multi_node_3"])
def stage(request: pytest.FixtureRequest, tmp_path: Path):
    lab = ScriptedLab(request.param)
    with History(tmp_path / "history.jsonl", "it") as history:
        began_ns = time.time_ns() - 10 * NS
        history.record(ScenarioStarted(source="pytest", at_ns=began_ns, lab="lab"))
        history.record(planned(lab.topology))
        yield Stage(tmp_path, history, began_ns, lab)


PLAIN = {
    "MN-01": test_requirements.test_every_machine_has_its_addresses_and_resolves_every_name,
    "MN-04": test_controller.test_each_profile_has_every_value_of_the_guides_table,
    "MN-05": test_controller.test_profiles_share_neither_number_nor_range,
    "MN-06": test_requirements.test_php_accepts_every_file_that_was_edited,
    "MN-07": test_controller.test_a_node_without_secret_is_told_so_by_the_api,
    "MN-08": test_controller.test_strangers_and_wrong_secrets_are_refused_by_the_api,
    "MN-13": test_nodes.test_each_node_runs_one_openvpn_process_a_protocol,
}


@pytest.mark.parametrize("requirement", PLAIN)
def test_a_scenario_records_what_its_check_needs(requirement: str, stage: Stage) -> None:
    PLAIN[requirement](cast(Any, stage.lab), stage.site, stage.history, stage.judge)
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def test_the_ages_of_processes_are_told_by_the_nodes_own_clock() -> None:
    ages = observe.read_ages("node-a", ages_of("node-a"))
    assert ages.files[1].name == "node-a-1.conf"
    assert ages.files[1].written_ns == 1700001000_250000001
    # booted at 1700000000.0, 5000.2 s before now; 100125 ticks are 1001.25 s
    assert ages.processes[1].config == "node-a-1.conf"
    assert ages.processes[1].started_ns == 1700001001_250000000
    assert ages.uncertainty_ns == NS // 10 + NS // 50  # half of what lay between, and two ticks


def test_a_node_that_does_not_tell_its_time_is_an_error() -> None:
    with pytest.raises(ValueError, match="node-a did not tell its time"):
        observe.read_ages("node-a", "hz 100\nup 1.0\n")


def test_a_shell_tells_the_ages_of_files_and_processes(tmp_path: Path) -> None:
    own = observe.SERVER_AGES.replace("/etc/openvpn/server", str(tmp_path))
    config = tmp_path / "one.conf"
    config.touch()
    waiting = ["sh", "-c", "read _", "waits", "--config", "one.conf"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE) as process:
        script = own.replace("$(pidof openvpn)", str(process.pid))
        said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        process.communicate(b"\n")
    ages = observe.read_ages("here", said.stdout)
    assert [one.config for one in ages.processes] == ["one.conf"]
    written_ns, started_ns = ages.files[0].written_ns, ages.processes[0].started_ns
    assert written_ns == config.stat().st_mtime_ns
    assert started_ns + ages.uncertainty_ns >= written_ns  # it was started after that


def wire_of(clients: ScriptedClients, wanted: int) -> list[Frame]:
    frames = []
    for number in range(wanted):
        one, tunnel = clients.clients[number], clients.tunnel(number)
        family = 6 if ":" in (tunnel.remote or "") else 4
        transport = "tcp" if "-tcp" in one.name else "udp"
        frames += factories.tunnel_frames(
            {"transport": transport, "family": family, "remote": tunnel.remote,
             "address4": one.ipv4, "address6": one.ipv6},
            clients.site,
        )  # fmt: skip
    return frames


def play_mn_15(stage: Stage, clients: ScriptedClients) -> None:
    def judge(requirement: str) -> None:
        stage.write_wire(wire_of(clients, 4 * len(stage.site.nodes)))
        stage.judge(requirement)

    test_nodes.test_a_client_gets_into_each_node_by_udp_and_tcp_over_ipv4_and_ipv6(
        stage.site, stage.clients(clients), judge
    )


def test_four_ways_into_each_node_are_tried_and_recorded(stage: Stage) -> None:
    play_mn_15(stage, ScriptedClients(stage.site))
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def test_a_client_that_stays_out_is_a_finding_not_an_error(stage: Stage) -> None:
    play_mn_15(stage, ScriptedClients(stage.site, down=["node-b-tcp6"]))
    assert stage.verdict.status is Status.FAIL
    assert "node-b-tcp6 by tcp over IPv6 to node-b: no tunnel: no key" in stage.verdict.text


def test_the_shared_name_is_asked_and_each_address_tried(stage: Stage) -> None:
    clients = ScriptedClients(stage.site)

    def judge(requirement: str) -> None:
        stage.write_wire(wire_of(clients, 2 * len(stage.site.nodes)))
        stage.judge(requirement)

    test_load_balancing.test_the_shared_name_leads_to_all_nodes_and_each_lets_a_client_in(
        cast(Any, stage.lab), stage.site, stage.clients(clients), stage.history, judge
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def test_answers_are_matched_with_the_wire(stage: Stage) -> None:
    known = {kind: stage.site.node_addresses(f) for f, kind in RECORD_TYPE.items()}
    source = stage.site.services.address(4), 53
    target = stage.site.client.address(4), 4000
    stage.write_wire(
        [
            sent(udp(source, target, dns_answer(n, kind, turned(every, n))))
            for kind, every in known.items()
            for n in range(210)
        ]
    )
    test_load_balancing.test_the_dns_server_rotates_its_answers(
        cast(Any, stage.lab), stage.site, stage.history, stage.judge, full=False
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def test_clients_take_the_way_they_find(stage: Stage) -> None:
    lab, site = stage.lab, stage.site
    clients, number = ScriptedClients(site), download.count(Site.of(lab.topology))

    def judge(requirement: str) -> None:
        stage.write_wire(wire_of(clients, number))
        stage.judge(requirement)

    def rows(_command: str, _stdin: str) -> str:
        dated = datetime.fromtimestamp(time.time_ns() // NS - BEHIND_S, UTC)
        return as_json(
            [
                {
                    "profile_id": turned(site.nodes, n)[0],
                    "ip4": str(site.process_ranges(turned(site.nodes, n)[0])[0][0][n + 2]),
                    "connected_at": dated.isoformat(),
                    "disconnected_at": None,
                }
                for n in range(number)
            ]
        )

    lab["controller"].script = {"connection_log": rows}
    lab["controller"].behind_s = BEHIND_S - 600  # whose clock dates nothing of it
    test_load_balancing.test_clients_that_connect_by_the_shared_name_land_on_all_nodes(
        cast(Any, lab), site, stage.clients(clients, number), stage.history, judge
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text
    (log,) = read_history(stage.history.path).of(ConnectionLog)
    for row in log.rows:
        assert row.connected_ns is not None
        assert abs(row.connected_ns - log.at_ns) <= 2 * NS
        assert row.uncertainty_ns == NS + NS // 100


def test_when_an_echo_was_asked_for_and_how_long_it_was_waited_for_is_recorded(
    stage: Stage,
) -> None:
    scripted = ScriptedClients(stage.site)
    began_ns = time.time_ns()
    clients = stage.clients(scripted, 2)
    clients.try_ways({"a": Way("node-a", "udp", stage.site.address("node-a", 4))}, seconds=1)
    (tried,) = read_history(stage.history.path).of(TunnelTried)
    assert tried.ping.began_ns is not None
    assert began_ns <= tried.ping.began_ns <= tried.at_ns
    assert f"-W {tried.ping.waited_s:.0f} " in echo("10.1.0.1")


def test_a_row_of_a_profile_that_is_no_node_has_no_moment_of_its_own() -> None:
    row = {"profile_id": "internet", "ip4": "10.1.0.2", "disconnected_at": None}
    said = as_json([{**row, "connected_at": "2024-02-03T04:05:06+00:00"}])
    log = observe.read_connections(
        "controller", said, {"node-a": ClockOffset(0, 0)}, at_ns=NS, uncertainty_ns=0
    )
    assert [(one.connected_ns, one.uncertainty_ns) for one in log.rows] == [(None, None)]


def test_a_way_leaves_one_remote_in_a_profile() -> None:
    text = Way("node-a", "tcp", "2001:610:188:418:145:0:6:72").only(PROFILE)
    remotes = [line for line in text.splitlines() if line.startswith("remote ")]
    assert remotes == ["remote 2001:610:188:418:145:0:6:72 1194 tcp6-client"]


def test_no_secret_of_a_server_config_leaves_the_node() -> None:
    text = "port 1194\n<key>\nSECRET\n</key>\n<ca>\nSECRET\n</ca>\nverb 3\n"
    said = subprocess.run(
        ["awk", observe.WITHOUT_SECRETS], input=text, capture_output=True, text=True, check=True
    )
    assert said.stdout == "port 1194\n<key>\n</key>\n<ca>\n</ca>\nverb 3\n"


def test_an_api_that_does_not_answer_is_recorded_with_the_words_of_curl(stage: Stage) -> None:
    said = "@@@ 4 none\ncurl: (7) Failed to connect\n\n000 \n"
    observe.ask_api(
        stage.history, cast(Any, ScriptedMachine("client", {"curl": said})), "https://x"
    )
    (event,) = read_history(stage.history.path).of(ApiAnswered)
    assert (event.status, event.body) == (0, "")
    assert event.detail == "curl: (7) Failed to connect"
