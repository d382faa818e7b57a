"""MN-01: static addresses and names. MN-21: the records of the shared name, and what they lead to.

A machine may be looked at more than once: what is shown must be right every time. A question
without an answer may be one for which the DNS server did not run: see `unanswered`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.unanswered import judge_unanswered
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import FAMILIES, RECORD_TYPE
from checks.multi_node.traffic import traffic
from checks.multi_node.tunnels import judge_way, owe_looks, owe_ways, visits
from evidence.events.multi_node import InterfacesShown, NameAnswer, NamesAnswered
from evidence.events.run import HostLate
from evidence.scenario import Evidence

_WAITED_S = 15.0
"""dig waits so long for an answer to one question: three times 5 s."""
_RECORDED_S = 30.0
"""The other questions take less than that, and so does it to record the answers."""


@check("MN-01")
def addresses_and_names(evidence: Evidence, owed: Obligations) -> None:
    """Each machine has its addresses, for good, and resolves every machine's name to them."""
    site = deployment(evidence, owed)
    for machine, host in site.hosts.items():
        shown = evidence.events(InterfacesShown, machine)
        answered = evidence.events(NamesAnswered, machine)
        for family in FAMILIES:
            address, bits = host.address(family), host.bits[family]
            one = owed.owe(f"{machine} has {address}/{bits}, static and up")
            for look in shown:
                _judge_address(look, address, bits, one)
            for look in evidence.events(InterfacesShown):
                if look.source != machine and _holds(look, address):
                    one.broken(f"{look.source} has {address}, too: it is {machine}'s", look.place)
        for other in site.hosts.values():
            for family in FAMILIES:
                wanted = other.address(family)
                one = owed.owe(f"{machine} resolves {other.fqdn} {RECORD_TYPE[family]}")
                for event, answer in _records(answered, other.fqdn, family):
                    why = f"{_told(one.what, answer.addresses)}, not to {wanted}"
                    if answer.answered:
                        one.settle(answer.addresses == (wanted,), why, event.place)
                    else:
                        _judge_unanswered(event, why, evidence, site, one)
    owed.tell(f"{len(site.hosts)} machines were asked for their addresses and each other's names")


def _holds(event: InterfacesShown, address: str) -> bool:
    return any(entry.local == address for link in event.links for entry in link.addr_info)


def _judge_address(event: InterfacesShown, address: str, bits: int, one: Obligation) -> None:
    machine = event.source
    has = [(link, entry) for link in event.links for entry in link.addr_info]
    found = [(link, entry) for link, entry in has if entry.local == address]
    one.settle(bool(found), f"{machine} does not have {address}", event.place)
    for link, entry in found:
        if entry.prefixlen != bits:
            one.broken(f"{machine} has {address}/{entry.prefixlen}, not /{bits}")
        if link.operstate != "UP":
            one.broken(f"{machine}: {address} stands on {link.ifname}, which is {link.operstate}")
        flags = {
            "dynamic": entry.dynamic,
            "tentative": entry.tentative,
            "dadfailed": entry.dadfailed,
        }
        for flag in (flag for flag, there in flags.items() if there):
            one.broken(f"{machine}: {address} is {flag}, not static")


def _records(
    events: Iterable[NamesAnswered], name: str, family: int
) -> Iterable[tuple[NamesAnswered, NameAnswer]]:
    """Yield what a question was answered with, each time that it was asked."""
    for event in events:
        for answer in event.answers:
            if (answer.name, answer.type) == (name, RECORD_TYPE[family]):
                yield event, answer


def _judge_unanswered(
    event: NamesAnswered, why: str, evidence: Evidence, site: Deployment, one: Obligation
) -> None:
    """Break an obligation by a question that had no answer, unless the host explains it.

    dig asks one question after the other, and waits for each.
    """
    waited_s = _WAITED_S * sum(not answer.answered for answer in event.answers)
    judge_unanswered(
        one,
        why,
        event.at_ns,
        (event.source, site.services.name),
        evidence.events(HostLate),
        event.place,
        waited_s=waited_s,
        recorded_s=waited_s + _RECORDED_S,
    )


def _told(what: str, addresses: Sequence[str]) -> str:
    return f"{what} to {', '.join(sorted(addresses)) or 'nothing'}"


@check("MN-21")
def shared_name(evidence: Evidence, owed: Obligations) -> None:
    """One A and one AAAA record a node stand under the shared name; each lets a client in."""
    site = deployment(evidence, owed)
    answered = evidence.need(NamesAnswered, site.client.name)
    seen = traffic(evidence, site)
    seen.judge_senders(owed)
    for family in FAMILIES:
        kind = RECORD_TYPE[family]
        one = owed.owe(f"{site.shared_name} has one {kind} record a node")
        for event, answer in _records(answered, site.shared_name, family):
            if answer.answered:
                _judge_records(answer.addresses, family, site, one)
                one.met(event.place)
            else:
                why = f"{site.shared_name} {kind} was asked for, and nothing answered"
                _judge_unanswered(event, why, evidence, site, one)
    attempts = visits(evidence, site)
    owe_looks(evidence, owed)
    owe_ways(attempts, owed)
    for node in site.nodes:
        for family in FAMILIES:
            address = site.address(node, family)
            to_it = [one for one in attempts if one.tried.remote == address]
            judge_way(f"a client sent to {address} ({node}) gets in", to_it, seen, owed)


def _judge_records(
    addresses: Sequence[str], family: int, site: Deployment, one: Obligation
) -> None:
    name, kind = site.shared_name, RECORD_TYPE[family]
    wanted = site.node_addresses(family)
    for address in sorted(set(addresses) - set(wanted)):
        owner = site.owner_of(address)
        one.broken(f"{name} {kind} leads to {address}, which belongs to {owner}")
    for address in sorted(set(wanted) - set(addresses)):
        one.broken(f"{name} has no {kind} record {address} of {site.owner_of(address)}")
    if len(addresses) != len(set(addresses)):
        one.broken(f"{name} {kind} names an address twice")
