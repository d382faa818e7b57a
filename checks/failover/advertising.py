"""FO-16 to 19, 21: the heartbeat of the pair: its rhythm, its frames, its digests, its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.recorded import Recorded, Steady
from checks.failover.senders import verifies
from checks.protocols import carp, tcpdump, vrrp
from checks.protocols.heartbeat import Advertised
from evidence.events.pair import TcpdumpPrinted
from evidence.moment import NS
from evidence.scenario import Evidence

LISTEN_S = 30.0
GAP_FACTOR = 1.2
"""FO-16: no gap of 1.2 periods or more."""
TCPDUMP_LINES = 3


@check("FO-16")
def the_active_node_keeps_its_period(evidence: Evidence, owed: Obligations) -> None:
    """Judge count and gaps of the active node's advertisements over 30 s, edges included."""
    recorded = Recorded(evidence)
    owe_period(owed, recorded)
    whole_run.owe_one_master(owed, recorded)


def owe_period(owed: Obligations, recorded: Recorded) -> None:
    """Owe that the active node keeps its configured period, in every steady span."""
    recorded.heard_of_pair()
    for steady in recorded.steady():
        if _owe_watched(owed, steady):
            heard = recorded.passed.of(steady.active.name).between(steady.start_ns, steady.end_ns)
            # What carries a VLAN tag, the peer does not hear.
            adverts = [one for one in heard if one.vlan is None]
            _owe_count(owed, recorded, steady, adverts)
            _owe_no_gap(owed, recorded, steady, adverts)


def _owe_watched(owed: Obligations, steady: Steady) -> bool:
    """Owe that a span was watched for long enough; tell whether it was."""
    one = owed.owe(f"{steady.active.name} active, and watched steadily for {LISTEN_S:.0f} s")
    if steady.seconds < LISTEN_S:
        why = f"steady for only {steady.seconds:.1f} s, {LISTEN_S:.0f} s are needed"
        one.doubt(why, *steady.places)
        return False
    one.met(*steady.places)
    return True


def _owe_count(
    owed: Obligations, recorded: Recorded, steady: Steady, adverts: Sequence[Advertised]
) -> None:
    """Owe as many advertisements as are configured, give or take one, and that they say so."""
    name, period_s = steady.active.name, steady.active.engine.period_s
    end_ns = steady.start_ns + int(LISTEN_S * NS)
    count, expected = sum(one.at_ns < end_ns for one in adverts), LISTEN_S / period_s
    one = owed.owe(f"{expected:.0f} advertisements of {name} in {LISTEN_S:.0f} s, +- 1")
    missing_s = (expected - 1 - count) * period_s
    said = (
        f"{count} advertisements of {name} in {LISTEN_S:.0f} s, configured are {expected:.0f} "
        f"(one each {period_s:.3f} s)"
    )
    if abs(count - expected) <= 1:
        one.met(*steady.places)
    elif missing_s > 0:
        whose, span = {name, "wire"}, (steady.start_ns, end_ns)
        missed(one, said, missing_s, span, whose, recorded.lateness, *steady.places)
    else:
        one.broken(said, *steady.places)
    announced = sorted({one.advert.period_s for one in adverts})
    owed.require(
        all(abs(value - period_s) < 1 / 256 for value in announced),
        f"{name} announces the period that is configured",
        f"announces a period of {announced} s, configured is {period_s:.3f} s",
        *steady.places,
    )


def _owe_no_gap(
    owed: Obligations, recorded: Recorded, steady: Steady, adverts: Sequence[Advertised]
) -> None:
    period_s = steady.active.engine.period_s
    limit_s = GAP_FACTOR * period_s
    one = owed.owe(f"no gap of {limit_s:.3f} s between advertisements of {steady.active.name}")
    moments = [steady.start_ns, *(advert.at_ns for advert in adverts), steady.end_ns]
    for before, after in pairwise(moments):
        gap_s = (after - before) / NS
        if gap_s >= limit_s:
            said = f"a gap of {gap_s:.3f} s, limit {limit_s:.3f} s"
            due = min(before + int(period_s * NS), after), after
            excess_s = max(gap_s - limit_s, 1 / NS)
            whose = {steady.active.name, "wire"}
            missed(one, said, excess_s, due, whose, recorded.lateness, *steady.places)
    one.met(*steady.places)


@check("FO-17")
def the_standby_is_silent(evidence: Evidence, owed: Obligations) -> None:
    """Judge that the standby sends no advertisement of any group over 30 s."""
    owe_silence(owed, Recorded(evidence))


def owe_silence(owed: Obligations, recorded: Recorded) -> None:
    """Owe that nothing of the heartbeat comes in at the standby's port, in every steady span."""
    recorded.heard_of_pair()
    for steady in recorded.steady():
        _owe_watched(owed, steady)
        whole_run.owe_active(owed, recorded, steady)
        standby = steady.standby.name
        one = owed.owe(f"0 advertisements of {standby}, the standby")
        sent = recorded.sent.of(standby).between(steady.start_ns, steady.end_ns)
        if len(sent):
            groups = ", ".join(map(str, sorted(sent.groups())))
            one.broken(f"the standby sent {len(sent)} advertisement(s), VHID {groups}")
        broken = [
            packet
            for packet in recorded.heard.malformed
            if packet.sender == standby and steady.start_ns <= packet.at_ns < steady.end_ns
        ]
        if broken:
            one.broken(f"the standby sent {len(broken)} malformed packet(s): {broken[0].what}")
        one.met(*steady.places)


@check("FO-18")
def every_frame_is_as_the_protocol_says(evidence: Evidence, owed: Obligations) -> None:
    """Judge layout, TTL, checksum and source MAC of every advertisement of the pair."""
    recorded = Recorded(evidence)
    recorded.heard_of_pair()
    defects: dict[str, Counter[str]] = {}
    for packet in recorded.heard.malformed:
        defects.setdefault(packet.sender, Counter())[f"malformed: {packet.what}"] += 1
    sent = recorded.sent.in_group(recorded.pair.vhid)
    for advertised in sent:
        defects.setdefault(advertised.sender, Counter()).update(_defects(recorded, advertised))
    for sender, reasons in sorted(defects.items()):
        one = owed.owe(f"{len(sent.of(sender))} frames of {sender}, all as the protocol says")
        for reason, count in sorted(reasons.items()):
            one.broken(f"{count} x {reason}", recorded.wire)
        one.met(recorded.wire)


def _defects(recorded: Recorded, advertised: Advertised) -> list[str]:
    advert, pair = advertised.advert, recorded.pair
    if isinstance(advert, carp.Advertisement):
        if pair.engine != "ucarp":
            return [f"a CARP advertisement of {advertised.sender}, the pair runs {pair.engine}"]
        found = [str(finding) for finding in carp.findings(advert)]
    elif pair.engine != "keepalived":
        return [f"a VRRPv{advert.version} advertisement of {advertised.sender}, not ucarp's CARP"]
    else:
        wrong = vrrp.findings(advert, vrid=pair.vhid, virtual_mac=pair.virtual_mac)
        found = [f"{defect}: {seen}" for defect, seen in wrong]
    return found if advertised.vlan is None else [*found, f"a tag of VLAN {advertised.vlan}"]


@check("FO-19")
def every_digest_verifies(evidence: Evidence, owed: Obligations) -> None:
    """Judge every CARP advertisement's digest with the pair's password and virtual IP."""
    recorded = Recorded(evidence)
    sent = recorded.sent.in_group(recorded.pair.vhid)
    judged = [one for one in sent if isinstance(one.advert, carp.Advertisement)]
    owed.at_least(1, judged, "CARP advertisements of the pair", recorded.wire)
    wrong = Counter(one.sender for one in judged if not verifies(one.advert, recorded.pair))
    for sender in sorted({one.sender for one in judged}):
        owed.require(
            not wrong[sender],
            f"every digest of {sender} verifies",
            f"{wrong[sender]} digest(s) of {sender} do not verify: another password, or virtual "
            "IP, there",
            recorded.wire,
        )
    whole_run.tell_strangers(owed, recorded)


@check("FO-21")
def tcpdump_prints_the_guides_line(evidence: Evidence, owed: Obligations) -> None:
    """Judge the lines that the guide's tcpdump command printed on a node.

    Lines of others on the LAN are theirs; whoever uses the virtual IP as its source is not.
    """
    recorded = Recorded(evidence)
    pair = recorded.pair
    addresses = {node.address for node in pair.nodes.values()}
    for printed in evidence.need(TcpdumpPrinted):
        lines = tcpdump.advertisement_lines(printed.text)
        ours = [line for line in lines if line.source in addresses]
        _owe_lines(owed, recorded, printed, len(ours))
        one = owed.owe(f"every line of the pair on {printed.source} is as in the guide")
        for line in ours:
            seen, expected = (line.vrid, line.prio, line.interval_s), (pair.vhid, 0, 1)
            if seen != expected:
                one.broken(f"vrid, prio, intvl are {seen}, in the guide {expected}")
            if not line.mac_fits_vrid:
                one.broken(f"source MAC {line.mac} with vrid {line.vrid}")
        if any(line.source == pair.virtual_ip for line in lines):
            one.broken(f"sent by the virtual IP {pair.virtual_ip}, no node's own address")
        one.met(printed.place)
        others = sorted({(one.source, one.vrid) for one in lines if one.source not in addresses})
        owed.tell(*(f"{source} advertises vrid {vrid}, no node" for source, vrid in others))
    owed.tell(tcpdump.GUIDE_SAMPLE_ERRATUM)


def _owe_lines(owed: Obligations, recorded: Recorded, printed: TcpdumpPrinted, count: int) -> None:
    """Owe three lines of the pair, where it listened for long enough to hear them."""
    one = owed.owe(f"{TCPDUMP_LINES} lines like the guide's on {printed.source}")
    needed_s = (TCPDUMP_LINES + 1) * recorded.pair.slowest_period_s
    why = f"{count} line(s) like the guide's, {TCPDUMP_LINES} are needed"
    if count < TCPDUMP_LINES and printed.seconds < needed_s:
        one.doubt(f"{why}, in {printed.seconds:.0f} s of listening", printed.place)
    else:
        one.settle(count >= TCPDUMP_LINES, why, printed.place)
