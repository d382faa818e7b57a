"""What a thawed guest is told first: the time that has passed, and randomness of its own.

By its guest agent: logging in to five guests takes as long as all the rest of a thaw together. The
agent tells the program that waits for it (see `waiting`), or starts one that sets the clock. A
guest without an agent, or with one that may do neither, is told by SSH.
"""

from __future__ import annotations

import contextlib
import os
import time

from lab.checkpoint import waiting
from lab.errors import DeadlinePassed, MachineError
from lab.machine import Machine
from lab.wait import until

_AGENT_COMES = 1.0  # seconds from running again to the agent's channel being open (seen: 0.1)
_CLOSE = 0.5  # seconds a clock may have been set late before it is set again
#: Mixes what is on stdin into the kernel's randomness and has it used at once: machines thawed
#: from one checkpoint would draw the same numbers until the kernel does so by itself, in a minute.
_OWN_RANDOMNESS = """cat > /dev/urandom
perl -e 'ioctl(STDIN, 0x5207, 0) or exit 1' < /dev/urandom 2> /dev/null ||
python3 -c 'import fcntl; fcntl.ioctl(0, 0x5207)' < /dev/urandom 2> /dev/null ||
true  # kernels before 4.14 cannot
"""


def greet(machine: Machine) -> None:
    """Set a thawed machine's clock, give it randomness, and see in its answer that it is alive.

    MachineError or DeadlinePassed when neither its agent nor its sshd answers.
    """
    try:
        _set_clock_by_agent(machine)
    except MachineError:  # no agent, or one that may not
        machine.wait_until_up(60)
        set_clock(machine)


def set_clock(machine: Machine) -> None:
    """Set a thawed machine's clock to this host's, and give it randomness of its own."""
    waiting.dismiss(machine)
    machine.run(_OWN_RANDOMNESS, stdin=os.urandom(64))
    late = 0.0
    for _ in range(4):
        # The way there takes about half of a round trip, on a busy host most of a second.
        spent = machine.run(f"date -u -s @{time.time() + late:.3f} > /dev/null").seconds
        if spent < _CLOSE:
            return
        late = spent / 2


def _set_clock_by_agent(machine: Machine) -> None:
    """Move the clock by what it is late: by how much does not depend on when that is done."""
    with contextlib.suppress(DeadlinePassed):  # without an agent, the first question says it
        until(
            lambda: machine.agent_is_connected,
            _AGENT_COMES,
            f"the guest agent of {machine.name}",
            every=0.02,
        )
    if _tell_who_waits(machine):
        return
    for _ in range(3):
        machine.start_by_agent("/bin/date", "-u", "-s", f"{_late(machine):+.3f} seconds")
        if _comes_right(machine):
            machine.start_by_agent("/bin/sh", "-c", _OWN_RANDOMNESS, stdin=os.urandom(64))
            return
    raise MachineError(f"{machine.name}: its guest agent does not set the clock")


def _tell_who_waits(machine: Machine) -> bool:
    """Tell the program that waits in the guest, if one does; say whether it did its work."""
    try:
        waiting.tell(machine, _late(machine))
    except MachineError:
        return False
    return _comes_right(machine)


def _comes_right(machine: Machine) -> bool:
    # Not by asking for a program's end: the agent would log each question, in every guest.
    with contextlib.suppress(DeadlinePassed):
        until(
            lambda: abs(_late(machine)) < _CLOSE,
            5,
            f"the clock of {machine.name} to be right",
            every=0.05,
        )
        return True
    return False


def _late(machine: Machine) -> float:
    """Return by how many seconds a machine's clock is behind, within half of `_CLOSE`."""
    for _ in range(8):
        if machine.given_up:
            break
        asked = time.time()
        said = machine.clock_by_agent()
        answered = time.time()
        if answered - asked < _CLOSE:
            return (asked + answered) / 2 - said
    raise MachineError(f"{machine.name}: its guest agent answers too slowly to set a clock")
