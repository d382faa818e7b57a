"""FO-41: the guide's step for a pair that does not fail over: listen for the heartbeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.failover.pair import Node
from checks.failover.recorded import Recorded
from checks.protocols import tcpdump
from evidence.events.pair import TcpdumpPrinted
from evidence.moment import NS
from evidence.scenario import Evidence

HEARD_LINES, HEARD_S = 4, 5.0
""""Listen 5 s", at least 4 packets."""
TWICE_S = 0.001
"""A packet that comes to a node by two interfaces, or twice over the network, is one."""
_DAY_S = 86_400.0


@check("FO-41")
def a_stopped_secondary_sees_the_heartbeat(evidence: Evidence, owed: Obligations) -> None:
    """Judge the troubleshooting step: tcpdump on a stopped node shows at least 4 lines in 5 s.

    In each 5 s of the listening, that is: by the times printed from the first line to the last,
    and by the number of lines for what came before and after those.
    """
    recorded = Recorded(evidence)
    if recorded.pair.engine != "ucarp":
        owed.open(f"the pair runs {recorded.pair.engine}, not ucarp")
        return
    stopped = [one for one in evidence.need(TcpdumpPrinted) if one.service_stopped]
    places = [printed.place for printed in stopped]
    owed.at_least(1, stopped, "tcpdump(s) on a node with its service stopped", *places)
    for printed in stopped:
        peer = recorded.pair.peer_of(printed.source)
        one = owed.owe(f"{printed.source}, stopped, sees {peer.name}'s heartbeat in each 5 s")
        if printed.seconds < HEARD_S:
            one.doubt(f"listened for {printed.seconds:.0f} s, {HEARD_S:.0f} s are needed")
        span = printed.at_ns - int(printed.seconds * NS), printed.at_ns
        whose = {printed.source, peer.name, "wire"}
        for why, missing in _too_few(printed, _heard(recorded, printed, peer), peer):
            late_s = missing * peer.engine.period_s
            missed(one, why, late_s, span, whose, recorded.lateness, printed.place)
        one.met(printed.place)


def _heard(recorded: Recorded, printed: TcpdumpPrinted, peer: Node) -> list[float]:
    """Return when the peer's advertisements were heard, each once, in seconds of the day.

    What a node sends itself ("Out") it has not heard.
    """
    found: list[float] = []
    for line in tcpdump.advertisement_lines(printed.text):
        of_peer = (line.source, line.vrid) == (peer.address, recorded.pair.vhid)
        if not of_peer or line.direction == "Out":
            continue
        if not found or (line.at_s - found[-1]) % _DAY_S > TWICE_S:
            found.append(line.at_s)
    return found


def _too_few(
    printed: TcpdumpPrinted, heard: Sequence[float], peer: Node
) -> Iterator[tuple[str, int]]:
    """Say where fewer than 4 were heard in 5 s, and how many were missing.

    In all of the listening; in the 5 s from the first line; in each 5 s that ended by the last.
    """
    needed = HEARD_LINES * int(printed.seconds // HEARD_S)
    saw = f"{printed.source} saw {len(heard)} advertisement(s) of {peer.name}"
    if len(heard) < needed:
        why = f"{saw} in {printed.seconds:.0f} s, {needed} are needed"
        yield why, needed - len(heard)
        return
    moments = [(at_s - heard[0]) % _DAY_S for at_s in heard]
    for start in moments:
        if start and start + HEARD_S > moments[-1]:
            continue
        held = sum(start <= moment < start + HEARD_S for moment in moments)
        if held < HEARD_LINES:
            clock = timedelta(seconds=int((heard[0] + start) % _DAY_S))
            why = f"{saw}, but {held} in the {HEARD_S:.0f} s from {clock}, {HEARD_LINES} are needed"
            yield why, HEARD_LINES - held
