"""LAB-07: verdicts made again offline are the same. LAB-08: every check was seen to fail.

What rests on a few lines of the history is easily the same. So one at least has to rest on frames.
"""

from __future__ import annotations

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from evidence.events.harness import JudgedAgain, KillsShipped
from evidence.scenario import Evidence


@check("LAB-07")
def verdicts_are_the_same_again(evidence: Evidence, owed: Obligations) -> None:
    """Judge that another process said the same of each verdict that the run had so far."""
    for again in evidence.need(JudgedAgain):
        one = owed.owe("each verdict is made again as it was")
        if not again.compared:
            one.doubt("there was no verdict yet", again.place)
        why = f"{len(again.differ)} of {again.compared} differ: {'; '.join(again.differ)}"
        one.settle(not again.differ, why, again.place)
        _owe_frames(again, owed)
        resting = "" if again.on_capture is None else f", {again.on_capture} of them from frames"
        owed.tell(f"{again.compared} verdicts were made again{resting}")


def _owe_frames(again: JudgedAgain, owed: Obligations) -> None:
    one = owed.owe("a verdict that rests on frames is among them")
    if again.on_capture is None:
        one.doubt("how many of them rest on frames was not recorded", again.place)
    elif not again.on_capture:
        one.doubt(
            f"none of {again.compared} verdicts rests on frames: no scenario of the wire was judged"
            " before",
            again.place,
        )
    else:
        one.met(again.place)


@check("LAB-08")
def every_check_has_killed(evidence: Evidence, owed: Obligations) -> None:
    """Judge the kill table that ships: each check has called mutants FAIL."""
    for shipped in evidence.need(KillsShipped):
        for name in shipped.checks:
            why = f"the check of {name} has killed nothing"
            what = f"the check of {name} was seen to fail"
            owed.require(shipped.failed.get(name, 0) > 0, what, why, shipped.place)
        owed.tell(f"{len(shipped.checks)} checks, {sum(shipped.failed.values())} mutants FAIL")
