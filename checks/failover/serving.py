"""FO-12 to 15: what answers where, and that one MAC alone holds the virtual IP."""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.failover.pair import Recorded, Steady
from checks.protocols import arp, heartbeat
from evidence.scenario import Evidence

SERVICES = (("tcp", 443), ("tcp", 943), ("udp", 1194))
"""What the guide forwards: "TCP 443, TCP 943, and UDP 1194"."""
ASKED_TIMES = 5
ANSWERED_SHARE = 0.8
"""FO-15: of 5 questions one may be lost, as a frame may be on any network; of 10, two."""
REPLY_S = 2.0
"""A reply later than this is none: who asks has asked again by then."""


@check("FO-12")
def the_virtual_ip_serves_all_three(evidence: Evidence) -> Verdict:
    """Judge that TCP 443, TCP 943 and UDP 1194 answer on the virtual IP."""
    recorded = Recorded(evidence)
    found = Findings()
    _judge_probes(found, evidence, recorded.pair.virtual_ip, answered=True)
    return found.verdict("3 of 3 answer on the virtual IP")


@check("FO-13")
def the_standby_serves_nothing(evidence: Evidence) -> Verdict:
    """Judge that none of the three answers on the standby's own address, while it is up there.

    That it is up its own ARP replies show: a machine that is off serves nothing either.
    """
    recorded = Recorded(evidence)
    found = Findings()
    for steady in recorded.steady():
        standby = steady.standby
        _judge_probes(found, evidence, standby.address, answered=False, during=steady)
        found.saw(evidence.capture_place)
        replies = arp.replies(_arps_during(recorded, steady), standby.address)
        if not any(seen.arp.sender_mac == standby.mac for seen in replies):
            found.gap(
                f"nothing shows that {standby.name} was up: no ARP reply of {standby.mac} "
                f"for {standby.address}"
            )
    return found.verdict("0 of 3 answer on the standby's own address")


@check("FO-14")
def the_active_node_answers_on_its_own_address(evidence: Evidence) -> Verdict:
    """Judge that all three answer on the active node's own address too."""
    recorded = Recorded(evidence)
    found = Findings()
    for steady in recorded.steady():
        _judge_probes(found, evidence, steady.active.address, answered=True, during=steady)
    return found.verdict("3 of 3 answer on the active node's own address")


def _judge_probes(
    found: Findings,
    evidence: Evidence,
    address: str,
    *,
    answered: bool,
    during: Steady | None = None,
) -> None:
    """Require each service to answer at an address, or none; asked in a steady span, if given."""
    for protocol, port in SERVICES:
        tried = [
            event
            for event in evidence.events("probe")
            if (event["address"], event["protocol"], event["port"]) == (address, protocol, port)
            and (during is None or during.start_ns <= event.at_ns <= during.end_ns)
        ]
        found.saw(*(event.place for event in tried))
        if not tried:
            found.gap(f"{protocol} {port} of {address} was never asked")
        elif answered:
            found.require(
                any(event["answered"] for event in tried),
                f"{protocol} {port} does not answer on {address}",
            )
        else:
            found.require(
                not any(event["answered"] for event in tried),
                f"{protocol} {port} answers on {address}",
            )


@check("FO-15")
def one_mac_holds_the_virtual_ip(evidence: Evidence) -> Verdict:
    """Judge by the ARP replies of a steady span that one MAC answers: the active node's.

    It answers nearly every question: one that answers now and then does not hold it.
    """
    recorded = Recorded(evidence)
    found = Findings()
    address = recorded.pair.virtual_ip
    for steady in recorded.steady():
        arps = _arps_during(recorded, steady)
        questions = [
            seen
            for seen in arp.questions(arps, address)
            if seen.arp.sender_mac != steady.active.mac  # that one would ask itself
        ]
        asked = len(questions)
        if asked < ASKED_TIMES:
            found.gap(f"{address} was asked for {asked} times, {ASKED_TIMES} are needed")
        macs = sorted({seen.arp.sender_mac for seen in arp.replies(arps, address)})
        found.saw(recorded.evidence.capture_place)
        found.require(len(macs) <= 1, f"{len(macs)} MACs answer for {address}: {', '.join(macs)}")
        if asked >= ASKED_TIMES:
            answered = _answered(questions, arp.replies(recorded.arps, address))
            found.require(
                answered >= ANSWERED_SHARE * asked,
                f"{address} was answered for {answered} of {asked} questions",
            )
        if len(macs) == 1:
            found.require(
                macs[0] == steady.active.mac,
                f"{macs[0]} answers for {address}, not the active node's {steady.active.mac}",
            )
    return found.verdict("1 MAC answers, the active node's")


def _arps_during(recorded: Recorded, steady: Steady) -> list[arp.ArpSighting]:
    return [seen for seen in recorded.arps if steady.start_ns <= seen.at_ns < steady.end_ns]


def _answered(questions: Sequence[arp.ArpSighting], replies: Sequence[arp.ArpSighting]) -> int:
    """Count the questions that got a reply of their own, to who asked, in time."""
    left = list(replies)
    answered = 0
    for question in questions:
        latest_ns = question.at_ns + int(REPLY_S * heartbeat.NS)
        reply = next(
            (
                seen
                for seen in left
                if question.at_ns <= seen.at_ns <= latest_ns
                and seen.frame_target == question.frame_source
            ),
            None,
        )
        if reply is not None:
            left.remove(reply)
            answered += 1
    return answered
