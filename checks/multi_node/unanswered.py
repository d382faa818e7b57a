"""Who got no answer: whether the one that was asked, or who was asked on the way, did not run.

What programs say of it is all that is recorded: curl's status (6, no address; 28, out of time), or
that something timed out. A refusal is an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation
from checks.multi_node.deployment import Deployment
from evidence.events.run import HostLate
from evidence.moment import NS

ASKED_S = 30.0
"""An answer is waited for so long."""
RESOLVER_S = 5.0
"""resolv.conf(5): a resolver waits so long for its first answer. If it says sooner that there is no
address (6), it was told so."""
_NO_ADDRESS = "(6)"
_SILENT = ("timed out", "timeout", "(28)", _NO_ADDRESS)


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


def is_silence(detail: str) -> bool:
    """Whether a program says that nobody answered it."""
    return any(word in detail for word in _SILENT)


def judge_unanswered(
    one: Obligation,
    why: str,
    at_ns: int,
    whose: Collection[str],
    late: Iterable[HostLate],
    place: str,
    *,
    waited_s: float = ASKED_S,
    recorded_s: float = ASKED_S,
) -> None:
    """Break an obligation by an answer that did not come, unless the host explains it.

    waited_s: so long it was waited for. recorded_s: so long before it was recorded it may have been
    asked for.
    """
    span = at_ns - round(recorded_s * NS), at_ns
    missed(one, why, waited_s, span, {*whose, "wire"}, late, place)


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
            recorded_s=waited_s,
        )
    else:
        one.broken(f"{otherwise}: {event.detail}" if event.detail else otherwise, event.place)


def _silent_s(event: PortalAnswered) -> float:
    """Return for how long nobody answered; 0 where somebody did."""
    if not event.detail or not is_silence(event.detail):
        return 0.0
    waited_s = event.waited_s or 0.0
    was_told = _NO_ADDRESS in event.detail and waited_s < RESOLVER_S
    return 0.0 if was_told else waited_s
