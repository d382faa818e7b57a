"""`python -m lab.guardian`: the guardian's process, started by `lab.guardian.line`, not by people.

    python -S -m lab.guardian DIRECTORY [owned]

Its descriptors 3 (if it is "owned") and 4 are the reading ends of the owner's and the wire's line.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path

from lab.errors import LabError
from lab.guardian import ASKED, DISMISSED, KEPT
from lab.guardian.ending import end_processes_of
from lab.guardian.line import OWNERS, WIRES
from lab.marker import hold
from lab.wait import pause

_WIRE_HAS = 2.0  # seconds to end a lab whose owner ended; it completes its recording first
_LOOKS, _BETWEEN = 3, 0.5  # a daemon or a machine may have been on its way up
_AT_MOST = 60.0


class Lines:
    """What is known of the owner and the wire by their lines; a lab may have no owner's."""

    def __init__(self, owner: int | None, wire: int) -> None:
        self._owner, self._wire = owner, wire
        self._said: dict[int | None, bytes] = {owner: b"", wire: b""}
        self._ended: set[int | None] = {None}
        self._poll = select.poll()
        for line in (owner, wire):
            if line is not None:
                self._poll.register(line, select.POLLIN)

    def wait(self, seconds: float | None = None) -> None:
        """Wait until something is said or a line ends, at most so long."""
        for line, _ in self._poll.poll(None if seconds is None else seconds * 1000):
            if octets := os.read(line, 64):
                self._said[line] += octets
            else:
                self._poll.unregister(line)
                self._ended.add(line)

    @property
    def nothing_to_guard(self) -> bool:
        """Whether the owner sent the guardian away."""
        return DISMISSED in self._said[self._owner]

    @property
    def owner_fell(self) -> bool:
        """Whether there was an owner that ended, and the lab was not to stay up."""
        gone = self._owner is not None and self._owner in self._ended
        return gone and KEPT not in self._said[self._wire]

    @property
    def wire_fell(self) -> bool:
        """Whether the wire ended, unasked or with nobody left who asked."""
        unasked = ASKED not in self._said[self._wire]
        return self._wire in self._ended and (unasked or self._owner in self._ended)


def main(arguments: list[str]) -> int:
    """Guard the lab, and end it when it has fallen; the status is 1 when something is left."""
    directory = Path(arguments[0])
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(WIRES + 1, os.sysconf("SC_OPEN_MAX"))  # of whoever started the owner
    os.chdir("/")
    hold(directory)  # for as long as this runs
    lines = Lines(OWNERS if arguments[1:] == ["owned"] else None, WIRES)
    while not (lines.nothing_to_guard or lines.wire_fell or lines.owner_fell):
        lines.wait()
    if lines.nothing_to_guard:
        return 0
    if not lines.wire_fell:
        _leave_it_to_the_wire(lines)
    return _end_all(directory)


def _leave_it_to_the_wire(lines: Lines) -> None:
    until = time.monotonic() + _WIRE_HAS
    while not lines.wire_fell and (left := until - time.monotonic()) > 0:
        lines.wait(left)


def _end_all(directory: Path) -> int:
    """End all that runs, and look again until nothing came up for a while."""
    until, looks, wrong = time.monotonic() + _AT_MOST, 0, ""
    while looks < _LOOKS and time.monotonic() < until:
        try:
            ended, wrong = end_processes_of(directory, guardian=False), ""
        except LabError as error:
            ended, wrong = [], str(error)
        for one in ended:
            _log(f"ended {one.name} ({one.pid}){', by SIGKILL' if one.killed else ''}")
        looks = 0 if ended or wrong else looks + 1
        pause(_BETWEEN)
    if wrong:
        _log(wrong)
    return bool(wrong)


def _log(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {line}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
