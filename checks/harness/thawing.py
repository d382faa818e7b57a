"""LAB-05: a thawed lab is the lab that was frozen: memory, disk, and the processes that ran."""

from __future__ import annotations

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from evidence.events.harness import NoncesFound, NoncesLeft
from evidence.scenario import Evidence

_PARTS = ("memory", "disk", "boot", "process")


@check("LAB-05")
def a_thawed_lab_is_the_frozen_one(evidence: Evidence, owed: Obligations) -> None:
    """Judge each machine of each thawed lab by what it had before, and that it goes on."""
    left, thawed = evidence.need(NoncesLeft), evidence.need(NoncesFound)
    labs = sorted({one.lab for one in thawed})
    others = set(labs) - {evidence.lab}
    places = dict.fromkeys(one.place for one in thawed)
    owed.at_least(1, others, "labs thawed beside the one that was frozen", *places)
    owed.each({one.source for one in thawed}, {one.source for one in left}, "asked before")
    for before in left:
        found = evidence.events(NoncesFound, before.source)
        for lab in labs:
            for part in _PARTS:
                one = owed.owe(f"{part} of {before.source} in {lab} is as it was frozen")
                for after in found:
                    if after.lab == lab:
                        was, is_now = getattr(before, part), getattr(after, part)
                        why = f"{part} of {before.source} in {lab}: {was!r} was frozen, {is_now!r}"
                        one.settle(was == is_now, why, before.place, after.place)
            goes_on = owed.owe(f"{before.source} in {lab} goes on")
            for after in found:
                if after.lab == lab:
                    why = f"{before.source} in {lab} carries out no command"
                    goes_on.settle(after.answers, why, after.place)
