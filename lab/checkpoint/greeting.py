"""What a thawed guest is met with: randomness of its own is mixed in, and it tells the time.

That answer is the one sign of life that a thaw waits for. It comes from the guest's agent: logging
in to five guests takes as long as all the rest of a thaw together. A guest without one is reached
by SSH.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.clock import ClockOffset
from lab.errors import MachineError
from lab.machine import Machine

#: Mixes what is on stdin into the kernel's randomness and has it used at once, as the agent does.
_OWN_RANDOMNESS = """cat > /dev/urandom
perl -e 'ioctl(STDIN, 0x5207, 0) or exit 1' < /dev/urandom 2> /dev/null ||
python3 -c 'import fcntl; fcntl.ioctl(0, 0x5207)' < /dev/urandom 2> /dev/null ||
true  # kernels before 4.14 cannot
"""


def greet(machine: Machine, channel: Path | None) -> ClockOffset:
    """Give a thawed machine randomness of its own, and read its clock; nothing else is touched.

    `channel` is the socket of its agent, None where there is none. MachineError or DeadlinePassed
    when neither that nor its sshd answers.
    """
    if channel is not None:
        try:
            with machine.agent(channel) as agent:
                agent.mix_in_randomness()
                offset = agent.clock()
        except MachineError:  # the login that follows says more
            pass
        else:
            machine.channel = channel
            return offset
    machine.wait_until_up(60)
    machine.run(_OWN_RANDOMNESS, stdin=os.urandom(64))
    return machine.clock()


def bring_to_the_present(machine: Machine, channel: Path | None) -> None:
    """Set the clock of a guest that is to be freshly booted, though it was frozen a while ago.

    Nothing runs in it yet that would notice. `channel` is as for `greet`.
    """
    if channel is not None:
        try:
            with machine.agent(channel) as agent:
                agent.move_clock(agent.clock().behind_ns)
        except MachineError:  # the login that follows says more
            pass
        else:
            return
    machine.wait_until_up(60)
    behind = machine.clock().behind_s
    machine.run(
        f'date -u -s "@$(date +%s.%N | awk \'{{printf "%.3f", $1 + {behind:.3f}}}\')" >/dev/null; '
        "hwclock -u -w 2>/dev/null || true"
    )
