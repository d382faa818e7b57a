"""LAB-01: a lab is an ordinary user's, and leaves the machine that it runs on as it was.

Who changed a thing cannot be told: whatever else works on that machine is seen, too. So what was
other in one visit of a lab, and not in another, was somebody else's; unless it is so still: then it
was not new to the other, and whose it is cannot be told. Where nobody but the lab's user works, it
was the lab.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from evidence.events.harness import HostVisited
from evidence.scenario import Evidence

SETFCAP = 1 << 31
"""Root must have this capability to map itself into a user namespace; nobody else has to."""
FEWEST = 3
"""Processes that a lab has: wire, libvirt, QEMU."""


@check("LAB-01")
def the_host_is_left_alone(evidence: Evidence, owed: Obligations) -> None:
    """Judge that no privilege is used, no socket is reachable, and nothing is other than before."""
    visits = evidence.need(HostVisited)
    user = owed.owe("an ordinary user makes a lab: no privilege of root is used")
    reach = owed.owe("nobody else can reach a socket of a lab")
    there = owed.owe("a lab ran meanwhile")
    for visit in visits:
        spare = SETFCAP if visit.uid == 0 else 0
        why = f"user {visit.uid} made it with capabilities {visit.capabilities:x}"
        user.settle(not visit.capabilities & ~spare, why, visit.place)
        found = "; ".join(visit.reachable)
        reach.settle(not found, f"reachable from elsewhere: {found}", visit.place)
        if visit.processes < FEWEST:
            there.doubt(f"it had {visit.processes} processes, not {FEWEST}", visit.place)
        there.met(visit.place)
    _owe_home(owed, visits)
    _owe_unchanged(owed, visits, "while a lab runs", lambda one: one.during)
    _owe_unchanged(owed, visits, "after a lab", lambda one: one.after, visits[-1].still)


def _owe_home(owed: Obligations, visits: Sequence[HostVisited]) -> None:
    one = owed.owe("nothing is left where only who made the lab works")
    for visit in visits:
        found = "; ".join(visit.at_home)
        one.settle(not found, f"a lab left in its user's directories: {found}", visit.place)


def _owe_unchanged(
    owed: Obligations,
    visits: Sequence[HostVisited],
    when: str,
    changes: Callable[[HostVisited], tuple[str, ...]],
    still: Sequence[str] = (),
) -> None:
    one = owed.owe(f"{when} the host is as before")
    each: list[set[str]] = [set(changes(visit)) for visit in visits]
    places = [visit.place for visit in visits]
    always = each[0].intersection(*each)
    for line in sorted(always):
        one.broken(f"{when}: {line}", *places)
    for line in sorted(set(still) - always):
        one.doubt(f"{when}, and still after the next: {line}", *places)
    if all(each):
        one.doubt(f"{when} something was other each time, and never the same", *places)
    one.met(*places)
    passing = sorted(each[0].union(*each) - always)
    owed.tell(*(f"{when}, once of {len(visits)} times: {line}" for line in passing))
