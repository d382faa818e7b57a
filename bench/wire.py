"""The wire's added latency, its rate, and whether every frame is recorded exactly once.

A process of its own makes the traffic, so that it shares nothing with the wire but the machine:

- Latency: one frame at a time, every few hundred microseconds, from one NIC's socket to another's
  through the wire; in turns, the same datagram straight from socket to socket, and by a relay
  that only passes on (`wire_relay.py`): the floor. Added latency is a frame's time through the
  wire, or by the relay, less the median of the direct ones. The
  receiver polls and the sender spins between frames, so what is seen is the wire: its wake-up,
  forwarding, and the kernel's part. Other load on the machine shows, in p99 first.
- Rate: frames are kept in flight, a window at most, so nothing is dropped and the wire is what
  limits. Counted at the receiving NIC.
- Flood: frames are sent as fast as the wire takes them, to a NIC that takes none. What does not
  fit in its queue is dropped by the wire and counted; memory must not grow.

Each frame has a number. Afterwards the capture must hold every number once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from bench.wire_traffic import NUMBER, NUMBER_AT, Sent
from evidence.capture import Capture
from lab.errors import LabError
from lab.wire import Port, Wire

summary = "latency and rate of the wire"

_TRAFFIC_WITHIN = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how much is measured."""
    parser.add_argument("--pings", type=int, default=4000, help="frames for the latency")
    parser.add_argument("--frames", type=int, default=200_000, help="frames for the rate")
    parser.add_argument("--flood", type=int, default=200_000, help="frames of the flood")


def measure(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Return the figures: microseconds, frames a second, yes or no, MiB."""
    with tempfile.TemporaryDirectory(prefix="vpnproof-bench-") as folder:
        directory = Path(folder)
        capture = directory / "wire.pcapng"
        nics = [Port(f"bench/nic{number}", "bench") for number in range(2)]
        with Wire.start(directory, nics, capture=capture) as wire:
            sent = _traffic(directory, nics, arguments)
            wire.flush()
            unsent = sum(port["unsent"] for port in wire.counters()["ports"].values())
            peak_rss = _peak_rss_mib(wire.pid)
        return _figures(sent) | {
            "recorded_exactly_once": _recorded_once(capture, sent),
            "peak_rss_mib": peak_rss,
            "flood_sent": sent.flood[1] - sent.flood[0],
            "flood_dropped_at_the_receiver": unsent,
        }


def _traffic(directory: Path, nics: list[Port], arguments: argparse.Namespace) -> Sent:
    amounts = {name: getattr(arguments, name) for name in ("pings", "frames", "flood")}
    ports = [port.name for port in nics]
    task = json.dumps({"directory": str(directory), "ports": ports, **amounts})
    done = subprocess.run(
        [sys.executable, "-m", "bench.wire_traffic"],
        input=task,
        capture_output=True,
        text=True,
        timeout=_TRAFFIC_WITHIN,
    )
    if done.returncode:
        raise LabError(f"the traffic failed:\n{done.stderr}", hint="run it alone, with less load")
    return Sent(**json.loads(done.stdout))


def _figures(sent: Sent) -> dict[str, object]:
    direct = statistics.median(sent.direct_ns)
    added = [(through - direct) / 1000 for through in sent.through_ns]
    floor = [(relayed - direct) / 1000 for relayed in sent.relayed_ns]
    return {
        "latency_p50_us": round(statistics.median(added), 1),
        "latency_p99_us": _p99(added),
        "floor_p50_us": round(statistics.median(floor), 1),
        "floor_p99_us": _p99(floor),
        "over_floor": round(statistics.median(added) / statistics.median(floor), 2),
        "frames_per_second": round(sent.frames / sent.frames_seconds),
        "direct_p50_us": round(direct / 1000, 1),
    }


def _p99(times: list[float]) -> float:
    return round(statistics.quantiles(times, n=100)[98], 1)


def _recorded_once(capture: Path, sent: Sent) -> bool:
    counts = Counter(NUMBER.unpack_from(frame.data, NUMBER_AT)[0] for frame in Capture(capture))
    return all(counts[number] == 1 for number in range(sent.flood[1]))


def _peak_rss_mib(pid: int) -> float:
    for line in Path("/proc", str(pid), "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise LabError(f"no VmHWM of process {pid}", hint="the wire ended during the benchmark")
