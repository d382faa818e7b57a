"""Runs in the guests of a checkpoint, frozen with them: tells the time, without a login.

Started in a guest by its source (`python3 - DEVICE`, 3.6 or later, standard library only), so that
a thawed guest has nothing to start: that is the slowest part of a thaw where guests are emulated.

Each line that comes by the serial channel is answered with what the clock says, in nanoseconds
since 1970. Before that, a line does what it says:

    mix HEX        mixes the bytes into the kernel's randomness: guests thawed from one checkpoint
                   would draw the same numbers for another minute
    move NS        moves the clock, the one on the board too, by so much: for a guest that is to be
                   a freshly booted one, and was frozen a while ago

QEMU's VM generation id would reseed the kernel without any program, but Debian 12's kernel for
clouds has no driver for it (CONFIG_VIRT_DRIVERS is not set; looked up in 6.1.0-56), and somebody
has to tell the time.
"""

import contextlib
import errno
import fcntl
import os
import select
import signal
import struct
import sys
import time
from pathlib import Path

_RESEED = 0x5207  # RNDRESEEDCRNG of Linux 4.14 and later: what was mixed in is used at once
_SET_BOARD = 0x4024700A  # RTC_SET_TIME: struct rtc_time, nine ints
_LOOKS_UP = 1  # seconds until it looks by itself; a signal says so before
_TRIES, _PATIENCE = 100, 0.005  # how often an answer is tried, and seconds in between


def main(device: str) -> None:
    """Serve in the background, for as long as the guest runs."""
    try:
        port = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.EBUSY:  # one is serving it already
            return
        raise
    if os.fork():
        return
    os.setsid()
    with contextlib.suppress(OSError):  # a control group without real-time
        # Before whatever wakes up with it.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    for closed in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), closed)
    # The driver signals what comes and who connects. Where nobody is, `select` would not wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    fcntl.fcntl(port, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(port, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    while True:
        if not serve(port):
            signal.sigtimedwait({signal.SIGIO}, _LOOKS_UP)


_begun = b""


def serve(port: int) -> bool:
    """Answer what has come by the file descriptor `port`; say whether something had."""
    global _begun  # one port, one conversation at a time
    try:
        came = os.read(port, 4096)
    except BlockingIOError:
        return False
    if not came:  # nobody there: whoever comes next begins a line of its own
        _begun = b""
        return False
    *lines, _begun = (_begun + came).split(b"\n")
    for line in lines:
        _obey(line.decode().split())
        _answer(port)
    return True


def _answer(port: int) -> None:
    """Say what the clock says, unless whoever asked has hung up meanwhile."""
    for _ in range(_TRIES):
        try:
            os.write(port, b"%d\n" % int(time.time() * 1e9))
        except BlockingIOError:  # the question can be here before the driver knows who asks
            select.select([], [], [], _PATIENCE)
        else:
            return


def _obey(words: "list[str]") -> None:
    if words[:1] == ["mix"]:
        _mix_in(bytes.fromhex(words[1]))
    if words[:1] == ["move"]:
        _move(int(words[1]) / 1e9)


def _mix_in(random: bytes) -> None:
    """Have the kernel draw from `random`, too, from now on."""
    with Path("/dev/urandom").open("wb", buffering=0) as pool:
        pool.write(random)
        with contextlib.suppress(OSError):  # a kernel before 4.14 does so within a minute
            fcntl.ioctl(pool, _RESEED)


def _move(seconds: float) -> None:
    """Move the clock by `seconds`, and set the one on the board, which a reboot begins with."""
    now = time.time() + seconds
    time.clock_settime(time.CLOCK_REALTIME, now)
    with contextlib.suppress(OSError):  # no such clock
        board = os.open("/dev/rtc0", os.O_RDONLY)
        year, month, day, hour, minute, second = time.gmtime(now)[:6]
        fields = (second, minute, hour, day, month - 1, year - 1900, 0, 0, 0)
        fcntl.ioctl(board, _SET_BOARD, struct.pack("9i", *fields))
        os.close(board)


if __name__ == "__main__":
    main(sys.argv[1])
