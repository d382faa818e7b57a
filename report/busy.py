"""When the host was busy: spans in which it kept processes of a lab from running, as shades.

The host's lateness is recorded up to five times a second for each process; drawn one by one that
would hide what it lies behind. So each half second gets the share that the worst process was kept
for, in three steps, and neighbours that say the same are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from evidence.events.run import HostLate
from evidence.moment import NS, Window

SLOT_NS = NS // 2
STEPS = ((0.5, "busy-3"), (0.25, "busy-2"), (0.1, "busy-1"))
"""From which share of a slot on, and how it is drawn; less is not worth a shade."""


@dataclass(frozen=True)
class Shade:
    """A stretch of time behind all lanes: a fault, or a busy host."""

    from_ns: int
    until_ns: int
    kind: str
    what: str


def busy(records: Iterable[HostLate], window: Window) -> list[Shade]:
    """Return when the host was busy within `window`."""
    kept = list(dict.fromkeys((one.of, one.from_ns, one.until_ns, one.kept_ns) for one in records))
    found: list[Shade] = []
    for shade in _slots(kept, window):
        if found and found[-1].until_ns == shade.from_ns and found[-1].what == shade.what:
            found[-1] = replace(found[-1], until_ns=shade.until_ns)
        else:
            found.append(shade)
    return found


def _slots(kept: list[tuple[str, int, int, int]], window: Window) -> Iterator[Shade]:
    for from_ns in range(window.from_ns, window.until_ns, SLOT_NS):
        until_ns = min(from_ns + SLOT_NS, window.until_ns)
        each: dict[str, float] = {}
        for of, began_ns, ended_ns, kept_ns in kept:
            within_ns = min(ended_ns, until_ns) - max(began_ns, from_ns)
            if within_ns > 0:
                rate = min(1.0, kept_ns / (ended_ns - began_ns))
                each[of] = each.get(of, 0.0) + rate * within_ns / (until_ns - from_ns)
        share, who = max(((share, of) for of, share in each.items()), default=(0.0, ""))
        kind = next((kind for least, kind in STEPS if share >= least), "")
        if kind:
            least = next(least for least, name in STEPS if name == kind)
            kept_from = f"{who} was kept from running for {least:.0%} of the time or more"
            yield Shade(from_ns, until_ns, kind, f"the host was busy: {kept_from}")
