"""LAB-06: a lab file or image that is wrong is refused before anything starts, in clear words."""

from __future__ import annotations

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from evidence.events.harness import LabRefused
from evidence.scenario import Evidence

CASES = (
    "a key that is none",
    "an address outside its network",
    "one name twice",
    "a network that is none",
    "no such topology",
    "no such image",
    "images that others may write to",
)

OPTIONAL = "file"
"""Not all that is wrong stands in a file."""


@check("LAB-06")
def what_is_wrong_is_refused(evidence: Evidence, owed: Obligations) -> None:
    """Judge each refusal: that it is one, that nothing was started, and what it says."""
    refused = evidence.need(LabRefused)
    owed.each(CASES, {one.case for one in refused}, "tried")
    for one in refused:
        why = f"{one.case}: taken, with status 0"
        owed.require(one.status != 0, f"{one.case}: refused", why, one.place)
        started = "; ".join(one.started)
        why = f"{one.case}: started all the same: {started}"
        owed.require(not started, f"{one.case}: nothing is started", why, one.place)
        for what, words in one.wanted.model_dump().items():
            why = f"{one.case}: {what} {words!r} is not in what it says: {one.said}"
            says = owed.owe(f"{one.case}: it says the {what}")
            if not words and what != OPTIONAL:
                says.doubt(f"{one.case}: which {what} it was to say was not recorded", one.place)
            else:
                says.settle(words in one.said, why, one.place)
