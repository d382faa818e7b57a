"""What was seen after a takeover, and of it what the node that took over showed.

Evidence of an earlier moment, of a time in which somebody else held the role again, or of the other
node says nothing about what a takeover left. A check that speaks of "after a takeover" takes its
evidence from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from checks.failover.recorded import Recorded
from checks.failover.takeover import Takeover
from evidence.event import Event

E = TypeVar("E", bound=Event)


def after(
    recorded: Recorded, found: Sequence[Takeover], kind: type[E]
) -> Iterator[tuple[Takeover, E]]:
    """Yield every event of a class that came after a takeover, with the last one before it.

    After: since the new holder's first advertisement, and while it was the last to advertise.
    """
    for event in recorded.evidence.events(kind):
        earlier = [
            takeover
            for takeover in found
            if takeover.first and takeover.first.at_ns <= event.moment.earliest_ns
        ]
        latest = recorded.passed.before(event.at_ns)
        if earlier and latest and latest.sender == earlier[-1].peer.name:
            yield earlier[-1], event


def of_new_holder(
    recorded: Recorded, found: Sequence[Takeover], kind: type[E], *, only: Takeover | None = None
) -> list[E]:
    """Return such events that were seen on the node that had taken over, of `only` one if given.

    `found`: every takeover, so that each event is told to the last one before it.
    """
    return [
        event
        for takeover, event in after(recorded, found, kind)
        if event.source == takeover.peer.name and only in (None, takeover)
    ]
