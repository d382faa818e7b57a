"""MN-22: the DNS server rotates its answers.

Judged by what stands on the wire, as the client tells it: contradictory evidence is UNKNOWN. Each
record type is tested three times, exactly: for how often each node comes first, how often the order
changes, and how long one is kept at the most. `round_robin` states each test's false-alarm rate: a
server that draws fairly is rejected with probability at most 3e-6 a type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import FAMILIES, RECORD_TYPE
from checks.multi_node.sorting import from_dns_server
from checks.protocols.dns import Answer, Malformed, parse_answer
from checks.protocols.round_robin import (
    ALPHA_QUERIES,
    LEAST_QUERIES,
    fair_draw,
    longest_run,
    turns,
)
from evidence.errors import Imprecise
from evidence.events.multi_node import DnsAnswered
from evidence.scenario import Evidence


@dataclass(frozen=True)
class _Sent:
    """An answer, and when the wire carried it."""

    at_ns: int
    answer: Answer


@check("MN-22")
def answers_rotate(evidence: Evidence, owed: Obligations) -> None:
    """Over at least 200 queries a type, each node's address comes first equally often, in turns."""
    site = deployment(evidence, owed)
    told = evidence.need(DnsAnswered, site.client.name)
    on_wire = _answers_on_wire(evidence, site)
    for family in FAMILIES:
        kind = RECORD_TYPE[family]
        events = [event for event in told if event.type == kind]
        places = (evidence.capture_place, *(event.place for event in events))
        matched = _matched(kind, events, on_wire, owed)
        if owed.at_least(LEAST_QUERIES, matched, f"{kind} answers", *places):
            _judge_order(kind, site.node_addresses(family), matched, places, owed)


def _answers_on_wire(evidence: Evidence, site: Deployment) -> list[_Sent]:
    """Return the answers for the shared name that the DNS server sent the client, in order."""
    answers = []
    for one in from_dns_server(evidence, site, site.client.addresses.values()):
        try:
            answer = parse_answer(one.message)
        except Malformed as error:
            raise Imprecise(f"a DNS answer at {one.at_ns} cannot be read: {error}") from error
        if answer is not None and answer.name == site.shared_name:
            answers.append(_Sent(one.at_ns, answer))
    return answers


def _matched(
    kind: str, events: Sequence[DnsAnswered], on_wire: Sequence[_Sent], owed: Obligations
) -> list[Answer]:
    """Return the wire's answers to the queries that the client tells of, in the wire's order."""
    left: dict[int, list[_Sent]] = {}
    for sent in on_wire:
        if sent.answer.type == kind:
            left.setdefault(sent.answer.query_id, []).append(sent)
    matched, absent, other = list[_Sent](), 0, 0
    for told in (answer for event in events for answer in event.answers):
        candidates = left.get(told.id)
        if not candidates:
            absent += 1
            continue
        same = [one for one in candidates if one.answer.addresses == told.addresses]
        other += not same
        matched.append((same or candidates)[0])
        candidates.remove(matched[-1])
    if absent:
        owed.open(f"{kind}: {absent} answers that the client tells of are not on the wire")
    if other:
        owed.open(f"{kind}: {other} answers are not on the wire as the client tells them")
    return [sent.answer for sent in sorted(matched, key=lambda sent: sent.at_ns)]


def _judge_order(
    kind: str,
    wanted: Sequence[str],
    answers: Sequence[Answer],
    places: Sequence[str],
    owed: Obligations,
) -> None:
    odd = [answer for answer in answers if sorted(answer.addresses) != sorted(wanted)]
    whole = owed.owe(f"each {kind} answer holds each node's address once")
    if odd:
        whole.broken(
            f"{kind}: {len(odd)} answers do not hold each node's address once, such as"
            f" {list(odd[0].addresses)} (rcode {odd[0].rcode})",
            *places,
        )
        return
    whole.met(*places)
    if len(wanted) < 2:
        owed.open(f"{kind}: there is one node only, and no order to rotate", *places)
        return
    first = [answer.addresses[0] for answer in answers]
    draw = fair_draw([Counter(first)[address] for address in wanted], ALPHA_QUERIES)
    order = turns(first, len(wanted), ALPHA_QUERIES)
    longest = longest_run(first, len(wanted), ALPHA_QUERIES)
    owed.require(
        draw.fair,
        f"{kind}: the nodes come first equally often",
        f"{kind}: the nodes do not come first equally often: {draw}",
        *places,
    )
    owed.require(
        order.fair,
        f"{kind}: the order changes from answer to answer",
        f"{kind}: an order is kept from answer to answer: {order}",
        *places,
    )
    owed.require(
        longest.fair,
        f"{kind}: no order is kept for long",
        f"{kind}: an order is kept for too long: {longest}",
        *places,
    )
    owed.tell(f"{kind}: the nodes came first {draw}, with {order}, {longest}")
