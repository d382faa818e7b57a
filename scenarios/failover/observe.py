"""What a scenario asks of a machine of the pair; answers go to the history as they are.

A guest's clock is not the wire's: what a guest dates is recorded at the wire's time, by the offset
that was measured just before, with its uncertainty. Nothing here judges.
"""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, get_args

from evidence.events.pair import TcpdumpPrinted
from evidence.events.session import TokenLogged
from evidence.events.sync import Kept, SubscriptionShown
from evidence.events.takeover import AddressesHeld, LogLine, NeighbourSeen, ServiceStopped
from evidence.moment import NS
from lab.answers import understood
from lab.clock import ClockOffset
from lab.machine import Machine
from lab.probe import Probe
from provision.failover.access_server import ETC, FAILOVER_LOG, NODE_LOG
from scenarios.failover.faults import AFTER_STOP
from scenarios.failover.pair import Pair

_CHANGES = "/run/address-changes"
_LONGEST_LINE = 8192  # characters; OpenVPN's own lines end long before
_LOG_LINE = re.compile(r'^(?P<at>\S+) \[\S+\] \[(?P<source>[^\]]*)\] OUT: "(?P<text>.*)"$')
_OF_CONNECTION = re.compile(r"(?:(?P<name>[^\s/]+)/)?(?P<address>\S+:\d+) ")
_VERIFIED, _COMMON_NAME = "VERIFY OK: depth=0, ", re.compile(r".*CN=(?P<name>[^,\s]+)")
GATEWAY, PROBE = "gateway", "probe"
"""The clients of the virtual IP on the pair's network, as they are called in events."""
_OF_TOKENS = re.compile(
    r"Timestamp \(\d+\) of auth-token is .*"
    r"|Initial timestamp \(\d+\) in token .*"
    r"|--auth-gen-token: .*"
    r"|TLS: Username/auth-token authentication failed.*"
)


def addresses(pair: Pair, node: str) -> None:
    """Record the addresses that a node holds."""
    links = pair.machine(node).run("ip -j -4 addr").stdout
    with understood(node, "what it says of its addresses"):
        seen = AddressesHeld(source=node, held=_held(links))
    pair.history.record(seen)


@contextmanager
def address_changes(pair: Pair, node: str) -> Iterator[None]:
    """Record the addresses that a node held after each change of them within the block.

    The node looks by itself and dates it: nobody who is busy meanwhile asks it anything.
    """
    machine = pair.machine(node)
    machine.run(
        f"rm -f {_CHANGES}; setsid sh -c 'ip -4 monitor address | while read -r _; do "
        f'links=$(ip -j -4 addr); echo "$(date +%s%N) $links"; done >{_CHANGES}\' '
        f"</dev/null >/dev/null 2>&1 & echo $! >{_CHANGES}.pid"
    )
    try:
        yield
    finally:  # it may be a site's machine
        end = f'kill -- "-$(cat {_CHANGES}.pid)"; cat {_CHANGES}; rm -f {_CHANGES} {_CHANGES}.pid'
        said = machine.run(end).stdout
    offset = machine.clock()
    with understood(node, "what it says of its addresses' changes"):
        seen = [
            AddressesHeld(
                source=node, at_ns=offset.on_host(at_ns) + offset.uncertainty_ns, held=held
            )
            for at_ns, held in changes_in(said)
        ]
    for one in seen:
        pair.history.record(one)


def changes_in(said: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield when (ns, by the node's clock) a node looked, and the addresses that it held."""
    for line in said.splitlines():
        at_ns, _, links = line.partition(" ")
        yield int(at_ns), _held(links)


def after_stop(pair: Pair, node: str) -> None:
    """Record that a node's service has just been stopped, and what it held right after that.

    Both are dated to when the command was seen to have ended, a bit late, and apart by the node's
    own clock, which nobody sets.
    """
    ended_ns = time.time_ns()
    pair.history.record(ServiceStopped(source=node, at_ns=ended_ns))
    said = pair.machine(node).run(f"cat {AFTER_STOP}").stdout
    with understood(node, "what it held after its stop"):
        took_ns, held = held_after_stop(said)
        seen = AddressesHeld(source=node, at_ns=ended_ns + took_ns, held=held)
    pair.history.record(seen)


def held_after_stop(said: str) -> tuple[int, tuple[str, ...]]:
    """Return how long (ns) after the stop a node looked, and the addresses that it held."""
    before, *links, after = said.splitlines()
    return round((float(after) - float(before)) * NS), _held("".join(links))


def _held(links: str) -> tuple[str, ...]:
    return tuple(entry["local"] for link in json.loads(links) for entry in link["addr_info"])


def log_lines(pair: Pair, node: str, since_ns: int) -> None:
    """Record the lines of both logs of a node from `since_ns` (wire) on, at their own time."""
    machine = pair.machine(node)
    offset = machine.clock()
    for path in (FAILOVER_LOG, NODE_LOG):
        text = machine.run(f"tail -n 400 {path} 2>/dev/null || true").stdout
        for at_ns, line in dated_since(text, offset, since_ns):
            pair.history.record(
                LogLine(
                    source=node,
                    at_ns=at_ns,
                    uncertainty_ns=offset.uncertainty_ns + NS // 2,
                    file=path.rpartition("/")[2],
                    text=line,
                )
            )


def tokens_logged(machine: Machine, since_ns: int) -> tuple[TokenLogged, ...]:
    """Return what a node logged of tokens from `since_ns` (wire) on, each text once a client.

    A line begins with the connection, by its address or by its name as well; which certificate
    belongs to it another line says. One of which none says is its own address's.
    """
    offset = machine.clock()
    text = machine.run(f"cat {NODE_LOG} 2>/dev/null || true").stdout
    names: dict[str, str] = {}
    found = []
    for _, line in dated_since(text, offset, since_ns):
        if (of := _OF_CONNECTION.match(line)) is None:
            continue
        address = of["address"]
        if name := of["name"] or _name_in_certificate(line):
            names[address] = name
        for match in _OF_TOKENS.finditer(line):
            found.append((address, match[0]))
    logged = (TokenLogged(client=names.get(one, one), text=said) for one, said in found)
    return tuple(dict.fromkeys(logged))


def _name_in_certificate(line: str) -> str:
    """Return the name in the certificate that a line says was verified, "" if it says none."""
    _, _, subject = line.partition(_VERIFIED)
    shown = _COMMON_NAME.match(subject)
    return shown["name"] if shown else ""


def dated_since(text: str, offset: ClockOffset, since_ns: int) -> Iterable[tuple[int, str]]:
    """Yield (wire's time in ns, text) of each log line from `since_ns`, less a stamp's second."""
    for at_ns, line in dated(text):
        if (on_the_wire := offset.on_host(at_ns)) >= since_ns - NS:
            yield on_the_wire, line


def dated(text: str) -> Iterable[tuple[int, str]]:
    """Yield (time in ns, text) of each log line; stamps are of whole seconds, so their middle."""
    for line in text.splitlines():
        match = _LOG_LINE.match(line[:_LONGEST_LINE])
        if match:
            with suppress(ValueError):  # no stamp of the log's: what a guest made of a line
                stamp = datetime.strptime(match["at"], "%Y-%m-%dT%H:%M:%S%z")
                yield int(stamp.timestamp()) * NS + NS // 2, match["text"]


def bad_digests(pair: Pair) -> int:
    """Count the advertisements that both nodes ever refused for their digest."""
    command = f"grep -c 'Bad digest' {FAILOVER_LOG} || true"
    counts = [machine.run(command).stdout or "0" for machine in _nodes(pair)]
    with understood("the pair", "its count of bad digests"):
        return sum(map(int, counts))


def neighbours(pair: Pair, probe: Probe) -> None:
    """Record whom each client of the virtual IP takes for its holder: the gateway, the probe."""
    command = f"ip -j neigh show {pair.virtual_ip}"
    said = pair.lab[GATEWAY].run(command).stdout
    with understood(GATEWAY, "what it says of its neighbour"):
        macs = {GATEWAY: neighbour_in(said), PROBE: probe.neighbour(pair.virtual_ip)}
        seen = [
            NeighbourSeen(source=client, address=pair.virtual_ip, mac=mac)
            for client, mac in macs.items()
        ]
    for one in seen:
        pair.history.record(one)


def neighbour_in(said: str) -> str | None:
    """Return the MAC that `ip -j neigh` shows, None where it shows none."""
    return next((entry["lladdr"] for entry in json.loads(said or "[]") if "lladdr" in entry), None)


def greet(pair: Pair) -> None:
    """Let the gateway talk to the virtual IP, so that it has a neighbour to lose."""
    pair.lab[GATEWAY].run(f"ping -c 1 -W 2 {pair.virtual_ip}", check=False)


def tcpdump(pair: Pair, node: str, seconds: int, *, service_stopped: bool) -> None:
    """Record what the guide's tcpdump command prints on a node in so many seconds."""
    command = f"timeout {seconds} tcpdump -l -eni any vrrp 2>/dev/null || true"
    text = pair.machine(node).run(command, timeout=seconds + 30).stdout
    pair.history.record(
        TcpdumpPrinted(source=node, text=text, seconds=seconds, service_stopped=service_stopped)
    )


_HASHES = """\
ask() { [ ! -f "$1" ] || sqlite3 -readonly "$1" "$2"; }
ask "$1/userprop.db" "SELECT 'users', hex(sha3_query(
    'SELECT user, key, value FROM properties ORDER BY 1, 2, 3'))"
ask "$1/certs.db" "SELECT 'revocations', hex(sha3_query(
    'SELECT serial, common_name FROM certificates WHERE revoked_at IS NOT NULL ORDER BY 1, 2'));
  SELECT 'certificates', hex(sha3_query(
    'SELECT serial, common_name, certificate FROM certificates ORDER BY 1'));
  SELECT 'session secret', hex(sha3(value)) FROM secrets WHERE name = 'auth-token.key'"
ask "$1/config.db" "SELECT 'configuration', hex(sha3_query(
    'SELECT key, value FROM config ORDER BY 1, 2'));
  SELECT 'licence', hex(sha3_query(
    'SELECT key, value FROM config WHERE key LIKE ''subscription.%'' ORDER BY 1, 2'))
    WHERE EXISTS (SELECT 1 FROM config WHERE key LIKE 'subscription.%')"
"""
_ITEMS = get_args(Kept)
_LONGEST_VALUE = 4096  # characters of SubscriptionStatus: some 200 are usual
LIVE, STAGED = f"{ETC}/db", f"{ETC}/staging/complete"


def hashes(machine: Machine, place: str) -> dict[str, str]:
    """Return a hash of each item in `place`, LIVE or STAGED: users, revocations, and so on.

    "absent" is one that is not there. The configuration is compared whole: what belongs to a node
    alone is not in its databases.
    """
    said = machine.run(f"sh -s {place}", stdin=_HASHES).stdout
    with understood(machine.name, f"the hashes of {place}"):
        return hashes_in(said)


def hashes_in(said: str) -> dict[str, str]:
    """Return the hash of each item by its name; ValueError for anything else."""
    found = dict.fromkeys(_ITEMS, "absent")
    for line in said.splitlines():
        name, digest = line.split("|")
        if name not in found or not digest:
            raise ValueError(f"{line[:80]!r} is no hash of an item")
        found[name] = digest
    return found


def subscription(pair: Pair, node: str, *, active: bool, loaded_on: str) -> None:
    """Record the subscription that a node shows."""
    said = pair.sacli(node, "SubscriptionStatus")
    with understood(node, "SubscriptionStatus"):
        shown = python_value(said)
        seen = SubscriptionShown(
            source=node,
            key=shown["name"],
            limit=shown["max_cc"],
            active=active,
            loaded_on=loaded_on,
        )
    pair.history.record(seen)


def python_value(text: str) -> Any:  # noqa: ANN401 - whatever was printed
    """Read what SubscriptionStatus prints: a Python value, not JSON.

    Raises what `ast.literal_eval` does, and ValueError for more than it can take without harm.
    """
    if len(text) > _LONGEST_VALUE:
        raise ValueError(f"a value of {len(text)} characters")
    return ast.literal_eval(text.strip())


def _nodes(pair: Pair) -> list[Machine]:
    return [pair.machine(node.name) for node in pair.site.nodes]
