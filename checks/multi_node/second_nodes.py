"""MN-25: a client that one node has told goes to another, which stops a moment later.

By the shared name that is what clients do while nodes are stopped one after the other. So each
session that a node's stop ends is told, and each that ended in the maintenance is logged with its
bytes: the one that a client had at first is `maintenance`'s own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.multi_node.maintained import Maintained, User
from checks.multi_node.steps import STOP, Step
from checks.multi_node.traffic import FRAME_LATE_NS
from evidence.coverage import clock_text
from evidence.events.maintenance import ConnectionsLogged, LoggedConnection
from evidence.moment import NS, Window

Row = tuple[str, str, str]

TOLD_LATE_S = 5.0
"""So long after a node has stopped its last words are looked for, in case the host kept them."""


@dataclass(frozen=True)
class Stopped:
    """A session of a client at a node that is none of its first, and that the node's stop ended."""

    user: User
    node: str
    stop: Step
    served_ns: int
    """When the wire first took something of it to the client."""

    @property
    def during(self) -> Window:
        """When the client is to be told."""
        from_ns = max(self.stop.began.earliest_ns, self.served_ns)
        return Window(from_ns, self.stop.ended.latest_ns + FRAME_LATE_NS)


def stopped(case: Maintained) -> Iterator[Stopped]:
    """Yield each such session, by the wire."""
    for user in case.users:
        for node in case.site.nodes:
            stops = case.steps.of(STOP, node)
            if node != user.node and stops:
                yield from _session(user, node, stops[0], case.steps.planned.at_ns)


def _session(user: User, node: str, stop: Step, since_ns: int) -> Iterator[Stopped]:
    """Yield what a client still had of a node when that stopped, if it began since a moment."""
    service, began_ns = user.service, stop.began.earliest_ns
    during = Window(since_ns, stop.ended.latest_ns)
    served = [one.at_ns for one in service.served_in(during) if one.node == node]
    before = service.last_before(began_ns)
    if not served or (served[-1] < began_ns and before is not None and before.node != node):
        return
    begun_ns = max((at_ns for at_ns in service.begun if at_ns <= served[-1]), default=0)
    if begun_ns > since_ns:
        yield Stopped(user, node, stop, next(at_ns for at_ns in served if at_ns >= begun_ns))


def owe_sent_on(
    case: Maintained, begin: ConnectionsLogged, log: ConnectionsLogged, owed: Obligations
) -> None:
    """Owe that each such session was told, and that whatever ended since `begin` has its bytes.

    log: as it stood before the controller went down.
    """
    sessions = [*stopped(case)]
    for one in sessions:
        _owe_told(one, case, owed)
    closed = {_key(row) for row in begin.rows if row.disconnected_at is not None}
    ended = [row for row in log.rows if row.disconnected_at is not None and _key(row) not in closed]
    logged = owed.owe("each disconnect since the maintenance began was logged with its bytes")
    logged.met(begin.place, log.place)
    for row in ended:
        if row.lost or not row.bytes_transferred:
            logged.broken(f"{called(row)} was closed without its bytes", log.place)
    fresh = {_key(row) for row in log.rows} - {_key(row) for row in begin.rows}
    for node, names in _by_node(sessions).items():
        if (rows := sum(key[0] == node for key in fresh)) < len(names):
            logged.broken(
                f"{', '.join(names)} went to {node}, and the log has {rows} such connections",
                log.place,
                case.seen.capture_place,
            )


def _owe_told(one: Stopped, case: Maintained, owed: Obligations) -> None:
    told = owed.owe(f"{one.user.name} was told that {one.node} stops, too")
    judge_told(one.user, one.node, one.during, case, told)


def judge_told(user: User, node: str, during: Window, case: Maintained, one: Obligation) -> None:
    """Settle whether a node told a client in time that its session is over.

    What it said before it had stopped may reach the wire later, if the host kept either of them.
    """
    places = user.place, case.seen.capture_place
    if user.service.told_at(node, during) is not None:
        one.met(*places)
        return
    why = (
        f"{user.name} was not told: the wire took no message of {node} to it that its session is"
        f" over between {clock_text(during.from_ns)} and {clock_text(during.until_ns)}"
    )
    later = Window(during.from_ns, during.until_ns + round(TOLD_LATE_S * NS))
    at_ns = user.service.told_at(node, later)
    if at_ns is None:
        one.broken(why, *places)
        return
    excess_s = (at_ns - during.until_ns) / NS
    span, whose = (during.until_ns - FRAME_LATE_NS, at_ns), {node, "wire"}
    missed(
        one, f"{why}, but {excess_s:.1f} s later", excess_s, span, whose, case.seen.late, *places
    )


def called(row: LoggedConnection) -> str:
    """Call a row by its client's address, its node and its beginning."""
    return f"the connection of {row.ip4} to {row.profile_id} since {row.connected_at}"


def _key(row: LoggedConnection) -> Row:
    return row.profile_id, row.ip4, row.connected_at


def _by_node(sessions: Iterable[Stopped]) -> dict[str, Collection[str]]:
    return {
        node: [one.user.name for one in sessions if one.node == node]
        for node in dict.fromkeys(one.node for one in sessions)
    }
