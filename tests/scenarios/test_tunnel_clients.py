"""An echo that is to show a tunnel goes through it: seen in namespaces of a real kernel."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from evidence.events.multi_node import TunnelStarted
from evidence.history import History, read_history
from lab.errors import MachineError
from provision.vpn_clients import Client, Tunnel
from scenarios.multi_node.clients import Clients
from scenarios.multi_node.tunnel_clients import DEVICE, TunnelClients, echo
from tests.provision.machines import Said
from tests.scenarios.test_multi_node_scenarios import ScriptedLab

FAR_END = "10.1.0.1"  # the node's address in the tunnel

# A node and a client's namespace as vpn-clients makes it, and in place of OpenVPN a cable.
NETWORK = f"""
set -e
mount -t tmpfs none /run
ip link set lo up
ip netns add client
ip link add wire0 type veth peer name wire0 netns client
ip link add {DEVICE} type veth peer name {DEVICE} netns client
ip address add 145.0.6.72/24 dev wire0
ip address add {FAR_END}/27 dev {DEVICE}
ip link set wire0 up
ip link set {DEVICE} up
ip -n client -batch - <<'END'
address add 145.0.6.128/32 dev wire0
link set wire0 up
route add default dev wire0 src 145.0.6.128
END
"""
TUNNEL_UP = f"""
ip -n client address add 10.1.0.2/27 dev {DEVICE}
ip -n client link set {DEVICE} up
"""
# What ping does of what is asked here: hosts that build labs need none of their own.
PING = f"""#!{sys.executable}
import socket, struct, sys
words = sys.argv[1:]
one = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
one.settimeout(3)
try:
    if "-I" in words:
        device = words[words.index("-I") + 1].encode()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
    one.sendto(struct.pack("!BBHHH", 8, 0, ~0x0808 & 0xFFFF, 7, 1), (words[-1], 0))
    while one.recv(2000)[20] != 0:
        pass
except OSError:
    sys.exit(1)
"""
IN_NAMESPACES = ("unshare", "--user", "--map-root-user", "--net", "--mount")


class Asked:
    """A machine that keeps what it is asked, and answers what it was given."""

    name = "client"

    def __init__(self, answer: str = "") -> None:
        self.answer, self.asked = answer, list[str]()

    def run(self, command: str, *, timeout: float) -> Said:
        self.asked.append(command)
        self.within_s = timeout
        return Said(0, self.answer, "")


def clients(machine: Asked) -> TunnelClients:
    return TunnelClients(cast(Any, {"client": machine}), ScriptedLab().site)


def command() -> str:
    """Return what a client machine is asked, to find out whether a client's far end answers."""
    machine = Asked("client yes\n")
    clients(machine).ping_all({"client": FAR_END})
    return machine.asked[0]


@pytest.fixture
def network(tmp_path: Path) -> Any:
    """Give what runs commands between a node and a client, and returns what they print."""
    if subprocess.run([*IN_NAMESPACES, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host lets nobody make namespaces")
    (tmp_path / "ping").write_text(PING)
    (tmp_path / "ping").chmod(0o755)
    path = f"{tmp_path}:/usr/sbin:/sbin:{os.environ['PATH']}"

    def run(*scripts: str) -> list[str]:
        done = subprocess.run(
            [*IN_NAMESPACES, "sh", "-c", "\n".join([NETWORK, *scripts])],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.split()

    return run


def test_a_far_end_answers_without_a_tunnel_and_so_shows_none(network: Any) -> None:
    plain = f"ip netns exec client {echo(FAR_END)} && echo answered"
    assert network(plain, command()) == ["answered", "client", "no"]


def test_what_a_tunnel_carries_is_answered(network: Any) -> None:
    assert network(TUNNEL_UP, command()) == ["client", "yes"]


def test_many_clients_ask_by_one_command() -> None:
    machine = Asked("b no\na yes\n")
    assert clients(machine).ping_all({"a": FAR_END, "b": FAR_END}) == {"a": True, "b": False}
    assert len(machine.asked) == 1


def test_more_clients_have_more_time_to_be_asked() -> None:
    within_s = []
    for count in (16, 31):
        names = [f"client-{number}" for number in range(count)]
        machine = Asked("".join(f"{name} yes\n" for name in names))
        clients(machine).ping_all(dict.fromkeys(names, FAR_END))
        within_s.append(machine.within_s)
    assert 60 < within_s[0] < within_s[1]


def test_nobody_is_asked_for_no_clients() -> None:
    machine = Asked()
    assert clients(machine).ping_all({}) == {}
    assert machine.asked == []


def test_a_client_that_nothing_is_said_of_is_an_error() -> None:
    with pytest.raises(MachineError, match="pings"):
        clients(Asked("a yes\n")).ping_all({"a": FAR_END, "b": FAR_END})


def test_an_echo_is_of_the_family_of_its_target() -> None:
    assert shlex.split(echo("fd00::1", device=DEVICE, sent=2))[:4] == ["ping", "-I", DEVICE, "-6"]
    assert "-I" not in echo(FAR_END)


class OneAtATime:
    """VPN clients that come up when they are waited for, if nobody else is on the way."""

    def __init__(self) -> None:
        self.on_the_way: list[str] = []

    def connect_all(self, clients: Sequence[Client]) -> None:
        assert not self.on_the_way
        self.on_the_way = [one.name for one in clients]

    def wait_up(self, names: Sequence[str], seconds: float) -> None:
        assert seconds > 0
        assert list(names) == self.on_the_way
        self.on_the_way = []

    def statuses(self, names: Sequence[str]) -> tuple[Tunnel, ...]:
        return tuple(Tunnel(name, True, None, None, (), "") for name in names)


def test_clients_that_connect_in_turn_do_not_wait_for_each_other_at_a_node(tmp_path: Path) -> None:
    site = ScriptedLab().site
    wanted = [Client(name, "client", f"145.0.6.{number}") for number, name in enumerate("abc", 130)]
    with History(tmp_path / "history.jsonl", "it") as history:
        clients = Clients(cast(Any, OneAtATime()), [], site, history)
        made = clients.connect_in_turn(wanted, seconds_each=1)
    assert [*made] == ["a", "b", "c"]
    started = read_history(tmp_path / "history.jsonl").of(TunnelStarted)
    assert [one.client for one in started] == ["a", "b", "c"]
