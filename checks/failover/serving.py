"""FO-12 to 15: what answers where, and that one node alone holds the virtual IP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.engine.lateness import explain, missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.claims import holder_at
from checks.failover.pair import Node
from checks.failover.recorded import Recorded, Steady
from checks.protocols import arp
from checks.protocols.budgets import GUIDE_SERVICE_S
from evidence.events.takeover import ServiceProbed
from evidence.moment import NS
from evidence.scenario import Evidence

SERVICES = (("tcp", 443), ("tcp", 943), ("udp", 1194))
"""What the guide forwards: "TCP 443, TCP 943, and UDP 1194"."""
ANSWERS_S = 1.0
"""A younger question without an answer is no silence."""
KNOCK_S = 5.0
"""So long a single question waits for its answer."""
ASKED_TIMES = 5
ANSWERED_SHARE = 0.8
"""FO-15: of 5 questions one may be lost, as a frame may be on any network; of 10, two."""
REPLY_S = 2.0
"""A reply later than this is none: who asks has asked again by then."""


@check("FO-12")
def the_virtual_ip_serves_all_three(evidence: Evidence, owed: Obligations) -> None:
    """Judge that TCP 443, TCP 943 and UDP 1194 answer on the virtual IP, by the active node.

    But for the outage that a takeover may take: what is asked in it is FO-25's.
    """
    recorded = Recorded(evidence)
    address, outages = recorded.pair.virtual_ip, _outages(recorded)
    for service, one, asked in _each_service(owed, recorded, address, "answers on"):
        for probe in asked:
            if any(start <= probe.at_ns <= end for start, end in outages):
                continue
            active = recorded.pair.nodes.get(holder_at(recorded, probe.at_ns) or "")
            if active is None:
                one.doubt(f"nothing shows who was active when {service} was asked", probe.place)
            else:
                _answered(one, recorded, service, probe, active)
    whole_run.owe_one_master(owed, recorded)


def _outages(recorded: Recorded) -> list[whole_run.Stretch]:
    """List each time from a fault that calls for a takeover until FO-25's limit after the takeover.

    After the fault itself, where the role did not move. So too where it was moved by hand, and at
    least until that had ended.
    """
    found = []
    for node, (began_ns, ended_ns) in whole_run.handovers(recorded):
        new = recorded.passed.of(recorded.pair.peer_of(node).name).between(began_ns, ended_ns)
        taken = new.first()
        back_ns = began_ns if taken is None else taken.at_ns + int(GUIDE_SERVICE_S * NS)
        found.append((began_ns, max(ended_ns, back_ns)))
    for fault in recorded.faults():
        if fault.event.expects_takeover:
            peer = recorded.passed.of(recorded.pair.peer_of(fault.victim.name).name)
            taken = peer.between(fault.at.earliest_ns, fault.until_ns).first()
            since_ns = fault.at.latest_ns if taken is None else taken.at_ns
            found.append((fault.at.earliest_ns, since_ns + int(GUIDE_SERVICE_S * NS)))
    return found


@check("FO-13")
def the_standby_serves_nothing(evidence: Evidence, owed: Obligations) -> None:
    """Judge that none of the three answers on the standby's own address, while it is up there.

    That it is up its own ARP replies show: a machine that is off serves nothing either. Who asks it
    asks by ARP first, each time, and nothing more unless that is answered.
    """
    recorded = Recorded(evidence)
    for steady in recorded.steady():
        whole_run.owe_active(owed, recorded, steady)
        standby = steady.standby
        replies = [
            seen.at_ns
            for seen in arp.replies(_arps_during(recorded, steady), standby.address)
            if recorded.pair.node_at(seen.port) == standby
        ]
        refused = "does not answer on"
        for service, one, asked in _each_service(owed, recorded, standby.address, refused, steady):
            for probe in asked:
                if not probe.answered and not _was_put(probe, replies):
                    why = f"{standby.name} did not answer ARP, so {service} was not asked for"
                    one.doubt(f"{why} at {standby.address}", probe.place)
                    continue
                one.settle(
                    not probe.answered, f"{service} answers on {standby.address}", probe.place
                )
        up = owed.owe(f"{standby.name} is up: it answers ARP for {standby.address}")
        if replies:
            up.met(recorded.wire)
        else:
            up.doubt(
                f"nothing shows that {standby.name} was up: no ARP reply of its own "
                f"for {standby.address}"
            )


def _was_put(probe: ServiceProbed, replies: Iterable[int]) -> bool:
    """Tell whether ARP was answered so soon that there was time to ask for the service, too."""
    until_ns = probe.at_ns + int((KNOCK_S - ANSWERS_S) * NS)
    return any(probe.at_ns <= at_ns <= until_ns for at_ns in replies)


@check("FO-14")
def the_active_node_answers_on_its_own_address(evidence: Evidence, owed: Obligations) -> None:
    """Judge that all three answer on the active node's own address too."""
    recorded = Recorded(evidence)
    for steady in recorded.steady():
        whole_run.owe_active(owed, recorded, steady)
        active = steady.active
        services = _each_service(owed, recorded, active.address, "answers on", steady)
        for service, one, asked in services:
            for probe in asked:
                _answered(one, recorded, service, probe, active)


def _each_service(
    owed: Obligations, recorded: Recorded, address: str, does: str, during: Steady | None = None
) -> Iterable[tuple[str, Obligation, list[ServiceProbed]]]:
    """Owe something of each service at an address, asked in a steady span, if one is given."""
    for protocol, port in SERVICES:
        service = f"{protocol} {port}"
        one = owed.owe(f"{service} {does} {address}, whenever it is asked")
        asked = [
            probe
            for probe in recorded.evidence.events(ServiceProbed)
            if (probe.address, probe.protocol, probe.port) == (address, protocol, port)
            and (during is None or during.start_ns <= probe.at_ns <= during.end_ns)
        ]
        if not asked:
            one.doubt(f"{service} of {address} was never asked")
        yield service, one, asked


def _answered(
    one: Obligation, recorded: Recorded, service: str, probe: ServiceProbed, node: Node
) -> None:
    """Require an answer, and that it is this node's, where it was seen who answered."""
    if not probe.answered:
        why = f"{service} does not answer on {probe.address}"
        span, whose = (probe.at_ns, _silent_until(recorded, probe)), {node.name, "wire", "scenario"}
        excess_s = max((span[1] - span[0]) / NS - ANSWERS_S, 1 / NS)
        missed(one, why, excess_s, span, whose, recorded.lateness, probe.place)
    elif probe.mac not in (None, node.mac):
        why = f"{service} is answered on {probe.address} by {probe.mac}, not by {node.name}"
        one.broken(why, probe.place)
    else:
        one.met(probe.place)


def _silent_until(recorded: Recorded, probe: ServiceProbed) -> int:
    """Return until when (ns) a service had not answered since a question: until its next answer.

    Where none is recorded, for as long as one to the last question is waited for. What something
    else that is done to the pair brings does not count.
    """
    asked = (probe.address, probe.protocol, probe.port)
    later = [
        one
        for one in recorded.evidence.events(ServiceProbed)
        if (one.address, one.protocol, one.port) == asked and one.at_ns > probe.at_ns
    ]
    waited_ns = [probe, *later][-1].at_ns + int(KNOCK_S * NS)
    answered_ns = next((one.at_ns for one in later if one.answered), waited_ns)
    return min(answered_ns, whole_run.undisturbed_until(recorded, probe.at_ns))


@check("FO-15")
def one_mac_holds_the_virtual_ip(evidence: Evidence, owed: Obligations) -> None:
    """Judge that one MAC answers ARP for the virtual IP, the active node's, and nobody else has it.

    It answers nearly every question: one that answers now and then does not hold it.
    """
    recorded = Recorded(evidence)
    for steady in recorded.steady():
        _owe_replies(owed, recorded, steady)
    whole_run.owe_one_master(owed, recorded)


def _owe_replies(owed: Obligations, recorded: Recorded, steady: Steady) -> None:
    address, active = recorded.pair.virtual_ip, steady.active
    arps = [seen for seen in _arps_during(recorded, steady) if not seen.vlan]
    questions = [
        seen
        for seen in arp.questions(arps, address)
        if seen.arp.sender_mac != active.mac  # that one would ask itself
    ]
    asked = owed.owe(f"{address} is asked for {ASKED_TIMES} times, and answered for")
    if len(questions) < ASKED_TIMES:
        asked.doubt(f"{address} was asked for {len(questions)} times, {ASKED_TIMES} are needed")
    else:
        _settle_answered(asked, recorded, steady, questions)
    holder = owed.owe(f"{active.mac} of {active.name} alone answers for {address}")
    macs = sorted({seen.arp.sender_mac for seen in arp.replies(arps, address)})
    if len(macs) > 1:
        holder.broken(f"{len(macs)} MACs answer for {address}: {', '.join(macs)}", recorded.wire)
    elif macs:
        why = f"{macs[0]} answers for {address}, not the active node's {active.mac}"
        holder.settle(macs == [active.mac], why, recorded.wire)
    else:
        holder.doubt(f"nobody answered for {address}")


def _arps_during(recorded: Recorded, steady: Steady) -> list[arp.ArpSighting]:
    return [seen for seen in recorded.arps if steady.start_ns <= seen.at_ns < steady.end_ns]


def _settle_answered(
    one: Obligation, recorded: Recorded, steady: Steady, questions: Sequence[arp.ArpSighting]
) -> None:
    """Discharge `one` where nearly every question got a reply of its own in time.

    A reply that the host delayed says nothing of who holds the address. One with a VLAN's tag no
    client hears.
    """
    address = recorded.pair.virtual_ip
    left = [seen for seen in arp.replies(recorded.arps, address) if not seen.vlan]
    limit_ns = int(REPLY_S * NS)
    unanswered = [
        question
        for question in questions
        if _taken(left, question, question.at_ns + limit_ns) is None
    ]
    excuses = [
        excuse
        for question in unanswered
        if (excuse := _excuse(recorded, steady.active, question, left))
    ]
    answered = len(questions) - len(unanswered)
    why = f"{address} was answered for {answered} of {len(questions)} questions"
    needed = ANSWERED_SHARE * len(questions)
    if answered < needed <= answered + len(excuses):
        one.late(f"{why}, but {excuses[0]}", *steady.places)
    else:
        one.settle(answered >= needed, why, *steady.places)


def _taken(
    left: list[arp.ArpSighting], question: arp.ArpSighting, until_ns: int
) -> arp.ArpSighting | None:
    """Take the first reply to who asked, until a moment, from those that are left."""
    for seen in left:
        to_asker = seen.frame_target == question.frame_source
        if to_asker and question.at_ns <= seen.at_ns <= until_ns:
            left.remove(seen)
            return seen
    return None


def _excuse(
    recorded: Recorded, active: Node, question: arp.ArpSighting, left: list[arp.ArpSighting]
) -> str | None:
    """Say what kept the active node from a reply in time, or None when nothing can have."""
    end_ns = recorded.window.until_ns
    reply = _taken(left, question, end_ns)
    answered_ns = end_ns if reply is None else reply.at_ns
    late_s = (answered_ns - question.at_ns) / NS - REPLY_S
    span, whose = (question.at_ns, answered_ns), {active.name, "wire"}
    return explain(late_s, span, whose, recorded.lateness) if late_s > 0 else None
