"""A lab that comes, is used, and goes: `python -m scenarios.harness.visit IMAGE ACCELERATOR`.

A process of its own, so that it can be made without any privilege, in directories of its own. It
prints a line of JSON while the lab runs, waits for a line of input, and ends the lab.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.accelerator import choose
from lab.answers import understood
from lab.cache import cache_root
from lab.checkpoint import cold_start
from lab.errors import LabError
from lab.image import prepare
from lab.topology import read_topology
from lab.wire import processes_of
from scenarios.harness.machines import NAME, OTHER

PROJECT = Path(__file__).parents[2]
PRIVATE = ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")
_CAPABILITIES = re.compile(r"^CapEff:\s*([0-9a-f]+)$", re.MULTILINE)
_NO_PRIVILEGE = ("setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all", "--no-new-privs")
"""Root without its privileges, but for the one by which it maps itself into a user namespace: an
ordinary user may do that without (Linux 5.12)."""


@dataclass(frozen=True)
class Visitor:
    """Who made the lab that runs now: user, effective capabilities; and the lab's processes."""

    uid: int
    capabilities: int
    pids: tuple[int, ...]


def main(image: str, accelerator: str) -> None:
    """Make the lab, use it, tell of it, and end it."""
    topology = read_topology(NAME)
    with cold_start(topology, prepare(image), choose(accelerator)) as lab:
        for name, other in OTHER.items():
            lab[name].put("content", "/srv/file")
            lab[name].run(f"ping -c 1 -W 5 {topology.machine(other).ipv4}", check=False)
        lab.wire.flush()
        pids = [process.pid for process in processes_of(lab.directory)]
        own = _CAPABILITIES.search(Path("/proc/self/status").read_text())
        effective = int(own[1], 16) if own else -1
        told = {"uid": os.getuid(), "capabilities": effective, "pids": pids}
        print(json.dumps(told), flush=True)  # noqa: T201 - it is waited for
        sys.stdin.readline()


def make_private(place: Path) -> None:
    """Make the directories in `place` that a visitor takes for its own."""
    for name in PRIVATE:
        (place / name).mkdir(mode=0o700)


@contextmanager
def visiting(place: Path, image: str, accelerator: str) -> Iterator[Visitor]:
    """Let a lab run while the block does; its home, and what is temporary, are in `place`.

    `make_private` has made these.
    """
    command = [sys.executable, "-m", "scenarios.harness.visit", image, accelerator]
    if os.getuid() == 0:  # an ordinary user has none to give up
        command = [*_NO_PRIVILEGE, "--", *command]
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env=_private(place),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        line = process.stdout.readline()
        if not line:
            raise LabError(
                f"the lab of a process without privileges did not come up (it ended with "
                f"{process.wait()})",
                hint="what it said stands above",
            )
        with understood("the visitor", "that its lab runs"):
            told = json.loads(line)
            visitor = Visitor(told["uid"], told["capabilities"], tuple(told["pids"]))
        try:
            yield visitor
        finally:
            process.stdin.write("\n")
            process.stdin.close()
            process.wait(120)


def _private(place: Path) -> Mapping[str, str]:
    """Return an environment whose home, temporary and runtime directories are in `place`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    kept["VPNPROOF_CACHE"] = str(cache_root().absolute())  # the lab's own stays
    return kept | {name: str(place / name) for name in PRIVATE}


if __name__ == "__main__":
    main(*sys.argv[1:])
