"""MN-01: static addresses and names. MN-21: the records of the shared name, and what they lead to.

Events read:
    addresses    of each machine: `links`, the answer of `ip -j addr`
    names        of each machine: `answers`, a list of {name, type, addresses}
    tunnel       see `tunnels`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.multi_node.guide import (
    FAMILIES,
    HOSTS,
    NODES,
    RECORD_TYPE,
    SHARED_NAME,
    Host,
    owner_of,
)
from checks.multi_node.tunnels import Tunnel, traffic
from evidence.history import Event
from evidence.scenario import Evidence

_PREFIX = {"inet": 24, "inet6": 64}


@check("MN-01")
def addresses_and_names(evidence: Evidence) -> Verdict:
    """Each machine has its addresses, for good, and resolves every machine's name to them."""
    findings = Findings()
    for machine, host in HOSTS.items():
        addresses = evidence.last("addresses", machine)
        names = evidence.last("names", machine)
        findings.saw(addresses.place, names.place)
        _judge_addresses(machine, host, addresses, findings)
        for other in HOSTS.values():
            for family in FAMILIES:
                _judge_name(machine, other, family, _answers(names), findings)
    return findings.verdict(f"{len(HOSTS)} machines have their addresses and resolve each other")


def _judge_addresses(machine: str, host: Host, event: Event, findings: Findings) -> None:
    present = {
        entry["local"]: entry for link in event["links"] for entry in link.get("addr_info", ())
    }
    for address in (host.ipv4, host.ipv6):
        entry = present.get(address)
        if not findings.require(entry is not None, f"{machine} does not have {address}"):
            continue
        assert entry is not None  # noqa: S101 - `require` has just said so; this tells mypy
        length = _PREFIX[entry["family"]]
        findings.require(
            entry["prefixlen"] == length,
            f"{machine} has {address}/{entry['prefixlen']}, not /{length}",
        )
        for flag in ("dynamic", "tentative", "dadfailed"):
            findings.require(not entry.get(flag), f"{machine}: {address} is {flag}, not static")


def _answers(event: Event) -> Mapping[tuple[str, str], tuple[str, ...]]:
    return {
        (answer["name"], answer["type"]): tuple(answer["addresses"]) for answer in event["answers"]
    }


def _judge_name(
    machine: str,
    host: Host,
    family: int,
    answers: Mapping[tuple[str, str], tuple[str, ...]],
    findings: Findings,
) -> None:
    question = host.name, RECORD_TYPE[family]
    if question not in answers:
        findings.gap(f"{machine} was not asked for {' '.join(question)}")
        return
    got, wanted = answers[question], (host.address(family),)
    findings.require(
        got == wanted,
        f"{machine} resolves {' '.join(question)} to {_listed(got)}, not to {wanted[0]}",
    )


def _listed(addresses: Any) -> str:  # noqa: ANN401 - any collection of texts
    return ", ".join(sorted(addresses)) or "nothing"


@check("MN-21")
def shared_name(evidence: Evidence) -> Verdict:
    """One A and one AAAA record a node stand under the shared name; each lets a client in."""
    findings = Findings()
    event = evidence.last("names", "client")
    findings.saw(event.place, evidence.capture_place)
    answers = _answers(event)
    tunnels = [Tunnel.of(tunnel) for tunnel in evidence.need("tunnel")]
    seen = traffic(evidence)
    for family in FAMILIES:
        question = SHARED_NAME, RECORD_TYPE[family]
        if question not in answers:
            findings.gap(f"the client was not asked for {' '.join(question)}")
            continue
        _judge_records(answers[question], family, findings)
        for node in NODES:
            address = HOSTS[node].address(family)
            to_it = [tunnel for tunnel in tunnels if tunnel.remote == address]
            if not to_it:
                findings.gap(f"no client was sent to {address} ({node})")
                continue
            for tunnel in to_it:
                tunnel.judge(seen, findings)
    return findings.verdict(
        f"{SHARED_NAME} has one A and one AAAA record a node; all let clients in"
    )


def _judge_records(addresses: tuple[str, ...], family: int, findings: Findings) -> None:
    kind = RECORD_TYPE[family]
    wanted = {HOSTS[node].address(family) for node in NODES}
    for address in set(addresses) - wanted:
        findings.require(
            False, f"{SHARED_NAME} {kind} leads to {address}, which belongs to {owner_of(address)}"
        )
    for address in wanted - set(addresses):
        findings.require(
            False, f"{SHARED_NAME} has no {kind} record {address} of {owner_of(address)}"
        )
    findings.require(
        len(addresses) == len(set(addresses)), f"{SHARED_NAME} {kind} names an address twice"
    )
