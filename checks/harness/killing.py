"""LAB-03: whoever is killed, nothing runs on after 10 s, and the next run starts clean.

The 10 s count from the end of the run itself. One that was not killed ends in its own time: it has
to notice what it lost, or gets Ctrl-C, and how long that took is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from checks.engine.lateness import missed
from checks.engine.obligations import Obligations
from checks.engine.registry import check
from evidence.event import NS_BOUND
from evidence.events.harness import ProcessesKilled, RunFollowed
from evidence.events.run import HostLate
from evidence.moment import NS
from evidence.scenario import Evidence

KINDS = ("owner", "wire", "libvirt", "QEMU")
"""Whom the promise names; the owner is pytest."""
GONE_S = 10.0
WATCHED_S = 60.0
"""So long it is watched until nothing is left: what is there for longer is left, however late."""


@check("LAB-03")
def nothing_is_left(evidence: Evidence, owed: Obligations) -> None:
    """Judge each kill by what ran on, and by the history that it left; then the run after it."""
    killed = evidence.need(ProcessesKilled)
    owed.each(KINDS, {kind for one in killed for kind in one.kinds}, "killed")
    for one in killed:
        who = f"{' and '.join(one.kinds)} killed after {one.after_s:.1f} s"
        _owe_gone(evidence, owed, one, who)
        if one.ended_s is not None and one.gone_s is not None:
            owed.tell(
                f"{who}: the run itself ended {one.ended_s:.1f} s after the kill; nothing was left"
                f" {one.gone_s:.1f} s later"
            )
        torn = f"{who}: the history is torn"
        owed.require(one.whole, f"{who}: the history is whole", torn, one.place)
    after = owed.owe("the run after each of them starts clean")
    followed = evidence.events(RunFollowed)
    for run in followed:
        why = f"it ended with {run.status}; left: {'; '.join(run.left) or 'nothing'}"
        after.settle(run.status == 0 and not run.left, why, run.place)
    unfollowed = sum(
        not any(a <= run.at_ns < b for run in followed) for a, b in _until_next(killed)
    )
    if unfollowed:
        after.doubt(f"{unfollowed} of {len(killed)} kills were followed by no run")


def _until_next(killed: Sequence[ProcessesKilled]) -> Iterator[tuple[int, int]]:
    """Yield when each kill was seen through, and when the next one was."""
    return pairwise([*(one.at_ns for one in killed), NS_BOUND])


def _owe_gone(evidence: Evidence, owed: Obligations, one: ProcessesKilled, who: str) -> None:
    """Owe that nothing is left in time: who watches may have been kept from seeing that.

    Also where something was there at the limit and nothing when it was to be named.
    """
    gone = owed.owe(f"{who}: nothing is left")
    why = f"{who}: {_left(one)}"
    if one.left:
        gone.broken(why, one.place)
    elif one.gone_s is None or one.gone_s > GONE_S:
        took_s = GONE_S if one.gone_s is None else one.gone_s
        excess_s, late = max(took_s - GONE_S, 1 / NS), evidence.events(HostLate)
        span = one.at_ns - int(took_s * NS), one.at_ns
        missed(gone, why, excess_s, span, {"scenario"}, late, one.place)
    else:
        gone.met(one.place)


def _left(one: ProcessesKilled) -> str:
    if one.gone_s is None or one.left:
        return f"still there: {'; '.join(one.left) or 'what was not named'}"
    told = f"gone after {one.gone_s:.1f} s, limit {GONE_S:.0f} s"
    if one.ended_s is None:
        return told
    return f"{told} from when the run itself had ended, {one.ended_s:.1f} s after the kill"
