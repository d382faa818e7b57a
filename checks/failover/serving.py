"""FO-12 to 15: what answers where, and that one MAC alone holds the virtual IP."""

from __future__ import annotations

from checks import arp
from checks.evidence import Evidence
from checks.failover.pair import Recorded
from checks.registry import check
from checks.verdict import Findings, Verdict

SERVICES = (("tcp", 443), ("tcp", 943), ("udp", 1194))
"""What the guide forwards: "TCP 443, TCP 943, and UDP 1194"."""
ASKED_TIMES = 5


@check("FO-12")
def the_virtual_ip_serves_all_three(evidence: Evidence) -> Verdict:
    """Judge that TCP 443, TCP 943 and UDP 1194 answer on the virtual IP."""
    recorded = Recorded(evidence)
    found = Findings()
    _judge_probes(found, evidence, recorded.pair.virtual_ip, answered=True)
    return found.verdict("3 of 3 answer on the virtual IP")


@check("FO-13")
def the_standby_serves_nothing(evidence: Evidence) -> Verdict:
    """Judge that none of the three answers on the standby's own address."""
    recorded = Recorded(evidence)
    found = Findings()
    for steady in recorded.steady():
        _judge_probes(found, evidence, steady.standby.address, answered=False)
    return found.verdict("0 of 3 answer on the standby's own address")


@check("FO-14")
def the_active_node_answers_on_its_own_address(evidence: Evidence) -> Verdict:
    """Judge that the active node's web service answers on its own address too."""
    recorded = Recorded(evidence)
    found = Findings()
    for steady in recorded.steady():
        address = steady.active.address
        tried = [event for event in evidence.events("probe") if event["address"] == address]
        found.saw(*(event.place for event in tried))
        if not tried:
            found.gap(f"{address} was never asked")
        else:
            answered = any(event["answered"] for event in tried)
            found.require(answered, f"the active node does not answer on its own {address}")
    return found.verdict("answers on its own address")


def _judge_probes(found: Findings, evidence: Evidence, address: str, *, answered: bool) -> None:
    for protocol, port in SERVICES:
        tried = [
            event
            for event in evidence.events("probe")
            if (event["address"], event["protocol"], event["port"]) == (address, protocol, port)
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
    """Judge by the ARP replies of a steady span that one MAC answers: the active node's."""
    recorded = Recorded(evidence)
    found = Findings()
    address = recorded.pair.virtual_ip
    for steady in recorded.steady():
        arps = [seen for seen in recorded.arps if steady.start_ns <= seen.at_ns < steady.end_ns]
        asked = len(arp.questions(arps, address))
        if asked < ASKED_TIMES:
            found.gap(f"{address} was asked for {asked} times, {ASKED_TIMES} are needed")
        macs = sorted({seen.arp.sender_mac for seen in arp.replies(arps, address)})
        found.saw(recorded.evidence.capture_place)
        found.require(len(macs) <= 1, f"{len(macs)} MACs answer for {address}: {', '.join(macs)}")
        if len(macs) <= 1 and asked >= ASKED_TIMES:
            found.require(bool(macs), f"nobody answers for {address}")
        if len(macs) == 1:
            found.require(
                macs[0] == steady.active.mac,
                f"{macs[0]} answers for {address}, not the active node's {steady.active.mac}",
            )
    return found.verdict("1 MAC answers, the active node's")
