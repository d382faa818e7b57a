"""An answer of the portal that did not come: see `checks.engine.unanswered`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from checks.engine.obligations import Obligation
from checks.engine.unanswered import NO_ADDRESS, is_silence, judge_unanswered
from checks.multi_node.deployment import Deployment
from evidence.events.run import HostLate

RESOLVER_S = 5.0
"""resolv.conf(5): a resolver waits so long for its first answer. If it says sooner that there is no
address (6), it was told so."""


class PortalAnswered(Protocol):
    """An event that tells of an answer of the portal: see `evidence.events.portal.Answer`."""

    @property
    def source(self) -> str:
        """Who asked."""

    @property
    def at_ns(self) -> int:
        """When the answer had come, or was not waited for any more."""

    @property
    def place(self) -> str:
        """Where it stands in the history."""

    @property
    def status(self) -> int:
        """Of the answer, 0 without."""

    @property
    def detail(self) -> str | None:
        """What curl said where no answer came, "" where one came, None where nobody kept it."""

    @property
    def waited_s(self) -> float | None:
        """How long the answer that did not come was waited for."""


def settle_answer(
    holds: bool,
    otherwise: str,
    event: PortalAnswered,
    site: Deployment,
    late: Iterable[HostLate],
    one: Obligation,
) -> None:
    """Settle an obligation by an answer of the portal; one that did not come may be late."""
    if holds:
        one.met(event.place)
    elif event.detail is None and not event.status:
        one.doubt(f"{otherwise}; why no answer came was not recorded", event.place)
    elif waited_s := _silent_s(event):
        whose = event.source, site.controller.name, site.services.name
        judge_unanswered(
            one,
            f"{otherwise}: {event.detail}",
            event.at_ns,
            whose,
            late,
            event.place,
            waited_s=waited_s,
        )
    else:
        one.broken(f"{otherwise}: {event.detail}" if event.detail else otherwise, event.place)


def _silent_s(event: PortalAnswered) -> float:
    """Return for how long nobody answered; 0 where somebody did."""
    if not event.detail or not is_silence(event.detail):
        return 0.0
    waited_s = event.waited_s or 0.0
    was_told = NO_ADDRESS in event.detail and waited_s < RESOLVER_S
    return 0.0 if was_told else waited_s
