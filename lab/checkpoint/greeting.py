"""What a thawed guest is told first: the time that has passed, and randomness of its own.

By the program that waits in it: logging in to five guests takes as long as all the rest of a thaw
together. A guest without that program is told by SSH.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from lab.checkpoint import waiting
from lab.errors import MachineError
from lab.machine import Machine

_CLOSE = 0.5  # seconds a clock may have been set late before it is set again
_TRIES = 4
#: Mixes what is on stdin into the kernel's randomness and has it used at once, as `waiter` does.
_OWN_RANDOMNESS = """cat > /dev/urandom
perl -e 'ioctl(STDIN, 0x5207, 0) or exit 1' < /dev/urandom 2> /dev/null ||
python3 -c 'import fcntl; fcntl.ioctl(0, 0x5207)' < /dev/urandom 2> /dev/null ||
true  # kernels before 4.14 cannot
"""


def greet(machine: Machine, channel: Path | None) -> None:
    """Set a thawed machine's clock, give it randomness, and see in its answer that it is alive.

    `channel` is the socket to who waits in it, None where nobody does. MachineError or
    DeadlinePassed when neither that nor its sshd answers.
    """
    if channel is None or not _told_who_waits(machine, channel):
        machine.wait_until_up(60)
        _tell_by_login(machine)


def _told_who_waits(machine: Machine, channel: Path) -> bool:
    """Move the clock by what it is late; say whether it is right now.

    By how much it is late does not depend on when it is moved.
    """
    try:
        with waiting.Waiter(machine, channel) as waiter:
            for _ in range(_TRIES):
                waiter.set_clock(_late(waiter))
                if abs(_late(waiter)) < _CLOSE:
                    return True
    except MachineError:  # the login that follows says more
        return False
    return False


def _late(waiter: waiting.Waiter) -> float:
    """Return by how many seconds a guest's clock is behind, within half of `_CLOSE`."""
    for _ in range(2 * _TRIES):
        asked = time.time()
        said = waiter.clock()
        answered = time.time()
        if answered - asked < _CLOSE:
            return (asked + answered) / 2 - said
    raise MachineError("answers come too slowly to set a clock")


def _tell_by_login(machine: Machine) -> None:
    waiting.dismiss(machine)
    machine.run(_OWN_RANDOMNESS, stdin=os.urandom(64))
    late = 0.0
    for _ in range(_TRIES):
        # The way there takes about half of a round trip, on a busy host most of a second.
        spent = machine.run(f"date -u -s @{time.time() + late:.3f} > /dev/null").seconds
        if spent < _CLOSE:
            return
        late = spent / 2
