"""A machine that is already there: run, put and get as in a lab; its power by what SSH can do.

There is no power switch. A power cut is a reset at once, by the kernel's sysrq: nothing is written
back, nobody says goodbye, and the machine starts again by itself. What would leave a machine that
somebody has to walk to is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from contextlib import suppress

from lab.errors import DeadlinePassed, MachineError, NotHere
from lab.machine import Machine
from lab.site.access import AsItself, SiteAccess
from lab.timing import Kind, spending
from lab.wait import pause

_RESET_AFTER_S, _SLACK_S = 0.3, 0.2
_ANSWERS_S = 20.0
_SESSION = re.compile(r"([0-9a-fA-F.:]+) (\d{1,5}) ([0-9a-fA-F.:]+) (\d{1,5})\s*")


class SiteMachine(Machine):
    """A machine of a site. `announce` is called before anything is done to it that disturbs it."""

    def __init__(
        self, name: str, access: SiteAccess, announce: Callable[[str], None] = lambda _what: None
    ) -> None:
        super().__init__(name, access)
        self._announce = announce
        self._site_access = access
        self.is_container = False
        """Whether its kernel is its host's, and others': set once it was looked at."""

    @property
    def is_on(self) -> bool:
        """Whether it lets us in."""
        try:
            self.run("true", timeout=_ANSWERS_S)
        except (MachineError, DeadlinePassed):
            return False
        return True

    def own_session(self) -> str:
        """Return a filter of tcpdump for our SSH to this machine, "" where it is not known."""
        way = self._site_access
        with Machine(self.name, AsItself(way.hops, way.known, way.lab)) as itself:
            said = itself.run("echo $SSH_CONNECTION", timeout=_ANSWERS_S, check=False).stdout
        match = _SESSION.fullmatch(said)
        return f"tcp and host {match[1]} and port {match[4]}" if match else ""

    def kill(self) -> None:
        """Reset it at once, as a power cut of a moment does; it starts again by itself."""
        self._need_own_kernel()
        self._announce(f"{self.name}: the power is cut for a moment (sysrq b)")
        self._reset()

    def reboot(self) -> None:
        """Reset it at once; it starts again by itself."""
        self._need_own_kernel()
        self._announce(f"{self.name}: is reset (sysrq b)")
        self._reset()

    def power_on(self) -> None:
        """Leave it: a machine that was reset starts by itself."""

    def need_power_switch(self, what: str) -> None:
        """Refuse what the machine does not get up from by itself."""
        raise NotHere(f"no {what} of {self.name}: nobody could switch it on again from here")

    def shut_down(self) -> None:
        """Refuse: nobody could switch it on again."""
        self.need_power_switch("shutdown")

    def pause(self) -> None:
        """Refuse: there is no hypervisor to ask."""
        raise NotHere(f"{self.name} cannot be paused: no hypervisor of it is known")

    def resume(self) -> None:
        """Refuse, as `pause`."""
        raise NotHere(f"{self.name} cannot be resumed: no hypervisor of it is known")

    def _need_own_kernel(self) -> None:
        if self.is_container:
            raise NotHere(f"{self.name} is a container: a reset would be its host's")

    def _reset(self) -> None:
        """Let a shell that nobody waits for reset it; return when that must have happened."""
        script = f"sleep {_RESET_AFTER_S}; echo b > /proc/sysrq-trigger"
        with spending(Kind.POWER):
            self.run(
                "echo 1 > /proc/sys/kernel/sysrq; "
                f"setsid sh -c {shlex.quote(script)} </dev/null >/dev/null 2>&1 &"
            )
            pause(_RESET_AFTER_S + _SLACK_S)
            with suppress(OSError):
                self.disconnect()
