"""How each service was asked for on the virtual IP after a fault, and by whom it answered.

Reads what a scenario recorded of it; how long a service may be away is in `takeovers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checks.failover.pair import Node
from checks.failover.recorded import Recorded, WatchedFault
from checks.protocols.heartbeat import Advertised
from evidence.events.takeover import ServiceProbed
from evidence.moment import Moment

Service = tuple[str, int]
"""Protocol and port."""


@dataclass(frozen=True)
class Stretch:
    """A time in which the new holder answered each question.

    back: its first answer. lost: the first question after it that got none; None where all did.
    """

    back: Moment
    lost: Moment | None = None


@dataclass(frozen=True)
class Served:
    """How one service was asked for on the virtual IP after a fault, and by whom it answered.

    stretches: each time in which it answered. last: the last answer within the watch. elsewhere:
    answers of others after the new holder took over.
    """

    service: Service
    asked: int
    stretches: tuple[Stretch, ...] = ()
    last: Moment | None = None
    elsewhere: tuple[ServiceProbed, ...] = ()
    places: tuple[str, ...] = ()

    @property
    def back(self) -> Moment | None:
        """The first answer after which no question was left without one, but for the last ones."""
        return self.stretches[-1].back if self.stretches else None

    @property
    def lost(self) -> Moment | None:
        """The first of these last ones; None where the last question was answered."""
        return self.stretches[-1].lost if self.stretches else None

    @property
    def back_for_good(self) -> Moment | None:
        """When it was back, where it answered until nobody asked any more."""
        return self.back if self.lost is None else None

    def __str__(self) -> str:
        return f"{self.service[0]} {self.service[1]}"


def served(
    recorded: Recorded, fault: WatchedFault, peer: Node, first: Advertised | None
) -> Iterable[Served]:
    """Follow every service that was asked for on the virtual IP after the fault.

    first: the peer's first advertisement.
    """
    asked = [
        one
        for one in recorded.evidence.events(ServiceProbed)
        if one.address == recorded.pair.virtual_ip
    ]
    for service in sorted({(one.protocol, one.port) for one in asked}):
        after = [
            one
            for one in asked
            if (one.protocol, one.port) == service
            and one.moment.earliest_ns > fault.at.latest_ns
            and one.at_ns <= fault.until_ns
        ]
        yield _followed(service, after, peer, first)


def _followed(
    service: Service, asked: Sequence[ServiceProbed], peer: Node, first: Advertised | None
) -> Served:
    """Find when the peer has answered every question; of whom the MAC is unknown, by time."""
    stretches: list[Stretch] = []
    answers: list[ServiceProbed] = []
    elsewhere = []
    for one in asked:
        taken = first is not None and one.at_ns >= first.at_ns
        ours = one.answered and (one.mac == peer.mac or (one.mac is None and taken))
        if ours:
            answers.append(one)
            if not stretches or stretches[-1].lost:
                stretches.append(Stretch(one.moment))
        elif not one.answered:
            if stretches and not stretches[-1].lost:
                stretches[-1] = Stretch(stretches[-1].back, one.moment)
        elif taken:
            elsewhere.append(one)
        # else the old holder, which is yet to be found dead
    return Served(
        service,
        len(asked),
        tuple(stretches),
        answers[-1].moment if answers else None,
        tuple(elsewhere),
        tuple(one.place for one in (*answers[:1], *answers[-1:])),
    )
