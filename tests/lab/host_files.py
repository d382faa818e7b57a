"""A /proc made of files: processes, their threads, and for how long each was kept from running."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path


class HostFiles:
    """A host that counts run delays and tells its pressure, with no process yet."""

    def __init__(self, folder: Path) -> None:
        self.proc = folder / "proc"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "self" / "schedstat").write_text("1200 300 4\n")
        (self.proc / "pressure").mkdir()
        self.pressure(0)

    def process(self, pid: int, delays_ns: Mapping[int, int]) -> None:
        """Let a process have these threads, with these run delays so far."""
        for thread, delay in delays_ns.items():
            place = self.proc / str(pid) / "task" / str(thread)
            place.mkdir(parents=True, exist_ok=True)
            (place / "schedstat").write_text(f"123456 {delay} 78\n")

    def end(self, pid: int) -> None:
        """Let a process be gone."""
        shutil.rmtree(self.proc / str(pid))

    def pressure(self, some_us: int) -> None:
        """Let somebody have waited for a processor for so long since the host started."""
        (self.proc / "pressure" / "cpu").write_text(
            f"some avg10=1.00 avg60=2.00 avg300=3.00 total={some_us}\n"
            "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
        )
