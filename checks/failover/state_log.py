"""FO-31: a takeover is logged, and what is of the node alone is kept apart."""

from __future__ import annotations

from checks.engine.lateness import missed, unclear
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover import whole_run
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover, takeovers
from evidence.events.takeover import LogLine
from evidence.moment import NS
from evidence.scenario import Evidence

LOG_S = 2.0
NODE_LOG, STATE_LOG = "openvpnas-node.log", "openvpnas.log"
BECAME_MASTER = {"ucarp": "Switching to state: MASTER", "keepalived": "Entering MASTER STATE"}
"""How the line ends by which an engine (ucarp 1.5.2, keepalived 2.2.7) says that it is active."""


@check("FO-31")
def the_change_of_state_is_logged(evidence: Evidence, owed: Obligations) -> None:
    """Judge that the new node's MASTER line stands in openvpnas.log, within 2 s of the wire.

    Events of the node's own stand in openvpnas-node.log, and there only.
    """
    recorded = Recorded(evidence)
    became_master = BECAME_MASTER[recorded.pair.engine]
    for takeover in takeovers(recorded, owed):
        lines = _lines(recorded, takeover)
        state = [line for line in lines if line.text.endswith(became_master)]
        _owe_state_line(owed, recorded, takeover, state)
        node = owed.owe(f"{takeover}: node events are in {NODE_LOG}, kept apart")
        for line in lines:
            if line.file == NODE_LOG:
                node.met(line.place)
            elif became_master not in line.text and any(
                other.file == NODE_LOG and other.text == line.text for other in lines
            ):
                node.broken(f"{line.text!r} stands in both logs", line.place)
        if not any(line.file == NODE_LOG for line in lines):
            why = f"{takeover}: nothing was written to {NODE_LOG}"
            _break_if_watched(node, takeover, why, *takeover.places)


def _lines(recorded: Recorded, takeover: Takeover) -> list[LogLine]:
    """Return what the new node logged, also after the watch: until lines are due, if not longer.

    What comes after something else was done is due to that.
    """
    taken_ns = takeover.taken.at_ns
    due_ns = taken_ns + int(LOG_S * NS)
    end_ns = whole_run.undisturbed_until(recorded, taken_ns)
    return [
        line
        for line in recorded.evidence.events(LogLine, takeover.peer.name)
        if takeover.injected.at_ns <= line.moment.latest_ns
        and (
            line.at_ns <= takeover.until_ns
            or (line.moment.earliest_ns <= due_ns and line.at_ns < end_ns)
        )
    ]


def _break_if_watched(one: Obligation, takeover: Takeover, why: str, *places: str) -> None:
    """Break an obligation by what is missing, unless it was watched for too short a time."""
    watched_s = (takeover.until_ns - takeover.taken.at_ns) / NS
    if watched_s < LOG_S:
        one.doubt(f"{why}, watched for only {watched_s:.1f} s", *places)
    else:
        one.broken(why, *places)


def _owe_state_line(
    owed: Obligations, recorded: Recorded, takeover: Takeover, state: list[LogLine]
) -> None:
    one = owed.owe(f"{takeover}: MASTER stands in {STATE_LOG} within {LOG_S:.0f} s")
    right = [line for line in state if line.file == STATE_LOG]
    if not right:
        files = sorted({line.file for line in state}) or "no file"
        why = f"{takeover}: the MASTER line is in {files}, not in {STATE_LOG}"
        _break_if_watched(one, takeover, why)
        return
    first_ns = takeover.taken.at_ns
    line = min(right, key=lambda line: abs(line.at_ns - first_ns))
    apart_s = abs(line.at_ns - first_ns) / NS
    unsure_s = line.uncertainty_ns / NS
    what = f"the MASTER line is {apart_s:.1f} s +- {unsure_s:.1f} s from the wire's event"
    span = min(first_ns, line.at_ns), max(first_ns, line.at_ns)
    whose, late = {takeover.peer.name}, recorded.lateness
    if (excess_s := apart_s - unsure_s - LOG_S) > 0:
        why = f"{takeover}: {what}, limit 2 s"
        missed(one, why, excess_s, span, whose, late, line.place)
    elif (excess_s := apart_s + unsure_s - LOG_S) > 0:
        why = f"{takeover}: {what}: too coarse for a limit of 2 s"
        unclear(one, why, excess_s, span, whose, late, line.place)
    one.met(line.place)
