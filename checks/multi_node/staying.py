"""MN-24 and MN-27: who was served for a moment alone is not back."""

from __future__ import annotations

from checks.engine.in_time import Watch
from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
from checks.multi_node.guide import PING_RESTART_S
from checks.multi_node.service import Service
from evidence.moment import NS


def owe_staying(service: Service, watch: Watch, owed: Obligations) -> None:
    """Owe that who was served is served to the end: who asks has an answer within `ping-restart`.

    Who asks no more may have nothing to ask.
    """
    one = owed.owe(f"{service.client} stays served")
    said_ns = service.served[-1].at_ns
    span = said_ns, max((asked.at_ns for asked in service.asked), default=said_ns)
    silent_s = (span[1] - said_ns) / NS
    if silent_s > PING_RESTART_S:
        why = f"{service.client} was served for the last time {silent_s:.0f} s before it last asked"
        excess_s = silent_s - PING_RESTART_S
        missed(one, why, excess_s, span, watch.whose, watch.late, *watch.places)
    else:
        one.met(*watch.places)
