"""MN-27: after maintenance each node serves again, and clients come back by themselves.

A node that serves, and dies again, has not come back: its units stay up, and it does not leave whom
it served without an answer. One that nobody asks may have nobody to serve.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.in_time import Span, Watch, owe_in_time
from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import named
from checks.multi_node.guide import PING_RESTART_S
from checks.multi_node.maintained import Maintained, User, cost
from checks.multi_node.staying import owe_staying
from checks.multi_node.steps import START, Step
from checks.multi_node.traffic import FRAME_LATE_NS
from checks.multi_node.tunnels import owe_by_itself
from checks.protocols.budgets import Budget
from evidence.coverage import clock_text
from evidence.errors import Missing
from evidence.events.run import HostLate
from evidence.moment import NS, Moment
from evidence.scenario import Evidence


@check("MN-27")
def everything_is_back(evidence: Evidence, owed: Obligations) -> None:
    """Judge that each node serves again, and that each client comes back by itself, in time."""
    case = Maintained.of(evidence, owed)
    case.steps.owe_steps(owed)
    starts = {node: steps for node in case.site.nodes if (steps := case.steps.of(START, node))}
    if not starts:
        raise Missing(f"{START} was run nowhere")
    for node, steps in starts.items():
        _owe_serving(node, steps[-1], case, evidence, owed)
    limit = Budget(
        0, PING_RESTART_S, "who was told needs no ping-restart", "vpn-server-node: keepalive 10 60"
    )
    late = evidence.events(HostLate)
    began = [step.began for steps in starts.values() for step in steps]
    since = min(began, key=lambda at: at.at_ns)
    for user in case.users:
        _owe_back(user, case, since, limit, late, evidence, owed)
    owed.tell(*cost(case))


def _owe_serving(
    node: str, start: Step, case: Maintained, evidence: Evidence, owed: Obligations
) -> None:
    one = owed.owe(f"{node} serves again")
    since = start.ended
    served = [
        user
        for user in case.users
        if any(x.node == node and x.at_ns > start.began.at_ns for x in user.service.served)
    ]
    watched_s = (evidence.window.until_ns - since.latest_ns) / NS
    asked = any(
        x.node == node and x.at_ns > start.began.at_ns
        for user in case.users
        for x in user.service.asked
    )
    if served:
        one.met(start.run.place, *start.places, case.seen.capture_place)
    elif not asked:
        one.doubt(f"nobody asked {node} for anything after {start}", case.seen.capture_place)
    elif watched_s > PING_RESTART_S:
        why = f"{node} served nobody in {watched_s:.0f} s after {start}"
        excess_s, span = watched_s - PING_RESTART_S, (since.at_ns, evidence.window.until_ns)
        places = start.run.place, case.seen.capture_place
        whose = {node, case.site.controller.name, "wire"}
        missed(one, why, excess_s, span, whose, case.seen.late, *places)
    else:
        one.doubt(f"{node} served nobody, and was watched for only {watched_s:.0f} s")
    for change in case.steps.ended_again(node):
        at = clock_text(change.at_ns)
        one.broken(f"{node}: {change.unit} {change.change} at {at}, after its start", change.place)
    _judge_silence(node, served, case, one)


def _judge_silence(node: str, served: Sequence[User], case: Maintained, one: Obligation) -> None:
    """Break it if a node that served somebody says nothing to anybody any more.

    Only if they asked it since: who has left says nothing either. It is silent until the wire took
    the last of any client, whichever node that one is at.
    """
    said_ns = case.seen.last_word(node)
    left = [
        user.name
        for user in served
        if any(x.node == node and x.at_ns > said_ns + FRAME_LATE_NS for x in user.service.asked)
    ]
    heard = [x.at_ns for user in case.users for x in (*user.service.asked, *user.service.served)]
    silent_s = (max(heard, default=said_ns) - said_ns) / NS
    if left and silent_s > PING_RESTART_S:
        without = f"left {named(left)} without an answer"
        why = f"{node} said nothing more for {silent_s:.0f} s, and {without}"
        excess_s, span = silent_s - PING_RESTART_S, (said_ns, max(heard))
        place = case.seen.capture_place
        missed(one, why, excess_s, span, {node, "wire"}, case.seen.late, place)


def _owe_back(
    user: User,
    case: Maintained,
    since: Moment,
    limit: Budget,
    late: Sequence[HostLate],
    evidence: Evidence,
    owed: Obligations,
) -> None:
    first = user.service.first_after(since.latest_ns)
    own = case.steps.of(START, first.node if first else user.node)
    start = own[-1].ended if own else since
    what = f"{user.name} is served again after its node's start"
    site = case.site
    whose = {site.client.name, site.controller.name, first.node if first else user.node, "wire"}
    places = user.place, case.seen.capture_place
    seen = Span(start, Moment(max(first.at_ns, start.at_ns))) if first else None
    until_ns = evidence.window.until_ns
    watch = Watch(what, whose, start, start, until_ns, places, late)
    owe_in_time(owed, watch, seen, limit)
    if first is not None:
        owe_staying(user.service, watch, owed)
    owe_by_itself(user.after, case.steps.planned.moment, evidence, case.seen, owed, watch)
