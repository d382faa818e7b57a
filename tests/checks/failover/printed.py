"""What the guide's tcpdump command prints, made up for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from checks.protocols import tcpdump
from tests.checks.failover.recording import ADDRESS, Run

EVERY_SECOND = tuple(range(7))


def lines(*seconds: float, start: str = "18:15:53", **changes: tuple[str, str]) -> str:
    """Print the guide's line at so many seconds after `start`."""
    text = tcpdump.GUIDE_SAMPLE.replace("00:5f", "00:5e")
    text = text.replace("192.168.70.1 ", f"{ADDRESS['primary']} ")
    for old, new in changes.values():
        text = text.replace(old, new)
    begun = datetime.strptime(start, "%H:%M:%S")
    stamps = [begun + timedelta(seconds=second) for second in seconds or EVERY_SECOND]
    return "\n".join(text.replace("18:15:53.000605", f"{at:%H:%M:%S.%f}") for at in stamps)


def printed(directory: Path, text: str, *, stopped: bool = True, seconds: int = 8) -> Run:
    """Let tcpdump print this on the secondary."""
    run = Run(directory, 10)
    data = {"text": text, "seconds": seconds, "service_stopped": stopped}
    run.event(5, "tcpdump.printed", "secondary", **data)
    return run
