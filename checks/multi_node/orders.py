"""MN-26: an order of the four scripts that is not the guide's is found, and where it is wrong.

What was planned says where that is; what is found rests on the machines' own clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import deployment
from checks.multi_node.proofs import maintenance
from checks.multi_node.steps import ORDER, Maintenance
from evidence.event import NS_BOUND
from evidence.events.maintenance import Script
from evidence.scenario import Evidence


def first_wrong(order: Sequence[Script]) -> Script | None:
    """Return the first script that an order has before one it should follow; None: no such."""
    for number, script in enumerate(order):
        if set(ORDER[: ORDER.index(script)]) - set(order[:number]):
            return script
    return None


@check("MN-26")
def another_order_is_named(evidence: Evidence, owed: Obligations) -> None:
    """Judge that the evidence shows an order to be wrong, from the script on where it is."""
    site = deployment(evidence, owed)
    steps = maintenance(evidence, site)
    steps.owe_steps(owed)
    wrong = first_wrong(steps.planned.order)
    if wrong is None:
        owed.open("no order but the guide's was tried", steps.planned.place)
        return
    one = owed.owe(f"{', '.join(steps.planned.order)} is named wrong from {wrong} on")
    typed = tuple(script for script, _ in groupby(step.script for step in steps.steps))
    if typed != steps.planned.order:
        one.doubt(f"it was typed in another order: {', '.join(typed)}", steps.planned.place)
    found = steps.out_of_place
    until_ns = found[0].began.latest_ns if found else NS_BOUND  # what comes later changes nothing
    unsure = [pair for pair in steps.too_close() if pair[1].began.at_ns <= until_ns]
    for first, second in unsure:
        one.doubt(f"the clocks cannot tell whether {first} had ended when {second} began")
    unseen = [one for one in steps.planned.order if not _was_run(one, steps)]
    if not unsure and not unseen:
        _settle(one, steps, wrong)
    owed.tell(*filter(None, [steps.complaint()]), *steps.proofs())


def _was_run(script: Script, steps: Maintenance) -> bool:
    """Whether it is recorded that a script was run on each machine that it is for."""
    return all(steps.of(script, machine) for machine in steps.machines(script))


def _settle(one: Obligation, steps: Maintenance, wrong: Script) -> None:
    """Settle whether the order is named wrong from `wrong` on, where the clocks can tell."""
    found = steps.out_of_place
    if found is None:
        one.broken("it passes for the guide's order", steps.planned.place)
        return
    step = found[0]
    why = f"{step} is named, not {wrong}"
    one.settle(step.script == wrong, why, steps.planned.place, step.run.place, *step.places)
