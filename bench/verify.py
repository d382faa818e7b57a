"""What judging a run again costs: processor time by the number of verdicts, memory by the capture.

The runs are made up here, and judged as by `python -m checks verify`, in a process of its own.

- Marks: a history with so many scenarios that were judged, and one with half as many, less what one
  scenario costs. Where each is looked at once, the ratio is 2; where every verdict reads all, 4.
- Capture: so many MiB of frames with a heartbeat among them, judged for FO-16 and FO-19. What
  counts is the peak of memory, whatever the size.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.events.pair import (
    NodeConfigured,
    PairConfigured,
    SteadyBegan,
    SteadyEnded,
    UcarpTimers,
)
from evidence.events.run import Judged, ScenarioEnded, ScenarioStarted
from evidence.events.setup import InitBatch
from evidence.history import History
from evidence.mark import ALIVE, BEGIN, END, EVERY_NS, Mark, mark_block, opening
from evidence.moment import NS
from evidence.pcapng import interface_block, packet_block
from evidence.run import RunDirectory
from evidence.secret import Secrets
from lab.errors import LabError
from scenarios.failover.adverts import Advertiser

summary = "time and memory of judging a run again"

_PRIMARY = Advertiser("192.168.70.1", "192.168.70.222", 94, "made up")
_SECONDARY = "192.168.70.2"
_BEGAN_NS = 1_700_000_000 * NS
_FRAME = bytes(12) + b"\x08\x00\x45" + bytes(1385)
_STEADY_S = 600
# What wait4 tells of memory is at least what its parent has, so the process looks itself.
_JUDGE = """
import pathlib, sys
from checks.cli import main
status = main(["verify", sys.argv[1]])
print(pathlib.Path("/proc/self/status").read_text())
sys.exit(status)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how much is judged."""
    parser.add_argument("--marks", type=int, default=2000, help="verdicts in the history")
    parser.add_argument("--capture", type=int, default=256, metavar="MIB", help="of the capture")


def measure(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Return the figures: seconds of processor time, their ratio, MiB."""
    with tempfile.TemporaryDirectory(prefix="vpnproof-bench-", dir="/var/tmp") as folder:
        place = Path(folder)
        one, half, full = (
            _verified(_with_marks(place / str(count), count)).seconds
            for count in (1, arguments.marks // 2, arguments.marks)
        )
        nothing = _verified(_with_capture(place / "small", 1))
        large = _verified(_with_capture(place / "large", arguments.capture))
    return {
        "marks": arguments.marks,
        "seconds_of_one": one,
        "seconds_of_half": half,
        "seconds_of_all": full,
        "marks_ratio": (full - one) / (half - one),
        "capture_mib": arguments.capture,
        "capture_seconds": large.seconds,
        "peak_mib": large.peak_mib,
        "peak_of_1_mib": nothing.peak_mib,
    }


@dataclass(frozen=True)
class _Cost:
    seconds: float
    peak_mib: float


def _verified(run: Path) -> _Cost:
    """Judge a run in a process of its own; return what that cost. It has no verdicts: UNKNOWN."""
    told = run / "told"
    with told.open("w") as out:
        line = [sys.executable, "-c", _JUDGE, str(run)]
        started = subprocess.Popen(line, stdout=out, stderr=out)
        _, state, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(state)
    said = told.read_text()
    if started.returncode != 2 or "  PASS, " not in said or "  UNKNOWN" in said:
        raise LabError(f"a run that was made up was not judged as it should be: {said[-2000:]}")
    peak_kib = int(said.rpartition("VmHWM:")[2].split()[0])
    return _Cost(used.ru_utime + used.ru_stime, peak_kib / 1024)


def _configured(directory: Path) -> PairConfigured:
    nodes = {
        name: NodeConfigured(
            address=address, mac=mac, port=f"{name}/wire0", timers=UcarpTimers(advbase=1)
        )
        for name, address, mac in (
            ("primary", _PRIMARY.address, "02:00:00:00:00:01"),
            ("secondary", _SECONDARY, "02:00:00:00:00:02"),
        )
    }
    return PairConfigured(
        source="scenario",
        at_ns=_BEGAN_NS,
        virtual_ip=_PRIMARY.virtual_ip,
        vhid=_PRIMARY.vhid,
        engine="ucarp",
        nodes=nodes,
        password=Secrets(directory).refer("ucarp.password", _PRIMARY.password),
    )


def _with_marks(directory: Path, count: int) -> Path:
    directory.mkdir()
    configured = _configured(directory)
    for number in range(count):
        with History(RunDirectory(directory).history, f"scenario {number}") as history:
            history.record(ScenarioStarted(source="bench", lab="lab", requirements=("FO-04",)))
            history.record(configured)
            history.record(
                InitBatch(
                    source="secondary", stdin="closed", status=0, seconds=1, reads_stdin=False
                )
            )
            history.record(Judged(source="judge", requirement="FO-04"))
            history.record(ScenarioEnded(source="bench", events=history.recorded))
    return directory


def _with_capture(directory: Path, mib: int) -> Path:
    files = RunDirectory(directory)
    files.wire.mkdir(parents=True)
    with files.capture("lab").open("wb") as file:
        digest = hashlib.sha256()
        for piece in _pieces(mib << 20, digest):
            digest.update(piece)
            file.write(piece)
    until_ns = _BEGAN_NS + _STEADY_S * NS
    with History(files.history, "scenario") as history:
        requirements = ("FO-16", "FO-19")
        started = ScenarioStarted(
            source="bench", at_ns=_BEGAN_NS, lab="lab", requirements=requirements
        )
        history.record(started)
        history.record(_configured(directory))
        history.record(SteadyBegan(source="s", at_ns=_BEGAN_NS + 2 * NS, active="primary"))
        history.record(SteadyEnded(source="s", at_ns=until_ns - 5 * NS, active="primary"))
        for requirement in requirements:
            history.record(Judged(source="judge", at_ns=until_ns - 2 * NS, requirement=requirement))
        history.record(ScenarioEnded(source="bench", at_ns=until_ns, events=history.recorded))
    return directory


def _pieces(size: int, digest: hashlib._Hash) -> Iterator[bytes]:
    """Yield a capture of so many octets, half a second at a time; each mark has its digest."""
    seconds = _STEADY_S + 2
    frames = max(1, size // (len(_FRAME) + 32) // (2 * seconds))
    begin_ns = _BEGAN_NS - NS
    yield opening()
    yield _mark(BEGIN, begin_ns, digest)
    yield b"".join(interface_block(f"{name}/wire0", "") for name in ("primary", "secondary"))
    for half in range(2 * seconds):
        at_ns = begin_ns + half * EVERY_NS
        blocks = [
            packet_block(2, at_ns + 2 + n * (EVERY_NS // (frames + 3)), b"%8d" % n + _FRAME)
            for n in range(frames)
        ]
        if half % 2:
            blocks.insert(0, packet_block(1, at_ns + 1, _PRIMARY.frame(1000 + half // 2)))
        yield b"".join(blocks)
        last = half == 2 * seconds - 1
        yield _mark(END if last else ALIVE, at_ns + EVERY_NS, digest)


def _mark(kind: str, at_ns: int, digest: hashlib._Hash) -> bytes:
    return mark_block(Mark(kind, at_ns, at_ns, 0, sha256=digest.hexdigest()), _BEGAN_NS - NS)
