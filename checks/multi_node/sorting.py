"""Whether clients took the address that the DNS server named first, or their resolver sorted.

A program does not see addresses in the order of the answer: getaddrinfo puts them in one of its own
first (RFC 6724). Of one family, rule 6 goes by a table of precedences (glibc's is /etc/gai.conf)
and rule 9 by how much of an address is the client's own; only what both leave equal keeps the order
of the answer. Where one node is preferred so, round robin is defeated, however well the server
rotates.

By the wire, of each client that landed: which node its last answer named first before it spoke to
the node where it is, and whether it had sent that first one anything. Who tried the first, and went
on, did not sort. Of whom no answer was seen nothing is said. No verdict hangs on this: it names the
reason of one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from checks.multi_node.deployment import Deployment, named
from checks.multi_node.guide import RECORD_TYPE, TRANSPORTS
from checks.multi_node.traffic import Traffic, port_owner
from checks.multi_node.tunnels import Attempt
from checks.protocols.dns import Malformed, parse_answer
from evidence.moment import Window
from evidence.packets import UDP, parse
from evidence.scenario import Evidence

_DNS_PORT = 53
_LEAST = 3  # who sort: the capture may lack an answer of one, which asked once more


@dataclass(frozen=True)
class DnsMessage:
    """What the DNS server sent a client, and when the wire carried it."""

    at_ns: int
    to: str
    message: bytes


def from_dns_server(
    evidence: Evidence, site: Deployment, clients: Collection[str]
) -> Iterator[DnsMessage]:
    """Yield what the wire took from the DNS server to some addresses, in order."""
    server = site.services.addresses.values()
    for frame in evidence.frames():
        packet = parse(frame.data)
        if packet is None or (packet.protocol, packet.source_port) != (UDP, _DNS_PORT):
            continue
        if packet.source not in server or packet.target not in clients:
            continue
        if port_owner(frame) == site.services.name and frame.passed_to_all:
            yield DnsMessage(frame.at_ns, packet.target or "", packet.payload)


@dataclass(frozen=True)
class Choice:
    """A client that landed: at which node over which family, and which one it was told first.

    own: its address of that family. told: "" where that is not known. tried: from when it sent the
    node that it was told first anything until it spoke to the other; None where it did not.
    """

    own: str
    family: int
    node: str
    told: str = ""
    tried: Window | None = None

    @property
    def sorts(self) -> bool:
        """Whether it took another address than the first, which it had not tried."""
        return self.told not in ("", self.node) and self.tried is None

    @property
    def went_on(self) -> bool:
        """Whether it tried the node that it was told first, and then another."""
        return self.told not in ("", self.node) and self.tried is not None

    @property
    def by_answer(self) -> str:
        """Where it would have landed, had it gone by the order of its answer."""
        return self.told if self.sorts else self.node


def choices(
    evidence: Evidence, seen: Traffic, landed: Sequence[tuple[Attempt, str, int]]
) -> list[Choice]:
    """Return how each client chose that landed at a node over a family, in their order."""
    site = seen.site
    own = [_own(attempt, family) for attempt, _, family in landed]
    addresses = {a for one, _, _ in landed for a in (one.tried.address4, one.tried.address6)}
    told: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for one in from_dns_server(evidence, site, addresses):
        try:
            answer = parse_answer(one.message)
        except Malformed:
            continue
        if answer is not None and answer.name == site.shared_name and answer.addresses:
            told.setdefault((one.to, answer.type), []).append((one.at_ns, answer.addresses[0]))
    return [
        _choice(attempt, node, family, mine, told, seen)
        for (attempt, node, family), mine in zip(landed, own, strict=True)
    ]


def _own(attempt: Attempt, family: int) -> str:
    return attempt.tried.address6 if family == 6 else attempt.tried.address4


def _choice(
    attempt: Attempt,
    node: str,
    family: int,
    own: str,
    told: dict[tuple[str, str], list[tuple[int, str]]],
    seen: Traffic,
) -> Choice:
    spoke = _spoke(attempt, own, seen.site.address(node, family), seen)
    if not spoke:
        return Choice(own, family, node)
    began_ns = min(spoke)
    kind = RECORD_TYPE[family]
    answers = [
        answer
        for to in (attempt.tried.address4, attempt.tried.address6)
        for answer in told.get((to, kind), ())
        if attempt.during.from_ns <= answer[0] < began_ns
    ]
    _, address = max(answers, default=(0, ""))
    first = seen.site.node_of(address)
    if first is None:
        return Choice(own, family, node)
    before = [at_ns for at_ns in _spoke(attempt, own, address, seen) if at_ns < began_ns]
    tried = Window(min(before), began_ns) if before else None
    return Choice(own, family, node, first, tried)


def _spoke(attempt: Attempt, own: str, server: str, seen: Traffic) -> list[int]:
    """Return when a client sent a server's OpenVPN anything, carried or not."""
    return [
        one.at_ns
        for transport in TRANSPORTS
        for one in seen.to_server.get((own, server, transport), ())
        if attempt.during.holds(one.at_ns)
    ]


def explanation(made: Sequence[Choice], site: Deployment) -> str:
    """Say that a resolver sorts, what shows it, and by which rule; "" where none is seen to."""
    sorting = [one for one in made if one.sorts]
    if len(sorting) < _LEAST:
        return ""
    first = Counter(one.told for one in made if one.told)
    times = ":".join(str(first[node]) for node in site.nodes)
    return (
        f"the DNS server named {named(site.nodes)} first {times} times to these clients, but"
        f" {len(sorting)} took another address, without a packet to the first: their resolver sorts"
        f" what it is given (getaddrinfo, RFC 6724), {_rule(sorting, site)}"
    )


def _rule(sorting: Sequence[Choice], site: Deployment) -> str:
    nearer = [one for one in sorting if nearest(one.own, one.family, site) == one.node]
    if len(nearer) == len(sorting):
        return "by rule 9: that address has the longer prefix in common with the client's own"
    return (
        f"and by rule 9, the longest common prefix, {len(nearer)} of them at the most: see the"
        " clients' /etc/gai.conf, the table of rule 6"
    )


def nearest(own: str, family: int, site: Deployment) -> str:
    """Return the node that rule 9 prefers for a client's own address; "" for none.

    As glibc has it: prefixes of IPv4 addresses count only inside the client's own network.
    """
    lengths = {node: _in_common(own, site.address(node, family), site) for node in site.nodes}
    longest = [node for node, bits in lengths.items() if bits == max(lengths.values())]
    return longest[0] if len(longest) == 1 else ""


def _in_common(own: str, other: str, site: Deployment) -> int:
    one, two = ip_address(own), ip_address(other)
    if one.version == 4 and two not in site.client.network(4):
        return 0
    return one.max_prefixlen - (int(one) ^ int(two)).bit_length()
