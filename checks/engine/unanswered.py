"""Who got no answer: whether the one that was asked, or who was asked on the way, did not run.

What programs say of it is all that is recorded: curl's status (6, no address; 28, out of time), or
that something timed out. A refusal is an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation
from evidence.events.run import HostLate
from evidence.moment import NS

ASKED_S = 30.0
"""An answer is waited for so long."""
NO_ADDRESS = "(6)"
_SILENT = ("timed out", "timeout", "(28)", "no answer within", NO_ADDRESS)


def is_silence(detail: str) -> bool:
    """Whether a program says that nobody answered it."""
    return any(word in detail.lower() for word in _SILENT)


def judge_unanswered(
    one: Obligation,
    why: str,
    at_ns: int,
    whose: Collection[str],
    late: Iterable[HostLate],
    place: str,
    *,
    waited_s: float = ASKED_S,
    recorded_s: float | None = None,
) -> None:
    """Break an obligation by an answer that did not come, unless the host explains it.

    waited_s: so long it was waited for. recorded_s: so long before it was recorded it may have been
    asked for, where that is not the same.
    """
    before_s = waited_s if recorded_s is None else recorded_s
    span = at_ns - round(before_s * NS), at_ns
    missed(one, why, waited_s, span, {*whose, "wire"}, late, place)
