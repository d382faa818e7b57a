"""Events of what the active node sends to the standby, and of what survives a takeover.

Hashes are those of what lies where, or "absent".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from evidence.event import Count, Digest, Event, Name, Seconds

Item = Literal["users", "revocations", "certificates", "configuration"]
Kept = Literal["users", "revocations", "certificates", "configuration", "licence", "session secret"]


class StagedCompared(Event):
    """An item was changed on `origin` (from `before` to `active`); what came to `target`.

    seconds: since the change, when it was there, or was looked for last. not_before_s: when it was
    looked for in vain last before that; None where that was not noted. period_s: of the sync. live:
    what the standby runs (FO-32, 34).
    """

    kind: Literal["staged.compared"] = "staged.compared"
    origin: Name
    target: Name
    item: Item
    before: Digest
    active: Digest
    staged: Digest
    live_before: Digest
    live: Digest
    seconds: Seconds
    not_before_s: Seconds | None = None
    period_s: float = Field(gt=0)


class RunningCompared(Event):
    """What the new active node `source` runs, and what was staged there (FO-33, 46)."""

    kind: Literal["running.compared"] = "running.compared"
    item: Kept
    staged: Digest
    running: Digest


class SubscriptionShown(Event):
    """The subscription as the node `source` shows it; `loaded_on` names where it was loaded.

    active: whether `source` was the active node then (FO-40).
    """

    kind: Literal["subscription.shown"] = "subscription.shown"
    key: str
    limit: Count
    active: bool
    loaded_on: Name


class WriteAcknowledged(Event):
    """The active node `source` said that the write `serial` is done, of `value` (FO-46).

    value: another one for each serial, so that a write that was lost and made again is seen.
    """

    kind: Literal["write.acknowledged"] = "write.acknowledged"
    serial: Count
    value: Name


class SyncCompleted(Event):
    """A sync that contains all up to `serial` was completed by the node `source`.

    At the middle between the look that did not see it yet and the one that did. period_s: of the
    sync (FO-46).
    """

    kind: Literal["sync.completed"] = "sync.completed"
    serial: Count
    period_s: float = Field(gt=0)


class WritesFound(Event):
    """The value of every serial found on the new active node `source`; may be none (FO-46)."""

    kind: Literal["writes.found"] = "writes.found"
    values: Mapping[Count, Name]
