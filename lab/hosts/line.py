"""Home's end of a host's tether: asks again and again, measures the clock, and says when it is cut.

The clock is measured by each answer: the host said its time somewhere between question and answer.
The best answer counts, aged by how far a clock may have drifted since.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable

from evidence.clock import HostClock
from evidence.moment import NS
from lab.clock import ClockOffset
from lab.errors import HostLost
from lab.hosts.connection import Connection, discard, has_said, let_go, said_at_end
from lab.hosts.tether import SILENT_S
from lab.site.offsets import Offsets
from lab.wait import heard

BEAT_S = 2.0
SPARE_MIB = 200
"""Of a host's disk: with less, nothing that is recorded there can be relied on."""


class Line:
    """The line to one host; `lost` is called once, with why, when it is cut from the other side."""

    def __init__(
        self, connection: Connection, command: str, lost: Callable[[str, str], None]
    ) -> None:
        self.name = connection.host.name
        self._lost = lost
        self._offsets = Offsets()
        self._ending = threading.Event()
        self._process = connection.start(command)
        try:
            if self._answer(60.0).strip() != b"held":
                why = said_at_end(self._process) or "its tether does not hold"
                raise HostLost(f"{self.name}: {why}")
            for _ in range(5):
                self._ask()
        except BaseException:
            discard(self._process)
            raise
        self._thread = threading.Thread(target=self._keep, name=f"line to {self.name}", daemon=True)
        self._thread.start()

    def offset(self) -> ClockOffset:
        """Return how far the host's clock is behind this one's."""
        return self._offsets.at(time.time_ns())

    def stands(self) -> bool:
        """Whether the host holds its end; a second is given to notice that it does not."""
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return not self._ending.is_set()
        return False

    def cut(self) -> None:
        """End the run on that host: its workers, their labs; safe to call twice."""
        self._ending.set()
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except OSError:
                return

    def wait(self, seconds: float) -> None:
        """Wait until all has ended there, after `cut`; no longer than so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Give back what it took, after the connection was closed."""
        self.cut()
        self._process.kill()
        self._process.wait()
        self._thread.join(1)
        if not self._thread.is_alive():  # else it may be reading
            let_go(self._process)

    def _keep(self) -> None:
        awake = HostClock.now().asleep_ns
        while not heard(self._ending, BEAT_S):
            try:
                self._ask()
            except HostLost as error:
                if not self._ending.is_set():
                    self._lost(self.name, error.message + _slept_since(awake))
                return

    def _ask(self) -> None:
        asked = time.time_ns()
        try:
            assert self._process.stdin is not None  # noqa: S101 - it has pipes
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
            said = self._answer(SILENT_S)
            at, free = map(int, said.split())
        except (OSError, ValueError) as error:
            why = said_at_end(self._process) or "the connection was cut"
            raise HostLost(why) from error
        self._offsets.add(asked, ClockOffset.measured(asked, at, time.time_ns()))
        if free < SPARE_MIB:
            raise HostLost(f"its disk is full: {free} MiB are free")

    def _answer(self, within_s: float) -> bytes:
        assert self._process.stdout is not None  # noqa: S101
        if not has_said(self._process.stdout, within_s):
            raise HostLost(f"it did not answer in {within_s:g} s")
        return self._process.stdout.readline(200)


def _slept_since(asleep_ns: int) -> str:
    """Say that this machine slept meanwhile, as a laptop does: no host is to blame for that."""
    slept_s = (HostClock.now().asleep_ns - asleep_ns) / NS
    return f"; this machine slept for {slept_s:.0f} s" if slept_s > 1 else ""
