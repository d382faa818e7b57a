"""LAB-03: whoever is killed, nothing runs on after 10 s, and the next run starts clean."""

from __future__ import annotations

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from evidence.events.harness import ProcessesKilled, RunFollowed
from evidence.scenario import Evidence

KINDS = ("owner", "wire", "libvirt", "QEMU")
"""Whom the promise names; the owner is pytest."""
GONE_S = 10.0


@check("LAB-03")
def nothing_is_left(evidence: Evidence, owed: Obligations) -> None:
    """Judge each kill by what ran on, and by the history that it left; then the run after it."""
    killed = evidence.need(ProcessesKilled)
    owed.each(KINDS, {kind for one in killed for kind in one.kinds}, "killed")
    for one in killed:
        who = f"{' and '.join(one.kinds)} killed after {one.after_s:.1f} s"
        gone = one.gone_s is not None and one.gone_s <= GONE_S and not one.left
        owed.require(gone, f"{who}: nothing is left", f"{who}: {_left(one)}", one.place)
        torn = f"{who}: the history is torn"
        owed.require(one.whole, f"{who}: the history is whole", torn, one.place)
    after = owed.owe("the run after each of them starts clean")
    followed = evidence.events(RunFollowed)
    for run in followed:
        why = f"it ended with {run.status}; left: {'; '.join(run.left) or 'nothing'}"
        after.settle(run.status == 0 and not run.left, why, run.place)
    if len(followed) < len(killed):
        after.doubt(f"{len(followed)} runs followed {len(killed)} kills")


def _left(one: ProcessesKilled) -> str:
    if one.gone_s is None or one.left:
        return f"still there: {'; '.join(one.left) or 'what was not named'}"
    return f"gone after {one.gone_s:.1f} s, limit {GONE_S:.0f} s"
