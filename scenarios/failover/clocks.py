"""A standby's clock, set back while it counts the silence of its peer; and whether it was in time.

The timer is the standby's own (`set_back.py`), wound up by each advertisement: a host that is busy
may be late with the fault, or with a login, and the clock is set as long after the last
advertisement as before. Nothing here judges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from checks.protocols.budgets import PCAP_READ_TIMEOUT_S, Budget
from evidence.moment import NS, Moment
from lab.answers import understood
from lab.clock import ClockOffset
from lab.machine import Machine
from lab.wait import until
from scenarios.failover import set_back

PROGRAM, SAID = "/run/set_back.py", "/run/set_back.said"
_ARMED_S = 30.0
_WENT_OFF_S = 30.0
_SET = re.compile(r"set (\d{1,19}) (\d{1,19})")


@dataclass(frozen=True)
class Timer:
    """A timer that runs in a standby, whose clock was `before` until it went off."""

    machine: Machine
    before: ClockOffset

    @classmethod
    def armed(
        cls, machine: Machine, interface: str, peer: str, *, silence_s: float, back_s: int
    ) -> Self:
        """Start it in `machine`, and wait until it has heard the address `peer` advertise."""
        before = machine.clock()
        machine.put(Path(set_back.__file__).read_text(), PROGRAM)
        machine.run(
            f"rm -f {SAID}; setsid python3 {PROGRAM} {interface} {peer} {silence_s} {back_s} "
            f"</dev/null >{SAID} 2>&1 &"
        )
        timer = cls(machine, before)
        timer._wait_for("armed", _ARMED_S)
        return timer

    def went_off(self) -> Moment:
        """Wait until it has, and return when it set the clock, by the wire's."""
        line = self._wait_for("set", _WENT_OFF_S)
        with understood(self.machine.name, "when its clock was set"):
            if (said := _SET.fullmatch(line)) is None:
                raise ValueError(f"{line[:80]!r} is no moment")
            at_ns, took_ns = int(said[1]), int(said[2])
        half_ns = (took_ns + 1) // 2
        return Moment(self.before.on_host(at_ns) + half_ns, self.before.uncertainty_ns + half_ns)

    def _wait_for(self, word: str, seconds: float) -> str:
        """Wait until it says a line that begins with `word`, and return that."""
        text = ""

        def line() -> str | None:
            nonlocal text
            text = self.machine.run(f"cat {SAID}", check=False).stdout
            return next((one for one in text.splitlines() if one.startswith(word)), None)

        what = f"the timer that sets {self.machine.name}'s clock back to say {word!r}"
        return until(line, seconds, what, every=0.3, detail=lambda: f"it said:\n{text}")


def misses(at: Moment, last_ns: int, usual: Budget) -> str:
    """Say why a clock that was set at `at` shows nothing of how long the standby waits, if so.

    last_ns: of the active node's last advertisement. The standby must have read that, which ucarp
    does up to a second late, and must not have acted yet; `usual` says when it does.
    """
    earliest_s, latest_s = ((one - last_ns) / NS for one in (at.earliest_ns, at.latest_ns))
    if earliest_s >= PCAP_READ_TIMEOUT_S and latest_s <= usual.minimum_s:
        return ""
    after_s = (at.at_ns - last_ns) / NS
    return (
        f"the clock was set {abs(after_s):.1f} s {'after' if after_s >= 0 else 'before'} the "
        f"active node's last advertisement (give or take {at.uncertainty_ns / NS:.2f} s), and only "
        f"{PCAP_READ_TIMEOUT_S:.1f} to {usual.minimum_s:.1f} s after it the standby counts"
    )
