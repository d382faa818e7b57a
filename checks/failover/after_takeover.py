"""What was seen after a takeover, and of it what the node that took over showed.

Evidence of an earlier moment, of a time in which somebody else held the role again, or of the other
node says nothing about what a takeover left. A check that speaks of "after a takeover" takes its
evidence from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from checks.failover.claims import How, claims
from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover
from evidence.event import Event
from evidence.moment import NS

E = TypeVar("E", bound=Event)


def after(
    recorded: Recorded, found: Sequence[Takeover], kind: type[E], *, only: Takeover | None = None
) -> Iterator[tuple[Takeover, E]]:
    """Yield every event of a class that came after a takeover, with the last one before it.

    After: since the new holder's first advertisement, and while it was the last to advertise.
    found: every takeover, so that each event is told to the last one before it. only: the one that
    is asked for, if one is.
    """
    for event in recorded.evidence.events(kind):
        earlier = [
            takeover
            for takeover in found
            if takeover.first and takeover.first.at_ns <= event.moment.earliest_ns
        ]
        if not earlier or only not in (None, earlier[-1]):
            continue
        latest = recorded.passed.before(event.at_ns)
        if latest and latest.sender == earlier[-1].peer.name:
            yield earlier[-1], event


def of_new_holder(
    recorded: Recorded, found: Sequence[Takeover], kind: type[E], *, only: Takeover | None = None
) -> list[E]:
    """Return such events that were seen on the node that had taken over."""
    return [
        event
        for takeover, event in after(recorded, found, kind, only=only)
        if event.source == takeover.peer.name
    ]


def served_by_the_old_alone(recorded: Recorded, takeover: Takeover, event: Event) -> str | None:
    """Say that only the old node sent from the virtual IP, from the election's end to an event.

    Then no client came to the new one. None where the new one sent too, or nobody did.
    """
    old, new = takeover.victim.name, takeover.peer.name
    healed_ns = takeover.taken.at_ns + int(recorded.pair.healing_s * NS)
    by = {
        claim.who
        for claim in claims(recorded)
        if claim.how is How.SERVES and healed_ns <= claim.at_ns <= event.moment.latest_ns
    }
    if old not in by or new in by:
        return None
    return f"{takeover}: only {old} sent from the virtual IP, so nothing was served by {new}"
