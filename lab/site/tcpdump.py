"""What tcpdump says while it listens on a machine: frames, and how many it has seen so far.

Frames come on its standard output as classic pcap. Twice a second it is asked for its counters,
which come on its standard error behind the machine's own time: what was sent by then is among them.
"""

from __future__ import annotations

import re
import shlex
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.errors import MachineError

ASKED_EVERY_S = 0.5
_HEADER, _RECORD = 24, 16
_MAGIC = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000)}
_MAGIC |= {b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}
_ETHERNET = 1
_LARGEST_FRAME = 262_144  # octets: tcpdump's own limit
_LONGEST_LINE = 4096
_SETTLES = 3  # counters, since the first frame, until tcpdump has read what waited for it
_AT = re.compile(r"at (\d{1,19})")
_COUNTED = re.compile(
    r"tcpdump: (\d{1,12}) packets? captured, (\d{1,12}) packets? received by filter, "
    r"(\d{1,12}) packets? dropped by kernel.*"
)

_ASK = (  # nobody writes to its standard input: to wait for that is to sleep
    f"while read -rt {ASKED_EVERY_S}; [ $? -gt 128 ]; do now=$EPOCHREALTIME; "
    'echo "at ${now/[.,]/}000" >&2 && kill -USR1 $1 2>/dev/null || break; done; '
    "kill $1 2>/dev/null"
)
TO_ALL = "arp or ip proto 112 or ether multicast"
"""What a machine hears that every other one on its network hears, too, and what a pair says."""


def command(interface: str, expression: str) -> str:
    """Return what listens at an interface until nobody reads any more.

    Asking costs a busy machine little where its bash is of version 5: no program is started for it.
    """
    listen = ["tcpdump", "-i", interface, "-n", "-U", "--immediate-mode", "-s", "0"]
    listen += ["-w", "-", expression]
    return (  # it ignores the question until it can answer: by default the signal ends a process
        f"trap '' PIPE USR1; {shlex.join(listen)} & pid=$!; "
        "if [ -n \"$(bash -c 'echo $EPOCHREALTIME' 2>/dev/null)\" ]; "
        f"then exec bash -c {shlex.quote(_ASK)} bash $pid; fi; "
        f'while sleep {ASKED_EVERY_S} && echo "at $(date +%s%N)" >&2 && '
        "kill -USR1 $pid 2>/dev/null; do :; done; kill $pid 2>/dev/null"
    )


def provocation(interfaces: Iterable[str]) -> str:
    """Return what sends a frame that is for all at each interface, to which nobody answers."""
    ping = "ping -n -q -b -c 1 -W 1 -I"
    each = (f"{ping} {shlex.quote(one)} 255.255.255.255 >/dev/null 2>&1 &" for one in interfaces)
    return f"{' '.join(each)} wait"


def expression(direction: str, session: str) -> str:
    """Return what is listened for, "in" or "out"; not our own SSH, which would be about itself.

    The kernel tells the direction, so that its counter is of these frames alone (-Q leaves that to
    tcpdump).
    """
    wanted = f"inbound and ({TO_ALL})" if direction == "in" else "outbound"
    return f"{wanted} and not ({session})" if session else wanted


@dataclass(frozen=True)
class Counted:
    """By the machine's time `at_ns`, all was read that it had sent; so much was dropped.

    The kernel counts a frame as it passes, and tcpdump may be behind: what counts is the kernel's.
    """

    at_ns: int
    dropped: int


class Said:
    """One tcpdump's output, fed as it comes. MachineError for what is none."""

    def __init__(self, machine: str) -> None:
        self._machine = machine
        self._order, self._scale = "", 0
        self._raw = bytearray()
        self._text = ""
        self._read = 0
        self._asked_ns: int | None = None
        self._counted: list[tuple[int, Counted]] = []
        self._behind: list[int] = []

    def frames(self, more: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield each frame that is whole now: the machine's time in ns, and its octets."""
        self._raw += more
        if not self._order:
            if len(self._raw) < _HEADER:
                return
            self._begin(bytes(self._raw[:_HEADER]))
            del self._raw[:_HEADER]
        while len(self._raw) >= _RECORD:
            head = struct.unpack_from(f"{self._order}IIII", self._raw)
            seconds, fraction, size, _ = head
            if size > _LARGEST_FRAME:
                raise MachineError(
                    f"{self._machine}: its tcpdump tells of a frame of {size} octets"
                )
            if len(self._raw) < _RECORD + size:
                return
            data = bytes(self._raw[_RECORD : _RECORD + size])
            del self._raw[: _RECORD + size]
            self._read += 1
            yield seconds * 1_000_000_000 + fraction * self._scale, data

    def lines(self, more: str) -> Iterator[str]:
        """Take what came on standard error; yield each line that is neither time nor counters."""
        *whole, self._text = (self._text + more).split("\n")
        if len(self._text) > _LONGEST_LINE:
            raise MachineError(f"{self._machine}: its tcpdump says a line without an end")
        for line in whole:
            if at := _AT.fullmatch(line):
                self._asked_ns = int(at[1])
            elif counted := _COUNTED.fullmatch(line):
                if self._asked_ns is not None:
                    captured, received, dropped = map(int, counted.groups())
                    if captured:
                        self._behind.append(received - dropped - captured)
                    told = Counted(self._asked_ns, dropped)
                    self._counted.append((received - dropped, told))
            elif line:
                yield line

    def counted(self) -> Counted | None:
        """Return the latest counters all of whose frames were read; each once.

        The kernel has also counted what came before it had the filter, and nobody reads that: it is
        what tcpdump is behind by at the least. That, and the first frame that came since, libpcap
        filters once more, where it knows no direction, and so lets go of all of it (1.10.3). Once
        it has captured a frame that is over; `provocation` is what makes one.
        """
        if len(self._behind) < _SETTLES:
            return None
        self._behind = [min(self._behind)] * _SETTLES
        found = None
        while self._counted and self._counted[0][0] - self._behind[0] <= self._read:
            found = self._counted.pop(0)[1]
        return found

    def _begin(self, header: bytes) -> None:
        known = _MAGIC.get(header[:4])
        if known is None:
            raise MachineError(f"{self._machine}: its tcpdump writes no pcap: {header[:4].hex()}")
        self._order, self._scale = known
        (link,) = struct.unpack_from(f"{self._order}I", header, 20)
        if link != _ETHERNET:
            raise MachineError(
                f"{self._machine}: its tcpdump writes frames of link type {link}, not Ethernet"
            )
