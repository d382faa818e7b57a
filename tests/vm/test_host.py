"""The comparison of a machine before and after: it names what changed, and stays calm otherwise.

Boots nothing. What the system's tools say is made up here; the files are real.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
from pathlib import Path
from typing import Any

import pytest

from scenarios.harness.host import Host
from scenarios.harness.network import off_loopback

ETH0: dict[str, Any] = {
    "ifname": "eth0",
    "mtu": 1500,
    "addr_info": [{"local": "192.0.2.7", "prefixlen": 24, "valid_life_time": 600}],
}
BRIDGE = {"ifname": "virbr0", "mtu": 1500, "addr_info": []}
ROUTE = {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "expires": 600}
RULE = {"priority": 32766, "src": "all", "table": "main"}
SAVED = "# at noon\n*filter\n:INPUT ACCEPT [1:60]\n[3:99] -A INPUT -i lo -j ACCEPT\nCOMMIT\n"


class Tools:
    """The system's tools, which say what they are told to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.say("ip", "address", [ETH0])
        self.say("ip", "route", [ROUTE])
        self.say("ip", "rule", [RULE])
        self._install("ip", 'for word; do [ -e "$0.$word" ] && exec cat "$0.$word"; done; exit 1')
        for tool in ("nft", "iptables-save", "ip6tables-save"):
            self.say(tool, "rules", "")
            self._install(tool, 'cat "$0.rules"')

    def say(self, tool: str, word: str, answer: object) -> None:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        (self._directory / f"{tool}.{word}").write_text(text)

    def refuse(self, tool: str, reason: str) -> None:
        self._install(tool, f"echo {shlex.quote(reason)} >&2; exit 1")

    def _install(self, tool: str, script: str) -> None:
        program = self._directory / tool
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    directory = tmp_path / "tools"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return Tools(directory)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "etc"
    place.mkdir()
    (place / "hosts").write_text("127.0.0.1 localhost\n")
    return place


def changes_since(before: Host, *places: Path) -> list[str]:
    # Other programs of the machine that runs this come and go.
    return before.changes_until(Host.now(places), but=("system service", "socket"))


def test_a_machine_that_nobody_touched_is_as_it_was(tools: Tools, place: Path):
    assert changes_since(Host.now([place]), place) == []


def test_this_machine_as_it_is_can_be_looked_at():
    facts = Host.now().facts
    assert "lo" in facts["interface"]
    assert "lo 127.0.0.1/8" in facts["address"]


def test_a_new_interface_is_named(tools: Tools):
    before = Host.now()
    tools.say("ip", "address", [ETH0, BRIDGE])
    assert changes_since(before) == [
        'interface virbr0: new ({"ifname": "virbr0", "mtu": 1500})',
    ]


def test_an_address_that_is_gone_is_named(tools: Tools):
    before = Host.now()
    tools.say("ip", "address", [{**ETH0, "addr_info": []}])
    (line,) = changes_since(before)
    assert line.startswith("address eth0 192.0.2.7/24: gone")


def test_a_new_route_is_named(tools: Tools):
    before = Host.now()
    tools.say("ip", "route", [ROUTE, {"dst": "145.0.6.0/24", "dev": "virbr0"}])
    changes = changes_since(before)
    assert all(line.startswith("route 145.0.6.0/24 by virbr0") for line in changes)
    assert changes


def test_a_new_routing_rule_is_named(tools: Tools):
    before = Host.now()
    tools.say("ip", "rule", [RULE, {"priority": 5, "src": "all", "table": "77"}])
    assert all(
        '"table": "77"' in line and line.endswith("new ()") for line in changes_since(before)
    )
    assert changes_since(before)


def test_lifetimes_that_run_down_are_no_change(tools: Tools):
    before = Host.now()
    (address,) = ETH0["addr_info"]
    tools.say("ip", "address", [{**ETH0, "addr_info": [{**address, "valid_life_time": 540}]}])
    tools.say("ip", "route", [{**ROUTE, "expires": 540}])
    assert changes_since(before) == []


def test_a_new_firewall_rule_is_named_with_its_table(tools: Tools):
    tools.say("iptables-save", "rules", SAVED)
    before = Host.now()
    masquerade = "*nat\n-A POSTROUTING -s 192.168.122.0/24 -j MASQUERADE\nCOMMIT\n"
    tools.say("iptables-save", "rules", SAVED + masquerade)
    assert any(
        line.startswith("firewall rule iptables-save *nat -A POSTROUTING -s 192.168.122.0/24")
        for line in changes_since(before)
    )


def test_a_rule_of_nft_that_is_gone_is_named(tools: Tools):
    tools.say(
        "nft", "rules", "table inet filter {\n\tchain input {\n\t\ttcp dport 22 accept\n\t}\n}"
    )
    before = Host.now()
    tools.say("nft", "rules", "table inet filter {\n\tchain input {\n\t}\n}")
    (line,) = changes_since(before)
    assert line == "firewall rule nft table inet filter { tcp dport 22 accept: gone (1 of it)"


def test_packets_that_are_counted_are_no_change(tools: Tools):
    tools.say("iptables-save", "rules", SAVED)
    before = Host.now()
    later = SAVED.replace("[1:60]", "[8:480]").replace("[3:99]", "[4:120]").replace("noon", "one")
    tools.say("iptables-save", "rules", later)
    assert changes_since(before) == []


def test_a_tool_that_is_for_root_only_hides_nothing_else(tools: Tools):
    tools.refuse("nft", "Operation not permitted (you must be root)")
    before = Host.now()
    assert before.facts["firewall rule"]["nft"] == "Operation not permitted (you must be root)"
    tools.say("ip", "address", [ETH0, BRIDGE])
    assert len(changes_since(before)) == 1


def test_a_new_file_is_named(tools: Tools, place: Path):
    before = Host.now([place])
    (place / "network").mkdir()
    (place / "network" / "virbr0").touch()
    assert [line.partition(":")[0] for line in changes_since(before, place)] == [
        f"file {place}/network",
        f"file {place}/network/virbr0",
    ]


def test_a_file_written_anew_with_its_old_size_and_time_is_named(tools: Tools, place: Path):
    hosts = place / "hosts"
    before, times = Host.now([place]), hosts.stat()
    hosts.write_text(hosts.read_text().upper())
    os.utime(hosts, ns=(times.st_atime_ns, times.st_mtime_ns))
    (line,) = changes_since(before, place)
    assert line.startswith(f"file {hosts}: was mode 100644")


def test_a_directory_that_appears_where_none_was_is_named(tools: Tools, place: Path):
    absent = place / "libvirt"
    before = Host.now([absent])
    absent.mkdir()
    (line,) = changes_since(before, absent)
    assert line.startswith(f"file {absent}: new")


def test_a_service_that_was_left_running_is_named():
    before = Host({"system service": {"sshd": ""}})
    after = Host({"system service": {"sshd": "", "dnsmasq": ""}})
    assert before.changes_until(after) == ["system service dnsmasq: new ()"]


def test_a_socket_that_others_could_reach_is_named_and_one_on_loopback_is_not():
    with socket.socket() as inside, socket.socket(type=socket.SOCK_DGRAM) as outside:
        inside.bind(("127.0.0.1", 0))
        assert off_loopback([os.getpid()]) == []
        outside.bind(("0.0.0.0", 0))  # noqa: S104 - nobody is answered there
        (found,) = off_loopback([os.getpid()])
        assert found.endswith(f": 0.0.0.0:{outside.getsockname()[1]}")
