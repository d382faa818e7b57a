"""Builds recordings of clients whose tunnels are watched through a takeover."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.checks.failover.recording import (
    CLIENT,
    CLIENT_MAC,
    MAC,
    VIRTUAL_IP,
    Run,
    stamp,
    takeover,
)
from tests.checks.protocols import encoder


def tunnels(
    directory: Path,
    *backs: float | None,
    protocol: str = "udp",
    client: str = "outside",
    fault: str = "power-off",
) -> Run:
    """Watch one client for each of `backs`, the second of its first packet after the takeover."""
    run = takeover(directory, fault=fault).without("fault.watched")
    run.seconds = 400
    run.beats("secondary", 40.2, 400, counter=2000)
    for number, back in enumerate(backs):
        run.event(5, "tunnel.watched", f"client-{number}", client=client, protocol=protocol)
        if back is not None:
            for at in (back, back + 5):
                carried(run, at, f"client-{number}", client=client, protocol=protocol)
                served(run, at - 0.001, "secondary")
    return run


def carried(
    run: Run, at: float, who: str = "client-0", uncertainty: float = 0, **data: object
) -> None:
    fields = {"client": "outside", "protocol": "udp", "sent_ns": stamp(at - 0.002), **data}
    run.event(at, "tunnel.carried", who, uncertainty, **fields)


def served(run: Run, at: float, node: str) -> None:
    """Let a node send a datagram of OpenVPN from the virtual IP."""
    datagram = struct.pack("!HHHH", 1194, 40000, 8 + 16, 0) + bytes(16)
    packet = encoder.ipv4(datagram, VIRTUAL_IP, CLIENT, protocol=17)
    macs = encoder.octets(CLIENT_MAC) + encoder.octets(MAC[node])
    run.frame(at, f"{node}/wire0", macs + b"\x08\x00" + packet)


def interrupted_again(directory: Path, *lines: float) -> Run:
    """Let a client be back after 9.7 s, drop out again, and be seen at these seconds."""
    run = tunnels(directory, 20)
    for at in lines:
        carried(run, at)
        served(run, at - 0.001, "secondary")
    return run
