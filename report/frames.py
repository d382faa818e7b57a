"""Frames of one lab with their numbers, as Wireshark counts them, so that a mark can name its own.

A capture is read once for all scenarios of its lab; of its frames only those about the heartbeat,
ARP and the virtual IP are kept. One whose tail is damaged gives what stands before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from checks.failover.recorded import concerns
from evidence.capture import Capture, Frame, without_duplicates
from evidence.errors import BadEvidence
from evidence.history import Recording
from evidence.scenario import Evidence


@dataclass(frozen=True)
class Numbered:
    """The frames of a capture that are about a pair, each once, and their numbers in the file."""

    place: str
    frames: tuple[Frame, ...]
    numbers: dict[tuple[int, str], int] = field(repr=False)

    def number(self, at_ns: int, port: str) -> int | None:
        """Return which frame of the file came in at a port at a moment."""
        return self.numbers.get((at_ns, port))


def numbered(path: Path, place: str, virtual_ips: Collection[str]) -> Numbered:
    """Read a capture; what cannot be read of it is left out (integrity tells of that)."""
    addresses = [bytes(map(int, one.split("."))) for one in virtual_ips]
    numbers: dict[tuple[int, str], int] = {}

    def about_pairs() -> Iterator[Frame]:
        for number, frame in enumerate(Capture(path), start=1):
            if any(concerns(frame.data, address) for address in addresses):
                numbers.setdefault((frame.at_ns, frame.interface), number)
                yield frame

    frames: list[Frame] = []
    try:
        for frame in without_duplicates(about_pairs()):
            frames.append(frame)
    except BadEvidence:
        pass  # what stood before it is kept
    return Numbered(place, tuple(frames), numbers)


class OfLab(Evidence):
    """The evidence of an attempt whose lab's capture is in memory already."""

    def __init__(
        self,
        directory: Path,
        scenario: str,
        requirement: str,
        history: Recording,
        attempt: int,
        capture: Numbered,
    ) -> None:
        super().__init__(directory, scenario, requirement, history, attempt)
        self._numbered = capture

    def frames(self) -> Iterator[Frame]:
        """Yield the frames about the pair in the scenario's window."""
        for frame in self._numbered.frames:
            if self.window.holds(frame.at_ns):
                yield frame
