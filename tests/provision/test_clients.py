"""The client machine: what is asked of its script, and what the script's answers mean."""

# ruff: noqa: ARG002 - these have the signature of what they stand for

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from lab.errors import DeadlinePassed, ScenarioError
from provision import vpn_clients
from provision.multi_node import download
from provision.vpn_clients import Client, VpnClients, parse_status
from tests.provision.machines import Said

STATUS = """\
client one up [AF_INET6]2001:610:188:418:145:0:6:72:1194
address 10.1.0.2/26
address fd00:1:1:1::1000/112
log Peer Connection Initiated with [AF_INET6]2001:610:188:418:145:0:6:72:1194
log Initialization Sequence Completed
client two down -
log Cannot resolve host address: nodes.frkovpn.tuxed.net
"""


class Answering:
    """A machine with prepared answers."""

    name = "client"

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def run(self, command, *, stdin=None, timeout=60, check=True):
        self.asked.append((command, stdin))
        words = command.split()
        return Said(0, self.answers.get(words[1] if len(words) > 1 else "", ""))


def clients(**answers):
    machine = Answering(**answers)
    return machine, VpnClients(machine, nameserver="145.0.6.10")


def test_many_clients_are_started_by_one_command():
    machine, vpn = clients()
    vpn.connect_all([Client(f"c{n}", "dev tun", f"145.0.6.10{n}", f"2001::{n}") for n in (1, 2)])
    ((command, archive),) = machine.asked
    assert command == "/usr/local/sbin/vpn-clients connect c1 c2"
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert sorted(tar.getnames()) == [
            "c1/client.ovpn",
            "c1/identity",
            "c2/client.ovpn",
            "c2/identity",
        ]
        identity = tar.extractfile("c2/identity").read()
    assert identity == b"145.0.6.102 2001::2 02:76:91:00:06:66 145.0.6.10\n"


def test_a_client_without_ipv6_and_dns_says_so():
    machine = Answering()
    VpnClients(machine).connect("c1", "dev tun", "198.51.100.101")
    ((_, archive),) = machine.asked
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        identity = tar.extractfile("c1/identity").read()
    assert identity == b"198.51.100.101 - 02:76:c6:33:64:65 -\n"


def test_a_login_lies_beside_the_profile_for_nobody_else_to_read():
    machine, vpn = clients()
    login = ("alice", "alice-once-001")
    vpn.connect_all([Client("c1", "auth-user-pass\n", "198.51.100.101", login=login)])
    ((command, archive),) = machine.asked
    assert "once" not in command
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.extractfile("c1/client.ovpn").read() == b"auth-user-pass\n"
        assert tar.extractfile("c1/login").read() == b"alice\nalice-once-001\n"
        assert tar.getmember("c1/login").mode == 0o600


@pytest.mark.parametrize("name", ["", "../etc", "A", "x" * 33, "a b", "-a"])
def test_a_name_that_is_no_name_is_refused(name):
    machine, vpn = clients()
    with pytest.raises(ScenarioError, match="cannot be called"):
        vpn.connect(name, "", "145.0.6.101", "2001::1")
    assert machine.asked == []


def test_two_clients_with_one_name_are_refused():
    with pytest.raises(ScenarioError, match="two VPN clients"):
        clients()[1].statuses(["a", "a"])


def test_a_status_tells_node_addresses_and_the_last_words():
    up, down = parse_status(STATUS)
    assert (up.name, up.up, up.port) == ("one", True, 1194)
    assert up.remote == "2001:610:188:418:145:0:6:72"
    assert up.addresses == ("10.1.0.2/26", "fd00:1:1:1::1000/112")
    assert (down.up, down.remote, down.addresses) == (False, None, ())
    assert "Cannot resolve" in down.log


def test_tunnels_that_do_not_come_up_show_their_logs():
    _, vpn = clients(state="one up x\ntwo down -\n", status=STATUS)
    vpn.wait_up(["one"], 1)
    with pytest.raises(DeadlinePassed, match="Cannot resolve host address"):
        vpn.wait_up(["one", "two"], 0.01)


def test_pings_are_answered_by_name():
    _, vpn = clients(ping="b no\na yes\n")
    assert vpn.ping_all({"a": "10.1.0.1", "b": "10.2.0.1"}) == {"a": True, "b": False}


def test_nothing_is_asked_for_no_clients():
    machine, vpn = clients()
    vpn.connect_all([])
    vpn.disconnect([])
    assert vpn.ping_all({}) == {}
    assert machine.asked == []


def test_the_script_is_posix_shell():
    script = Path(vpn_clients.__file__).with_name("vpn-clients.sh")
    subprocess.run(["sh", "-n", script], check=True)


LOGS = {
    "fine": "Peer Connection Initiated with [AF_INET]145.0.6.72:1194\n"
    "Initialization Sequence Completed\n",
    "gone": "Initialization Sequence Completed\nSIGTERM[hard,] received, process exiting\n",
    "back": "SIGUSR1[soft,ping-restart] received, process restarting\n"
    "Peer Connection Initiated with [AF_INET6]2001::73:1194 (via ::)\n"
    "Initialization Sequence Completed\n",
    "new": "",
}
IP = """#!/bin/sh
[ "$2" = fine ] || { echo "Cannot open network namespace" >&2; exit 1; }
echo '5: tun0    inet 10.1.0.2/26 scope global tun0\\       valid_lft forever'
echo '5: tun0    inet6 fd00:1:1:1::1000/112 scope global \\       valid_lft forever'
"""


@pytest.fixture
def script(tmp_path):
    """Give what runs the script on logs, with a fake `ip`."""
    for name, log in LOGS.items():
        (tmp_path / "run" / name).mkdir(parents=True)
        (tmp_path / "log").mkdir(exist_ok=True)
        (tmp_path / "log" / f"{name}.log").write_text(log)
    (tmp_path / "ip").write_text(IP)
    (tmp_path / "ip").chmod(0o755)
    text = Path(vpn_clients.__file__).with_name("vpn-clients.sh").read_text()
    text = text.replace("run=/run/vpn-clients", f"run={tmp_path}/run")
    text = text.replace("logs=/var/log/vpn-clients", f"logs={tmp_path}/log")
    (tmp_path / "vpn-clients").write_text(text.replace("/etc/netns", f"{tmp_path}/netns"))

    def run(*words, stdin=b""):
        done = subprocess.run(
            ["sh", tmp_path / "vpn-clients", *words],
            input=stdin,
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()

    return run


def test_the_state_is_the_last_thing_each_log_tells(script):
    assert sorted(script("state").splitlines()) == [
        "back up [AF_INET6]2001::73:1194",
        "fine up [AF_INET]145.0.6.72:1194",
        "gone down -",
    ]


def test_a_status_has_state_addresses_and_the_end_of_the_log_of_each_that_is_named(
    script, tmp_path
):
    (tmp_path / "log" / "new.log").write_text("".join(f"line {n}\n" for n in range(40)))
    (tmp_path / "log" / "left.log").write_text("Initialization Sequence Completed\n")
    fine, left, new, nobody = parse_status(script("status", "fine", "left", "new", "nobody"))
    assert (fine.name, fine.up, fine.remote) == ("fine", True, "145.0.6.72")
    assert fine.addresses == ("10.1.0.2/26", "fd00:1:1:1::1000/112")
    assert fine.log == LOGS["fine"].rstrip("\n")
    # who is not connected is down, whatever an old log says
    assert (left.up, left.log) == (False, "Initialization Sequence Completed")
    assert new.log.splitlines() == [f"line {n}" for n in range(25, 40)]
    assert (nobody.up, nobody.addresses, nobody.log) == (False, (), "")


@pytest.mark.parametrize(
    ("files", "more"),
    [(["client.ovpn"], []), (["client.ovpn", "login"], ["--auth-user-pass", "login"])],
)
def test_openvpn_is_given_a_login_by_the_name_of_its_file(script, tmp_path, files, more):
    # <auth-user-pass> within a profile is new in OpenVPN 2.6.
    (tmp_path / "ip").write_text(
        f'#!/bin/sh\n[ "$2" != exec ] || {{ shift 3; echo "$*" >{tmp_path}/asked; }}\n'
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in [*files, "identity"]:
            content = b"198.51.100.101 - 02:76:c6:33:64:65 -\n"
            entry = tarfile.TarInfo(f"c1/{file}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    script("connect", "c1", stdin=packed.getvalue())
    words = (tmp_path / "asked").read_text().split()
    begin = ["openvpn", "--cd", f"{tmp_path}/run/c1", "--config", "client.ovpn", *more]
    assert words[: len(begin) + 1] == [*begin, "--connect-retry"]


def test_kept_configurations_are_read_by_one_command(tmp_path):
    for user in ("user-1", "user-2"):
        (tmp_path / f"{user}.ovpn").write_bytes(f"client\r\n# {user}\r\n</key>".encode())

    class Controller:
        name = "controller"

        def run(self, command, *, stdin=None, timeout=60, check=True):
            mine = command.replace(str(download.KEPT), str(tmp_path))
            done = subprocess.run(["sh", "-c", mine], capture_output=True, check=True)
            return Said(0, done.stdout.decode())

    assert download.downloaded(Controller()) == [
        "client\r\n# user-1\r\n</key>",
        "client\r\n# user-2\r\n</key>",
    ]
