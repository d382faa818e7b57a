"""How far one machine's clock is off, measured again and again, and whether somebody set it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.clock import ClockOffset

DRIFT = 500e-6
"""By how much a clock may run fast or slow: what NTP corrects at most while it slews."""


@dataclass
class Offsets:
    """The measurements of one machine's clock, the latest last."""

    _measured: list[tuple[int, ClockOffset]] = field(default_factory=list)

    def add(self, at_ns: int, offset: ClockOffset) -> bool:
        """Take a measurement of this host's time `at_ns`; say whether it fits those before.

        One that does not means that the clock was set: only the new one counts then.
        """
        fits = True
        if self._measured:
            before = self.at(at_ns)
            apart = abs(before.behind_ns - offset.behind_ns)
            fits = apart <= before.uncertainty_ns + offset.uncertainty_ns
        if not fits:
            self._measured.clear()
        self._measured = [*self._measured[-7:], (at_ns, offset)]
        return fits

    def at(self, host_ns: int) -> ClockOffset:
        """Return the offset of a moment by whichever measurement tells it best.

        LookupError before the first.
        """
        if not self._measured:
            raise LookupError("its clock was not measured yet")
        aged = (
            ClockOffset(one.behind_ns, one.uncertainty_ns + round(abs(host_ns - at_ns) * DRIFT))
            for at_ns, one in self._measured
        )
        return min(aged, key=lambda one: one.uncertainty_ns)
