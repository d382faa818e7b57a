"""FO-41: the guide's step for a pair that does not fail over: listen for the heartbeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover.recorded import Recorded
from checks.protocols import tcpdump
from evidence.events.pair import TcpdumpPrinted
from evidence.scenario import Evidence

HEARD_LINES, HEARD_S = 4, 5.0
""""Listen 5 s", at least 4 packets."""
_DAY_S = 86_400.0


@check("FO-41")
def a_stopped_secondary_sees_the_heartbeat(evidence: Evidence, owed: Obligations) -> None:
    """Judge the troubleshooting step: tcpdump on a stopped node shows at least 4 lines in 5 s.

    In each 5 s of the listening, that is: by the times printed from the first line to the last,
    and by the number of lines for what came before and after those.
    """
    recorded = Recorded(evidence)
    stopped = [one for one in evidence.need(TcpdumpPrinted) if one.service_stopped]
    places = [printed.place for printed in stopped]
    owed.at_least(1, stopped, "tcpdump(s) on a node with its service stopped", *places)
    for printed in stopped:
        peer = recorded.pair.peer_of(printed.source)
        lines = [
            line
            for line in tcpdump.advertisement_lines(printed.text)
            if (line.source, line.vrid) == (peer.address, recorded.pair.vhid)
        ]
        one = owed.owe(f"{printed.source}, stopped, sees {peer.name}'s heartbeat in each 5 s")
        needed = HEARD_LINES * int(printed.seconds // HEARD_S)
        saw = f"{printed.source} saw {len(lines)} advertisement(s) of {peer.name}"
        if not needed:
            one.doubt(f"listened for {printed.seconds:.0f} s, {HEARD_S:.0f} s are needed")
        elif len(lines) < needed:
            one.broken(f"{saw} in {printed.seconds:.0f} s, {needed} are needed", printed.place)
        else:
            _judge_every_window(one, saw, lines)
        one.met(printed.place)


def _judge_every_window(
    one: Obligation, saw: str, lines: Sequence[tcpdump.AdvertisementLine]
) -> None:
    """Require 4 lines in the 5 s from the first one, and in each 5 s that ended by the last."""
    first_s = lines[0].at_s
    moments = [(line.at_s - first_s) % _DAY_S for line in lines]
    for start in moments:
        if start and start + HEARD_S > moments[-1]:
            continue
        held = sum(start <= moment < start + HEARD_S for moment in moments)
        if held < HEARD_LINES:
            clock = timedelta(seconds=int((first_s + start) % _DAY_S))
            one.broken(f"{saw}, but {held} in the {HEARD_S:.0f} s from {clock}, 4 are needed")
