"""A program that waits, frozen, in every guest of a checkpoint for the thaw to speak to it.

Setting a clock takes a root's program in the guest. To start one in a guest that was just thawed is
the slowest part of a thaw where guests are emulated; this one runs already, and reads one line from
a named pipe, which the guest agent writes: by how much the clock is late, and randomness of the
guest's own. Then it ends, and nothing is left of it.
"""

from __future__ import annotations

import os

from lab.errors import DeadlinePassed, MachineError
from lab.machine import Machine

PIPE = "/run/vpnproof.thaw"
_RESEED = 0x5207  # RNDRESEEDCRNG of Linux 4.14 and later: what was mixed in is used at once
_PROGRAM = f"""
import fcntl, os, sys, time
if os.path.exists({PIPE!r}):
    os.unlink({PIPE!r})
os.mkfifo({PIPE!r}, 0o600)
pipe = open({PIPE!r}, "r+b", buffering=0)
if os.fork():
    sys.exit()
os.setsid()
for closed in range(3):
    os.dup2(os.open(os.devnull, os.O_RDWR), closed)
told = pipe.readline().split()
os.unlink({PIPE!r})
if told:
    late, random = told
    time.clock_settime(time.CLOCK_REALTIME, time.time() + float(late))
    with open("/dev/urandom", "wb", buffering=0) as pool:
        pool.write(bytes.fromhex(random.decode()))
        fcntl.ioctl(pool, {_RESEED})
"""


def leave(machine: Machine) -> None:
    """Start the program in a running guest; one without Python, or too busy, goes without it."""
    command = "PATH=$PATH:/usr/libexec; exec $(command -v python3 || echo platform-python) -"
    try:
        machine.run(command, stdin=_PROGRAM, check=False, timeout=15)
    except (MachineError, DeadlinePassed):
        return


def tell(machine: Machine, late: float) -> None:
    """Have the program move the clock by `late` seconds, and mix in randomness.

    MachineError when none waits, or no agent may write to it.
    """
    line = f"{late:+.3f} {os.urandom(32).hex()}\n"
    machine.write_by_agent(PIPE, line.encode())


def dismiss(machine: Machine) -> None:
    """End the program in a guest that is told all this in another way."""
    machine.run(f"[ ! -p {PIPE} ] || echo 1<> {PIPE}")  # also when nobody reads
