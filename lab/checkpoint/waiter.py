"""Runs in the guests of a checkpoint, frozen with them: sets the clock when it is told how late.

Started in a guest by its source (`python3 - DEVICE`, 3.6 or later, standard library only), so that
a thawed guest has nothing to start: that is the slowest part of a thaw where guests are emulated.

It answers each line that comes by the serial channel with what the clock says, in seconds since
1970. A line "SECONDS HEX" moves the clock by so much first, and mixes the bytes into the kernel's
randomness: guests thawed from one checkpoint would draw the same numbers for another minute. Once
told, it ends when the other side hangs up, and nothing is left of it.
"""

import contextlib
import fcntl
import os
import select
import sys
import time
from pathlib import Path

PID_FILE = Path("/run/vpnproof.waiter")
_RESEED = 0x5207  # RNDRESEEDCRNG of Linux 4.14 and later: what was mixed in is used at once
_NOBODY_THERE = 0.02  # seconds until it looks again whether somebody has connected


def main(device: str) -> None:
    """Wait in the background, with a PID file for whoever wants that to end."""
    port = os.open(device, os.O_RDWR)
    waiting = os.fork()
    if waiting:
        PID_FILE.write_text(str(waiting))
        return
    os.setsid()
    with contextlib.suppress(OSError):  # a control group without real-time
        # Before whatever wakes up with it, and whatever that clock then wakes.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    for closed in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), closed)
    serve(port)
    PID_FILE.unlink()


def serve(port: int) -> None:
    """Answer what comes by the file descriptor `port` until the clock was set."""
    told, begun = False, b""
    while True:
        came = os.read(port, 4096)
        if came:
            *lines, begun = (begun + came).split(b"\n")
            for line in lines:
                told = _obey(line.decode().split()) or told
                os.write(port, b"%.6f\n" % time.time())
        elif told:
            return
        else:
            begun = b""
            select.select([], [], [], _NOBODY_THERE)


def _obey(words: "list[str]") -> bool:
    """Set the clock and mix in randomness, if that is what was said."""
    if not words:
        return False
    late, random = words
    time.clock_settime(time.CLOCK_REALTIME, time.time() + float(late))
    _mix_in(bytes.fromhex(random))
    return True


def _mix_in(random: bytes) -> None:
    """Have the kernel draw from `random`, too, from now on."""
    with Path("/dev/urandom").open("wb", buffering=0) as pool:
        pool.write(random)
        with contextlib.suppress(OSError):  # a kernel before 4.14 does so within a minute
            fcntl.ioctl(pool, _RESEED)


if __name__ == "__main__":
    main(sys.argv[1])
