"""Builds recordings of clients whose tunnels are watched through a takeover."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.checks.failover.recording import (
    CLIENT,
    CLIENT_MAC,
    MAC,
    NS,
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
    """Watch one client for each of `backs`, the second of its first packet after the takeover.

    Each is looked at for 5 s after that.
    """
    run = takeover(directory, fault=fault).without("fault.watched")
    run.seconds = 400
    run.beats("secondary", 40.2, 400, counter=2000)
    for number, back in enumerate(backs):
        run.event(5, "tunnel.watched", f"client-{number}", client=client, protocol=protocol)
        if back is not None:
            told = {"client": client, "protocol": protocol}
            carried(run, back, f"client-{number}", silent=max(0.5, back - 10.3), **told)
            carried(run, back + 5, f"client-{number}", looked=back + 5.4, **told)
            for at in (back, back + 5):
                served(run, at - 0.001, "secondary")
    return run


def carried(
    run: Run,
    at: float,
    who: str = "client-0",
    uncertainty: float = 0,
    *,
    silent: float | None = None,
    looked: float | None = None,
    **data: object,
) -> None:
    """Let a packet come back to a client: after a silence of so many s, or looked at until then."""
    fields: dict[str, object] = {"client": "outside", "protocol": "udp"}
    fields |= {"sent_ns": stamp(at - 0.002), **data}
    fields |= {} if silent is None else {"silent_ns": round(silent * NS)}
    fields |= {} if looked is None else {"looked_until_ns": stamp(looked)}
    run.event(at, "tunnel.carried", who, uncertainty, **fields)


def served(run: Run, at: float, node: str) -> None:
    """Let a node send a datagram of OpenVPN from the virtual IP."""
    datagram = struct.pack("!HHHH", 1194, 40000, 8 + 16, 0) + bytes(16)
    packet = encoder.ipv4(datagram, VIRTUAL_IP, CLIENT, protocol=17)
    macs = encoder.octets(CLIENT_MAC) + encoder.octets(MAC[node])
    run.frame(at, f"{node}/wire0", macs + b"\x08\x00" + packet)


def interrupted_again(directory: Path, *lines: float, silent: float = 2.5) -> Run:
    """Let a client be back after 9.7 s, and be interrupted once more before each of these seconds.

    It is looked at until 5.4 s after the last of them.
    """
    run = tunnels(directory, 20).without("tunnel.carried")
    carried(run, 20, silent=9.7)
    for at in lines:
        carried(run, at, silent=silent)
    end = max((20.0, *lines)) + 5
    carried(run, end, looked=end + 0.4)
    for at in (*lines, end):
        served(run, at - 0.001, "secondary")
    return run


def as_once(run: Run) -> Run:
    """Leave out what older runs do not tell: how long a silence was, until when they looked."""
    for event in run.events:
        for name in ("silent_ns", "looked_until_ns"):
            event[3].pop(name, None)
    return run
