"""A tiny suite over two hosts, in a checkout of its own.

The suite has no machines; all else is as it is: the hosts are SSH servers of this process, and the
workers are started there by OpenSSH's client and execnet.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evidence.event import Event
from evidence.parts import read_histories
from tests.hosts.playing import PROJECT, Stage, played

TINY = Path(__file__).parent / "tiny"
SETUP = """#!/bin/sh
host=$(basename "$(cd ../.. && pwd)")
lacks=$TINY_PLAY/$host-lacks
if [ "$1" = --missing ]; then cat "$lacks" 2>/dev/null; exit 0; fi
mkdir -p .venv/bin
printf '#!/bin/sh\\nexec {python} "$@"\\n' > .venv/bin/python
chmod +x .venv/bin/python
if [ -e "$lacks" ]; then
printf '#!/bin/sh\\necho QEMU 7.2.22\\n' > ../../../of-$host/programs/qemu-system-x86_64; fi
"""
"""What a host lacks, a file of the play says; with it comes a QEMU."""


@dataclass
class Tiny:
    """The suite in a checkout of its own, and the hosts that it runs on."""

    stage: Stage
    root: Path
    play: Path

    @contextmanager
    def started(self, *options: str, **more: str) -> Iterator[subprocess.Popen[str]]:
        """Give a run that goes on; one that does not end in time says where it stands."""
        with self._start(*options, **more) as process:
            try:
                yield process
            except BaseException:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGABRT)  # faulthandler tells of each thread
                    sys.stderr.write(process.communicate()[0])
                raise

    def _start(self, *options: str, **more: str) -> subprocess.Popen[str]:
        file = self.stage.file(**{"head": "labs = 1", **more})
        command = [sys.executable, "-X", "faulthandler", "-m", "pytest"]
        command += ["-p", "no:cacheprovider", "-p", "no:faulthandler"]
        command += [f"--lab={file}", f"--evidence={self.run}", *(options or ("test_tiny.py",))]
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTEST_ADDOPTS": ""},  # all plugins
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def carried_out(self, *options: str, **more: str) -> tuple[int, str]:
        with self.started(*options, **more) as process:
            said, _ = process.communicate(timeout=300)
        return process.returncode, said

    @property
    def run(self) -> Path:
        return self.stage.folder / "run"

    def wants(self, name: str, what: str) -> None:
        (self.play / name).write_text(what)

    def own(self, kind: type[Event]) -> list[Event]:
        return list(read_histories(self.run).own.of(kind))

    def where(self, name: str) -> list[str]:
        return [
            h.name for h in self.stage.hosts.values() if (h.directory / "marks" / name).exists()
        ]

    def until(self, so: Callable[[], bool], seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < end
            time.sleep(0.05)


@contextmanager
def tiny_suite() -> Iterator[Tiny]:
    """Give the suite, and two hosts that are up."""
    with played("one", "two") as stage:
        root, play = stage.folder / "tiny", stage.folder / "play"
        play.mkdir()
        shutil.copytree(TINY, root, ignore=shutil.ignore_patterns("__pycache__"))
        (root / ".gitignore").write_text("__pycache__\n.venv\n")
        (root / "lab").mkdir()
        (root / "lab" / "setup").write_text(SETUP.format(python=sys.executable))
        (root / "lab" / "setup").chmod(0o755)
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        for host in stage.hosts.values():
            host.program("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            host.server.environment["TINY_PLAY"] = str(play)
        yield Tiny(stage, root, play)


def outcome(said: str) -> set[str]:
    """Return the parts of pytest's last line, warnings with it: there are to be none."""
    counted = said.strip().splitlines()[-1].strip("= ").rpartition(" in ")[0]
    return set(counted.split(", "))


def pids(tiny: Tiny, host: str) -> set[int]:
    marks = tiny.stage.hosts[host].directory / "marks"
    return {int(path.read_text()) for path in marks.iterdir()}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
