"""What machines answer is read, or a LabError that names them, whatever they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from checks.multi_node.api import _json as json_of_api
from checks.multi_node.profiles import _number
from checks.multi_node.server_processes import read_config, read_sockets
from checks.protocols import tcpdump
from evidence.errors import Imprecise
from evidence.events.takeover import LogLine
from evidence.printable import visible
from lab.agent import read_answer
from lab.answers import json_object, understood
from lab.clock import ClockOffset
from lab.errors import CommandFailed, LabError
from provision.vpn_clients import VpnClients
from scenarios.failover import observe, tunnels, validation
from scenarios.failover.greeting import static_key
from scenarios.failover.pair import timers
from scenarios.multi_node import clients
from scenarios.multi_node import observe as multi_node
from tests.checks import factories
from tests.checks.factories import good_config
from tests.checks.sites import GUIDE
from tests.hostile.mutations import COUNT, DEAR, mutated, mutated_text, survives
from tests.provision.test_clients import STATUS
from tests.scenarios.failover_pair import TLS_CRYPT_KEY, ScriptedMachine
from tests.scenarios.test_multi_node_scenarios import ages_of, answer_curl, dig_block

OFFSET = ClockOffset(4150 * 10**9, 10**6)
AT = "2024-02-03T04:05:06+0000"
LOG = "\n".join(
    [
        f'{AT} [stdout#info] [FAILOVER] OUT: "Switching to state: MASTER"',
        f'{AT} [stdout#info] [OVPN 0] OUT: "a:1 VERIFY OK: depth=0, CN=alice"',
        f'{AT} [stdout#info] [OVPN 0] OUT: "alice/a:1 --auth-gen-token: auth-token expired"',
        f'{AT} [stdout#info] [OVPN 0] OUT: "a:1 Timestamp (946684800) of auth-token is out"',
        f"{AT} [stdout#info] [AUTH] OUT: \"auth-user-pass-verify user='alice' cn='alice' ok\"",
    ]
)
PINGS = "[1700000000.123456] 64 bytes from 172.27.224.1: icmp_seq=1 ttl=64 time=1.25 ms\n" * 3
STATE = factories.server_state("node-a")
SERVER = (
    "".join(f"@@@ {file}\n{text}\n" for file, text in STATE["files"].items())
    + f"\n@@@ /units\n{STATE['units']}\n@@@ /sockets\n{STATE['sockets']}"
    + f"\n@@@ /links\n{json.dumps(STATE['links'])}\n@@@ /ages\n{ages_of('node-a')}"
)
LINKS = json.dumps([{"addr_info": [{"local": "192.168.70.1"}, {"local": "192.168.70.222"}]}])
INTERFACES = json.dumps(
    [
        {
            "ifname": "wire0",
            "operstate": "UP",
            "addr_info": [{"family": "inet", "local": "145.0.6.71", "prefixlen": 24}],
        }
    ]
)
DIG = dig_block(7, "nodes.frkovpn.tuxed.net", "A", ("145.0.6.72", "145.0.6.73"))
ROWS = json.dumps({"rows": [{"name": "rsync on primary", "status": "GOOD"}]})
STATUS_OF_NODE = json.dumps({"state": "MASTER", "live": {"term": 1, "serial": 2}, "since": 1.5})
CONNECTED = json.dumps(
    [
        {
            "profile_id": "node-a",
            "ip4": "10.1.0.2",
            "connected_at": "2024-02-03 04:05:06",
            "disconnected_at": None,
        }
    ]
)
HASHES = "users|AB12\nrevocations|CD34\nconfiguration|EF56\n"
EXTRA = "-b 1 -k 10 -r 3 --upscript /x"
TCPDUMP = tcpdump.GUIDE_SAMPLE + "\n" + tcpdump.GUIDE_SAMPLE.replace(" M ", " wire0 M ifindex 2 ")


class Histories:
    """A history that takes what can stand in one."""

    def record(self, event: Any) -> Any:
        json.dumps(event.model_dump(mode="json")).encode()
        return event


def machine(said: str, name: str = "node") -> Any:
    return ScriptedMachine(name, {"": said})


def pair(said: str) -> Any:
    return SimpleNamespace(
        history=Histories(),
        virtual_ip="192.168.70.222",
        machine=lambda name: machine(said, name),
        lab={"gateway": machine(said)},
        site=SimpleNamespace(
            nodes=[SimpleNamespace(name=name, ipv4="192.168.70.1") for name in ("a", "b")]
        ),
        sacli=lambda *_, **__: said,
    )


def histories() -> Any:
    return Histories()


def log_lines(said: str) -> None:
    for at_ns, text in observe.dated_since(said, OFFSET, 10**18):
        histories().record(LogLine(source="node", at_ns=at_ns, file="x.log", text=text))


def statuses(said: str) -> None:
    vpn = VpnClients(machine(said))
    for tunnel in vpn.statuses(["one"]):
        clients.inside(tunnel, 4)


def failed(said: str) -> None:
    shown = str(CommandFailed("node", "true", 1, said))
    assert len(shown) < 17_000 * 10
    assert not {"\x1b", "\r", "\x9b", "\u202e"} & set(shown)


def api(said: str) -> None:
    multi_node.ask_api(histories(), machine(said), "https://x/")


READERS: dict[str, tuple[Callable[[str], object], list[str]]] = {
    "addresses": (lambda said: observe.addresses(pair(said), "node"), [LINKS]),
    "after a stop": (
        lambda said: observe.after_stop(pair(said), "node"),
        [f"1.5\n{LINKS}\n1.75\n"],
    ),
    "changes of addresses": (
        lambda said: _within(lambda text: list(observe.changes_in(text)), said),
        [f"1700000000123456789 {LINKS}\n1700000001123456789 {LINKS}\n"],
    ),
    "a log": (log_lines, [LOG]),
    "tokens": (lambda said: observe.tokens_logged(machine(said), 10**18), [LOG]),
    "checks of a login": (
        lambda said: tunnels.verify_calls(
            pair(said), "node", tunnels.RoamingClient("alice", "udp", 1), 0
        ),
        [LOG],
    ),
    "bad digests": (lambda said: observe.bad_digests(pair(said)), ["3\n", ""]),
    "neighbours": (
        lambda said: observe.neighbours(
            pair(said),
            SimpleNamespace(neighbour=lambda _: None),  # type: ignore[arg-type]
        ),
        [json.dumps([{"dst": "192.168.70.222", "lladdr": "02:00:00:00:00:01"}]), ""],
    ),
    "hashes": (lambda said: observe.hashes(machine(said), "live"), [HASHES]),
    "a subscription": (
        lambda said: observe.subscription(pair(said), "node", active=True, loaded_on="node"),
        ["{'name': 'LAB-1', 'max_cc': 12, 'more': ('a', 1.5, None)}\n"],
    ),
    "what tcpdump printed": (
        lambda said: observe.tcpdump(pair(said), "node", 8, service_stopped=False),
        [TCPDUMP],
    ),
    "echoes": (lambda said: list(tunnels.echoes(said, OFFSET)), [PINGS]),
    "passwords left": (lambda said: tunnels.unspent(pair(said), "node", "u"), ['{"unused": 3}']),
    "Validate": (lambda said: validation.validate(pair(said)), [ROWS]),
    "a node's status": (lambda said: json_object("node", "it", said), [STATUS_OF_NODE]),
    "a tls-crypt key": (lambda said: _within(static_key, said), [TLS_CRYPT_KEY]),
    "timers": (
        lambda said: _within(
            lambda extra: timers({"failover.engine": "ucarp", "ucarp.extra_parms": extra}, "x"),
            said,
        ),
        [EXTRA],
    ),
    "VPN clients": (statuses, [STATUS]),
    "VPN clients' states": (lambda said: VpnClients(machine(said)).up(), ["one up\ntwo down\n"]),
    "VPN clients' pings": (
        lambda said: VpnClients(machine(said)).ping_all({"one": "10.0.0.1"}),
        ["one yes\n"],
    ),
    "interfaces and names": (
        lambda said: multi_node.addresses_and_names(histories(), machine(said), [("x", "A")]),
        [f"{INTERFACES}\n@@@ names\n{DIG}"],
    ),
    "dig": (lambda said: multi_node.dns(histories(), machine(said), "x", "A", 1), [DIG * 2]),
    "the controller's configuration": (
        lambda said: multi_node.controller_config(histories(), machine(said)),
        [json.dumps(good_config())],
    ),
    "php -l": (
        lambda said: multi_node.php_lint(histories(), machine(said), ["/a"]),
        ["@@@ 0 /etc/a.php\nNo syntax errors detected in /etc/a.php\n"],
    ),
    "the API": (api, [answer_curl("node-a", GUIDE), answer_curl("client", GUIDE)]),
    "a server's state": (
        lambda said: multi_node.server_state(histories(), machine(said, "node-a")),
        [SERVER],
    ),
    "connections": (
        lambda said: multi_node.connection_log(
            histories(), machine(said), [machine("", "node-a"), machine("", "node-b")]
        ),
        [CONNECTED, "[]"],
    ),
}


TAKE_LONGER = {
    *("timers", "VPN clients", "interfaces and names", "dig", "a server's state"),
    *("connections", "the API", "a log"),
}


def _within(parse: Callable[[str], object], said: str) -> None:
    with understood("node", "it"):
        parse(said)


@pytest.mark.parametrize("what", READERS)
def test_an_answer_is_read_or_the_machine_is_named(what: str) -> None:
    read, samples = READERS[what]
    survives(read, mutated_text(samples, what, DEAR if what in TAKE_LONGER else COUNT), LabError)


NEVER_RAISE: dict[str, tuple[Callable[[str], object], list[str]]] = {
    "what tcpdump printed": (tcpdump.advertisement_lines, [TCPDUMP]),
    "what else tcpdump printed": (tcpdump.senders_of_other_lines, [TCPDUMP]),
    "sockets": (lambda said: list(read_sockets(said)), [STATE["sockets"]]),
    "a body of the API": (json_of_api, ['{"error": "missing authentication information"}']),
    "a number of PHP's": (_number, ["12", "1.5"]),
    "what is printed": (lambda said: visible(said, layout=True), [LOG]),
    "an error": (failed, [LOG * 50]),
}


@pytest.mark.parametrize("what", NEVER_RAISE)
def test_what_a_check_reads_of_a_guest_never_raises(what: str) -> None:
    read, samples = NEVER_RAISE[what]
    count = {"an error": COUNT // 50, "what is printed": DEAR, "a number of PHP's": DEAR}
    survives(read, mutated_text(samples, what, count.get(what, COUNT)))


def test_an_openvpn_config_is_read_or_too_imprecise() -> None:
    samples = list(STATE["files"].values())
    survives(read_config, mutated_text(samples, "config", DEAR), Imprecise)


def test_an_agents_answer_is_a_time_or_none() -> None:
    survives(read_answer, mutated([b"1700000000123456789\n"], "agent"), ValueError)
