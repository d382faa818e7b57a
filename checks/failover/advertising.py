"""FO-16 to 19, 21: the heartbeat of the pair: its rhythm, its frames, its digests, its lines."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from checks.engine.lateness import CLOCK_RATE, FRAME_LATE_S, missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.hearing import moved_late
from checks.failover.recorded import Recorded, Steady
from checks.failover.senders import signed
from checks.protocols import carp, tcpdump, vrrp
from checks.protocols.heartbeat import Advertised
from evidence.events.pair import TcpdumpPrinted
from evidence.moment import NS
from evidence.scenario import Evidence

STANDS_BY = "BACKUP"
"""What a standby says of itself in FailoverStatus."""
LISTEN_S = 30.0
GAP_FACTOR = 1.2
"""FO-16: no gap of 1.2 periods or more."""
TCPDUMP_LINES = 3


@check("FO-16")
def the_active_node_keeps_its_period(evidence: Evidence, owed: Obligations) -> None:
    """Judge count and gaps of the active node's advertisements in each 30 s, edges included."""
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
    """Owe as many in any 30 s as are configured, give or take one, and that they say so."""
    name, period_s = steady.active.name, steady.active.engine.period_s
    one = owed.owe(f"{LISTEN_S / period_s:.0f} advertisements of {name} in {LISTEN_S:.0f} s, +- 1")
    _settle_count(one, recorded, steady, sorted(advert.at_ns for advert in adverts))
    announced = sorted({one.advert.period_s for one in adverts})
    owed.require(
        all(abs(value - period_s) < 1 / 256 for value in announced),
        f"{name} announces the period that is configured",
        f"announces a period of {announced} s, configured is {period_s:.3f} s",
        *steady.places,
    )


def _settle_count(
    one: Obligation, recorded: Recorded, steady: Steady, moments: Sequence[int]
) -> None:
    """Discharge `one` where each 30 s of a span have as many advertisements as they should."""
    name, period_s = steady.active.name, steady.active.engine.period_s
    expected = LISTEN_S / period_s
    allowed = 1 + (FRAME_LATE_S + CLOCK_RATE * LISTEN_S) / period_s
    for begin_ns in _begins(steady, moments):
        end_ns = begin_ns + int(LISTEN_S * NS)
        count = bisect_left(moments, end_ns) - bisect_left(moments, begin_ns)
        if abs(count - expected) <= allowed:
            continue
        said = (
            f"{count} advertisements of {name} in {LISTEN_S:.0f} s, configured are {expected:.0f} "
            f"(one each {period_s:.3f} s)"
        )
        # What is too many was due before its 30 s, and kept back.
        due_ns = begin_ns - int(max(0, count - expected) * period_s * NS)
        excess_s = (abs(count - expected) - 1) * period_s
        span, whose = (due_ns, end_ns), {name, "wire"}
        missed(one, said, excess_s, span, whose, recorded.lateness, *steady.places)
        if one.violations:
            return
    one.met(*steady.places)


def _begins(steady: Steady, moments: Sequence[int]) -> list[int]:
    """List when 30 s of a span begin that may have the most, or the fewest, of some moments.

    The most begin with one of them, the fewest right after one.
    """
    last_ns = steady.end_ns - int(LISTEN_S * NS)
    begins = (steady.start_ns, *moments, *(at_ns + 1 for at_ns in moments), last_ns)
    return sorted(begin_ns for begin_ns in begins if begin_ns <= last_ns)


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
        _owe_standing_by(owed, steady)
        one = owed.owe(f"0 advertisements of {standby}, the standby")
        sent = recorded.sent.of(standby).between(steady.start_ns, steady.end_ns)
        if len(sent):
            groups = ", ".join(map(str, sorted(sent.groups())))
            why = f"the standby sent {len(sent)} advertisement(s), VHID {groups}"
            if excuse := moved_late(recorded, sent):
                one.late(f"{why}, but {excuse}", recorded.wire)
            else:
                one.broken(why)
        broken = [
            packet
            for packet in recorded.heard.malformed
            if packet.sender == standby and steady.start_ns <= packet.at_ns < steady.end_ns
        ]
        if broken:
            one.broken(f"the standby sent {len(broken)} malformed packet(s): {broken[0].what}")
        one.met(*steady.places)


def _owe_standing_by(owed: Obligations, steady: Steady) -> None:
    """Owe that the standby stands by: one that is off, or whose service is, is silent as well."""
    standby = steady.standby.name
    one = owed.owe(f"{standby} says that it stands by")
    said = steady.says.get(standby)
    if said == STANDS_BY:
        one.met(*steady.places)
    elif said is None:
        one.doubt(f"{standby} was not asked whether it stands by, and who is off is silent, too")
    else:
        one.doubt(f"{standby} does not say that it stands by, but {said or 'nothing'}")


@check("FO-18")
def every_frame_is_as_the_protocol_says(evidence: Evidence, owed: Obligations) -> None:
    """Judge layout, TTL, checksum and source MAC of all that the pair advertises, of any VHID."""
    recorded = Recorded(evidence)
    recorded.heard_of_pair()
    defects: dict[str, Counter[str]] = {}
    for packet in recorded.heard.malformed:
        defects.setdefault(packet.sender, Counter())[f"malformed: {packet.what}"] += 1
    for advertised in recorded.sent:
        defects.setdefault(advertised.sender, Counter()).update(_defects(recorded, advertised))
    for sender, reasons in sorted(defects.items()):
        sent = recorded.sent.of(sender)
        one = owed.owe(f"{len(sent)} frames of {sender}, all as the protocol says")
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
    """Judge every CARP advertisement's digest with the pair's password and IP, of any VHID."""
    recorded = Recorded(evidence)
    pair, sent = recorded.pair, [(one.sender, one.advert) for one in recorded.sent]
    judged = [(who, advert) for who, advert in sent if isinstance(advert, carp.Advertisement)]
    of_pair = [advert for _, advert in judged if advert.vhid == pair.vhid]
    owed.at_least(1, of_pair, "CARP advertisements of the pair", recorded.wire)
    wrong = Counter(who for who, advert in judged if not signed(advert, pair))
    for sender in sorted({who for who, _ in judged}):
        owed.require(
            not wrong[sender],
            f"every digest of {sender} verifies",
            f"{wrong[sender]} digest(s) of {sender} do not verify: another password, virtual IP "
            "or VHID there",
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
    if pair.engine != "ucarp":
        owed.open(f"the pair runs {pair.engine}, not ucarp")
        return
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
            if line.destination != carp.GROUP:
                one.broken(f"sent to {line.destination}, in the guide to {carp.GROUP}")
        others = Counter(tcpdump.senders_of_other_lines(printed.text))
        for source in sorted(others.keys() & addresses):
            one.broken(f"{others[source]} line(s) of {source} are of another form")
        if any(line.source == pair.virtual_ip for line in lines):
            one.broken(f"sent by the virtual IP {pair.virtual_ip}, no node's own address")
        one.met(printed.place)
        strange = sorted({(one.source, one.vrid) for one in lines if one.source not in addresses})
        owed.tell(*(f"{source} advertises vrid {vrid}, no node" for source, vrid in strange))
    owed.tell(tcpdump.GUIDE_SAMPLE_ERRATUM)


def _owe_lines(owed: Obligations, recorded: Recorded, printed: TcpdumpPrinted, count: int) -> None:
    """Owe three lines of the pair, where it listened for long enough to hear them."""
    one = owed.owe(f"{TCPDUMP_LINES} lines like the guide's on {printed.source}")
    needed_s = (TCPDUMP_LINES + 1) * recorded.pair.slowest_period_s
    why = f"{count} line(s) like the guide's, {TCPDUMP_LINES} are needed"
    if count < TCPDUMP_LINES and printed.seconds < needed_s:
        one.doubt(f"{why}, in {printed.seconds:.0f} s of listening", printed.place)
    elif count < TCPDUMP_LINES:
        late_s = (TCPDUMP_LINES - count) * recorded.pair.slowest_period_s
        span = printed.at_ns - int(printed.seconds * NS), printed.at_ns
        whose = {*recorded.pair.nodes, "wire"}
        missed(one, why, late_s, span, whose, recorded.lateness, printed.place)
    else:
        one.met(printed.place)
