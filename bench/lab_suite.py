"""The wall time of the whole `pytest scenarios/`, cold and warm, and what of it nobody can save.

Cold: the image is there, nothing is frozen. Warm: the same again. How many repetitions a run makes
is its own default. A scenario that fails makes the figures worthless: LabError then.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from checks.capture import Capture
from checks.heartbeat import intervals_s, listen
from lab.errors import LabError

NOT_MEASURED: dict[str, object] = {
    "suite_cold_s": None,
    "suite_warm_s": None,
    "protocol_wait_s": None,
}
_ROOT = Path(__file__).parent.parent
_QUIET_S = 1.5  # a heartbeat beats once a second: longer silence is a timer that runs down
_TAIL = 3000  # characters of a failed run's output that the error shows


def suite(image: str | None, accelerator: str | None) -> dict[str, object]:
    """Run the scenarios twice and return the seconds of each run, and the warm run's waiting."""
    options = [f"--image={image}"] if image else []
    options += [f"--accel={accelerator}"] if accelerator else []
    with tempfile.TemporaryDirectory(prefix="vpnproof-bench-") as folder:
        cold = _run(Path(folder, "cold"), options)
        warm = _run(Path(folder, "warm"), options)
        waited = protocol_wait_s(Path(folder, "warm", "wire"))
    return {
        "suite_cold_s": round(cold, 1),
        "suite_warm_s": round(warm, 1),
        "protocol_wait_s": round(waited, 1),
    }


def protocol_wait_s(wire: Path) -> float:
    """Return the seconds in which the heartbeats recorded in the directory `wire` were silent.

    That is the time in which a standby's timers run down before it takes over: it follows from the
    guide's configuration, and no faster lab would save it.
    """
    silences = 0.0
    for recording in sorted(wire.glob("*.pcapng")):
        heartbeat = listen((frame.at_ns, frame.data) for frame in Capture(recording))
        silences += sum(gap for gap in intervals_s(heartbeat.beats) if gap > _QUIET_S)
    return silences


def _run(evidence: Path, options: list[str]) -> float:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "scenarios/",
        "--lab=local",
        "-p",
        "no:cacheprovider",
    ]
    started = time.monotonic()
    done = subprocess.run(
        [*command, f"--evidence={evidence}", *options],
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise LabError(
            f"the scenarios failed:\n{done.stdout[-_TAIL:]}{done.stderr[-_TAIL:]}",
            hint="run `pytest scenarios/ --lab=local` until it passes, then measure",
        )
    return time.monotonic() - started
