"""MN-25: maintenance in the guide's order; every client told and logged, nothing left open.

Who is told by one node may go to another, and is told there as well: see `second_nodes`.

The log is judged as it stood before the controller went down, by its journal: what is logged later
is not what the guide stops the nodes first for. What it held as open before a node stopped says
nothing of what came of that.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import named
from checks.multi_node.maintained import Maintained, User, cost
from checks.multi_node.second_nodes import called, judge_told, owe_sent_on
from checks.multi_node.steps import STOP, Maintenance
from checks.multi_node.traffic import FRAME_LATE_NS
from checks.multi_node.tunnels import had_left, last_attempts
from evidence.coverage import clock_text
from evidence.events.maintenance import ConnectionsLogged, LoggedConnection
from evidence.moment import Window
from evidence.scenario import Evidence

SAME_SHARE = 0.75
"""The bytes of a connection that are logged, and those that the wire took: one is no less than this
share of the other. OpenVPN counts what it reads and writes; the wire sees frames that are lost."""


@check("MN-25")
def maintained_in_order(evidence: Evidence, owed: Obligations) -> None:
    """Judge the order, that every client was told and logged, and that nothing is left open."""
    case = Maintained.of(evidence, owed)
    steps = case.steps
    steps.owe_steps(owed)
    _owe_order(steps, owed)
    logs = evidence.need(ConnectionsLogged, case.site.controller.name)
    _owe_log(case, logs, owed)
    _owe_nothing_open(case, logs[-1], evidence, owed)
    for user in case.users:
        _owe_told(user, case, owed)
    owed.tell(*steps.proofs(), *cost(case))


def _owe_order(steps: Maintenance, owed: Obligations) -> None:
    one = owed.owe("all of one script before any of the next, in the guide's order")
    one.met(steps.planned.place, *(step.run.place for step in steps.steps))
    if complaint := steps.complaint():
        one.broken(complaint)
    for first, second in steps.too_close():
        one.doubt(f"the clocks cannot tell whether {first} had ended when {second} began")
    stray = owed.owe("nothing stops or starts but by the script that is for it")
    stray.met(steps.planned.place)
    for change in steps.strays():
        at = clock_text(change.at_ns)
        stray.broken(
            f"{change.source}: {change.unit} {change.change} at {at}, not by the script for it",
            change.place,
        )
    for step in steps.steps:
        owed.require(
            step.run.status == 0,
            f"{step} says that it went well",
            f"{step} ended with {step.run.status}: {step.run.output[-200:]!r}",
            step.run.place,
        )


def _owe_told(user: User, case: Maintained, owed: Obligations) -> None:
    one = owed.owe(f"{user.name} was told that {user.node} stops")
    stops = case.steps.of(STOP, user.node)
    if not stops:
        one.doubt(f"{STOP} was not run on {user.node}")
        return
    stop = stops[0]
    during = Window(stop.began.earliest_ns, stop.ended.latest_ns + FRAME_LATE_NS)
    was_served = user.service.last_before(during.from_ns)
    if was_served is None or was_served.node != user.node:
        one.doubt(f"{user.name} had nothing of {user.node} before it stopped", user.place)
    else:
        judge_told(user, user.node, during, case, one)


def _owe_log(case: Maintained, logs: Sequence[ConnectionsLogged], owed: Obligations) -> None:
    """Owe each disconnect in the log as it stood before the controller went down."""
    planned_ns, down = case.steps.planned.at_ns, case.steps.down
    begin = [one for one in logs if one.at_ns <= planned_ns]
    if down is None or not begin:
        lacks = "when the controller went down" if begin else "the log before the maintenance"
        owed.open(f"{lacks} was not recorded")
        return
    before_down = [one for one in logs if one.moment.latest_ns < down.earliest_ns][-1:]
    if not before_down:
        owed.open("the log was not read before the controller went down")
        return
    log = before_down[0]
    for user in case.users:
        one = owed.owe(f"{user.name}'s disconnect was logged before the controller went down")
        open_rows = [row for row in _rows_of(user, begin[-1]) if row.disconnected_at is None]
        if len(open_rows) != 1:
            one.doubt(f"the log holds {len(open_rows)} open rows of {user.name}", begin[-1].place)
            continue
        (since,) = {row.connected_at for row in open_rows}
        rows = [row for row in _rows_of(user, log) if row.connected_at == since]
        for row in rows:
            _judge_row(row, user, case, log, one)
        if rows:
            one.met(begin[-1].place, log.place)
    owe_sent_on(case, begin[-1], log, owed)
    left = owed.owe("nothing was open in the log when the controller went down")
    left.met(log.place)
    for row in log.rows:
        if row.disconnected_at is None:
            _judge_open(row, called(row), case, log, left)


def _rows_of(user: User, log: ConnectionsLogged) -> list[LoggedConnection]:
    who = user.node, user.before.tried.tunnel4
    return [row for row in log.rows if (row.profile_id, row.ip4) == who]


def _judge_row(
    row: LoggedConnection,
    user: User,
    case: Maintained,
    log: ConnectionsLogged,
    one: Obligation,
) -> None:
    who = f"{user.name}: {called(row)}"
    if row.disconnected_at is None:
        _judge_open(row, who, case, log, one)
        return
    if row.lost or not row.bytes_transferred:
        one.broken(f"{who} was closed without its bytes", log.place)
        return
    carried = user.service.octets(user.node, _session(user, log))
    if min(carried, row.bytes_transferred) < SAME_SHARE * max(carried, row.bytes_transferred):
        one.broken(
            f"{who}: {row.bytes_transferred} bytes are logged, and the wire took {carried}",
            log.place,
            case.seen.capture_place,
        )


def _judge_open(
    row: LoggedConnection, who: str, case: Maintained, log: ConnectionsLogged, one: Obligation
) -> None:
    """Break an obligation by a row that was open, unless it may have been closed later in time."""
    node, down = row.profile_id, case.steps.down
    stops = case.steps.of(STOP, node)
    for stop in stops:
        is_later = stop.ended.latest_ns > log.moment.earliest_ns
        if down is not None and is_later and stop.began.earliest_ns < down.latest_ns:
            without = f"the log was not read between {node}'s stop and the controller's"
            one.doubt(f"{who} was open, and {without}", log.place)
            return
    at = f" at {clock_text(down.at_ns)}" if down is not None else ""
    one.broken(f"{who} was still open when the controller went down{at}", log.place)


def _session(user: User, log: ConnectionsLogged) -> Window:
    """Return from when a client began the session that it had before to when the log was read."""
    before = user.before.during
    began_ns = max((one for one in user.service.begun if before.holds(one)), default=before.from_ns)
    return Window(began_ns - FRAME_LATE_NS, log.at_ns)


def _owe_nothing_open(
    case: Maintained, log: ConnectionsLogged, evidence: Evidence, owed: Obligations
) -> None:
    """Owe that in the end the log holds as open who is connected, and nobody else."""
    one = owed.owe("in the end the log holds as open who is connected, and nobody else")
    latest = max(step.run.at_ns for step in case.steps.steps)
    if log.at_ns < latest:
        one.doubt("the log was not read after the maintenance", log.place)
        return
    one.met(log.place)
    connected = {
        (case.site.node_of(each.tried.remote) or "", each.tried.tunnel4): each.tried.client
        for each in last_attempts(evidence, case.site, until_ns=log.at_ns)
        if each.tried.up and not had_left(each.tried.client, log.at_ns, evidence)
    }
    held: dict[tuple[str, str], list[LoggedConnection]] = {}
    for row in sorted(log.rows, key=lambda row: row.connected_at):
        if row.disconnected_at is None:
            held.setdefault((row.profile_id, row.ip4), []).append(row)
    unseen = _served_since_looks(case, log, evidence)
    for who, rows in sorted(held.items()):
        for row in rows[:-1] if who in connected else rows:
            why = f"{called(row)} is left open in the log"
            if who not in connected and unseen.get(row.profile_id):
                of = named(unseen[row.profile_id])
                one.doubt(f"{why}, and {of} was served there, but not looked at since", log.place)
            else:
                one.broken(why, log.place)
    for who in sorted(connected.keys() - held.keys()):
        one.doubt(f"{connected[who]} is connected, and the log does not hold it as open", log.place)


def _served_since_looks(
    case: Maintained, log: ConnectionsLogged, evidence: Evidence
) -> dict[str, list[str]]:
    """Return by node who had no tunnel when it was looked at last, and was served there since."""
    looks = last_attempts(evidence, case.site, until_ns=log.at_ns)
    down = {one.tried.client: one.tried.at_ns for one in looks if not one.tried.up}
    found: dict[str, list[str]] = {}
    for user in (one for one in case.users if one.name in down):
        since = Window(down[user.name], log.at_ns)
        for node in {one.node for one in user.service.served_in(since)}:
            found.setdefault(node, []).append(user.name)
    return found
