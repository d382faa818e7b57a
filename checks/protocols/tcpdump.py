"""The line that the failover guide tells a person to look for in `tcpdump -eni any vrrp`.

tcpdump reads a CARP advertisement as VRRPv2: its "prio" is CARP's advskew, so `prio 0` is not
VRRP's "I resign". The guide shows the old cooked header (LINUX_SLL, length 72); tcpdump since
4.99 prints the newer one (LINUX_SLL2: interface, then `ifindex N`, length 76). Both are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(
    r"""
    ^(?P<time>\d\d:\d\d:\d\d\.\d{6})\s+
    (?:(?P<interface>\S+)\s+)?                      # SLL2 names the interface
    (?P<direction>M|B|In|Out|P)\s+
    (?:ifindex\s+(?P<ifindex>\d{1,10})\s+)?              # SLL2 again
    (?P<mac>[0-9a-f]{2}(?::[0-9a-f]{2}){5})\s+
    ethertype\s+IPv4\s+\(0x0800\),\s+
    length\s+(?P<length>\d{1,5}):\s+
    (?P<source>[\d.]+)\s+>\s+(?P<destination>[\d.]+):\s+
    VRRPv2,\s+Advertisement,\s+
    vrid\s+(?P<vrid>\d{1,3}),\s+prio\s+(?P<prio>\d{1,3}),\s+
    authtype\s+none,\s+intvl\s+(?P<interval>\d{1,3})s,\s+length\s+36
    (?:,\s+addrs.*)?\s*$
    """,
    re.VERBOSE | re.ASCII,
)
_SENT = re.compile(r"\s(?P<source>\d[\d.]*)\s+>\s+[\d.]+:\s", re.ASCII)

_COOKED_BYTES = {"SLL": 72, "SLL2": 76}

GUIDE_SAMPLE = (
    "18:15:53.000605 M 00:00:5e:00:00:5f ethertype IPv4 (0x0800), length 72: "
    "192.168.70.1 > 224.0.0.18: VRRPv2, Advertisement, vrid 94, prio 0, authtype none, "
    "intvl 1s, length 36"
)
"""The guide's example output, first line (failover guide, "Troubleshooting")."""

GUIDE_SAMPLE_ERRATUM = (
    "the guide's sample shows source MAC 00:00:5e:00:00:5f with vrid 94; 94 is 0x5e, and ucarp "
    "sends 00:00:5e:00:00:5e, so the last byte is judged against the VHID, not the sample"
)


@dataclass(frozen=True)
class AdvertisementLine:
    """One advertisement as tcpdump prints it; `form` is SLL or SLL2.

    `at_s`: when it was captured, in seconds since that day's midnight.
    """

    at_s: float
    form: str
    direction: str
    mac: str
    length: int
    source: str
    destination: str
    vrid: int
    prio: int
    interval_s: int

    @property
    def mac_fits_vrid(self) -> bool:
        """Whether the source MAC is the one that ucarp derives from the VHID."""
        return self.mac == f"00:00:5e:00:00:{self.vrid:02x}"


def parse_line(line: str) -> AdvertisementLine | None:
    """Read one line of tcpdump's output; None when it is not an advertisement in either form."""
    match = _LINE.match(line.strip())
    if match is None:
        return None
    form = "SLL2" if match["ifindex"] else "SLL"
    if int(match["length"]) != _COOKED_BYTES[form] or bool(match["interface"]) != (form == "SLL2"):
        return None
    hours, minutes, seconds = match["time"].split(":")
    return AdvertisementLine(
        at_s=3600 * int(hours) + 60 * int(minutes) + float(seconds),
        form=form,
        direction=match["direction"],
        mac=match["mac"],
        length=int(match["length"]),
        source=match["source"],
        destination=match["destination"],
        vrid=int(match["vrid"]),
        prio=int(match["prio"]),
        interval_s=int(match["interval"]),
    )


def advertisement_lines(output: str) -> list[AdvertisementLine]:
    """Every advertisement in a tcpdump's whole output; other lines are passed over."""
    parsed = (parse_line(line) for line in output.splitlines())
    return [line for line in parsed if line is not None]


def senders_of_other_lines(output: str) -> list[str]:
    """Return the IPv4 source of each line that is no advertisement in either form.

    What stands behind the last line end is left out: tcpdump was stopped while it printed that.
    """
    whole, _, _ = output.rpartition("\n")
    others = (_SENT.search(line) for line in whole.splitlines() if parse_line(line) is None)
    return [match["source"] for match in others if match]
