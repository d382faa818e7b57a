"""MN-22: the DNS server rotates its answers. MN-23: clients land on both nodes.

Events read:
    dns.answers       of the client, one a record type: `type`, `answers`, a list of {id, status,
                      addresses} in the order they came (what dig printed)
    tunnel            see `tunnels`; here each client connected by the shared name
    connection.log    of the controller: `rows`, its connection_log of the scenario's time, each
                      {profile_id, ip4, connected_at, disconnected_at, connected_ns}: the last is
                      the wire's time of connected_at

Both are judged by what stands on the wire, and cross-checked with what the client and the
controller say: contradictory evidence is UNKNOWN. The test is exact, its false-alarm rate is stated
in `round_robin`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.multi_node.guide import FAMILIES, HOSTS, NODES, RECORD_TYPE, SHARED_NAME, node_of
from checks.multi_node.tunnels import Traffic, Tunnel, traffic
from evidence.packets import UDP, parse
from checks.protocols.dns import Answer, Malformed, parse_answer
from checks.protocols.round_robin import (
    ALPHA_CLIENTS,
    ALPHA_QUERIES,
    LEAST_CLIENTS,
    LEAST_QUERIES,
    fair_draw,
)
from evidence.errors import Imprecise
from evidence.history import Event
from evidence.scenario import Evidence

_DNS_PORT = 53


@check("MN-22")
def answers_rotate(evidence: Evidence) -> Verdict:
    """Over at least 200 queries a type, each node's address comes first equally often."""
    findings = Findings()
    findings.saw(evidence.capture_place)
    on_wire = _answers_on_wire(evidence)
    shown = []
    for family in FAMILIES:
        kind = RECORD_TYPE[family]
        events = [event for event in evidence.need("dns.answers") if event["type"] == kind]
        findings.saw(*(event.place for event in events))
        matched = _matched(kind, events, on_wire, findings)
        if len(matched) < LEAST_QUERIES:
            findings.gap(f"{kind}: {len(matched)} answers, fewer than {LEAST_QUERIES}")
            continue
        shown.append(_judge_order(family, matched, findings))
    return findings.verdict(*shown)


def _answers_on_wire(evidence: Evidence) -> list[Answer]:
    """Return the answers for the shared name that the DNS server sent the client, in order."""
    servers = {HOSTS["services"].ipv4, HOSTS["services"].ipv6}
    clients = {HOSTS["client"].ipv4, HOSTS["client"].ipv6}
    answers = []
    for frame in evidence.frames():
        packet = parse(frame.data)
        if packet is None or (packet.protocol, packet.source_port) != (UDP, _DNS_PORT):
            continue
        if packet.source not in servers or packet.target not in clients:
            continue
        try:
            answer = parse_answer(packet.payload)
        except Malformed as error:
            raise Imprecise(f"a DNS answer at {frame.at_ns} cannot be read: {error}") from error
        if answer is not None and answer.name == SHARED_NAME:
            answers.append(answer)
    return answers


def _matched(
    kind: str, events: Sequence[Event], on_wire: Sequence[Answer], findings: Findings
) -> list[Answer]:
    """Return the wire's answers to the queries that the client tells of."""
    left: dict[int, list[Answer]] = {}
    for answer in on_wire:
        if answer.type == kind:
            left.setdefault(answer.query_id, []).append(answer)
    matched, absent, other = [], 0, 0
    for told in (answer for event in events for answer in event["answers"]):
        candidates = left.get(told["id"])
        if not candidates:
            absent += 1
            continue
        answer = candidates.pop(0)
        other += answer.addresses != tuple(told["addresses"])
        matched.append(answer)
    if absent:
        findings.gap(f"{kind}: {absent} answers that the client tells of are not on the wire")
    if other:
        findings.gap(f"{kind}: {other} answers are not on the wire as the client tells them")
    return matched


def _judge_order(family: int, answers: Sequence[Answer], findings: Findings) -> str:
    kind = RECORD_TYPE[family]
    wanted = [HOSTS[node].address(family) for node in NODES]
    odd = [answer for answer in answers if sorted(answer.addresses) != sorted(wanted)]
    if odd:
        findings.require(
            False,
            f"{kind}: {len(odd)} answers do not hold each node's address once, such as"
            f" {list(odd[0].addresses)} (rcode {odd[0].rcode})",
        )
        return ""
    first = Counter(answer.addresses[0] for answer in answers)
    draw = fair_draw([first[address] for address in wanted], ALPHA_QUERIES)
    findings.require(draw.fair, f"{kind}: the nodes do not come first equally often: {draw}")
    return f"{kind}: the nodes came first {draw}"


@check("MN-23")
def clients_spread(evidence: Evidence) -> Verdict:
    """At least 16 clients that connect by the shared name land on the nodes like a fair draw."""
    findings = Findings()
    log = evidence.last("connection.log", "controller")
    findings.saw(evidence.capture_place, log.place)
    # a client that tried twice counts once, as what it ended with
    tunnels = {tunnel.client: tunnel for tunnel in map(Tunnel.of, evidence.need("tunnel"))}
    seen = traffic(evidence)
    landed: Counter[str] = Counter()
    for tunnel in tunnels.values():
        findings.saw(tunnel.place)
        if not findings.require(tunnel.up, f"{tunnel.client} found no node: {tunnel.detail}"):
            continue
        node = _landed(tunnel, seen, log["rows"], findings)
        if node is not None:
            landed[node] += 1
    total = sum(landed.values())
    if total < LEAST_CLIENTS:
        findings.gap(f"{total} clients are known to have landed, fewer than {LEAST_CLIENTS}")
        return findings.verdict()
    draw = fair_draw([landed[node] for node in NODES], ALPHA_CLIENTS)
    findings.require(draw.fair, f"clients do not spread over {' and '.join(NODES)}: {draw}")
    return findings.verdict(f"{total} clients landed on {' and '.join(NODES)}: {draw}")


def _landed(
    tunnel: Tunnel, seen: Traffic, rows: Sequence[Mapping[str, object]], findings: Findings
) -> str | None:
    """Return the node a client is at by the wire, if the client and the controller agree."""
    flows = [flow for flow in seen.last_from_server_ns if flow[0] == tunnel.address]
    flows = [flow for flow in flows if seen.established(flow)]
    if not flows:
        findings.gap(f"{tunnel.client}: the wire shows no tunnel of {tunnel.address}")
        return None
    latest = max(flows, key=seen.last_from_server_ns.__getitem__)
    node = node_of(latest[1])
    if node is None:
        findings.require(False, f"{tunnel.client} landed at {latest[1]}, which is no node")
        return None
    if node != tunnel.node:
        findings.gap(f"{tunnel.client}: {node} by the wire, {tunnel.node} by its own log")
        return None
    logged = any(row["profile_id"] == node and row["ip4"] == tunnel.tunnel4 for row in rows)
    if not logged:
        findings.gap(
            f"{tunnel.client}: at {node} as {tunnel.tunnel4}, but not in the controller's log"
        )
        return None
    return node
