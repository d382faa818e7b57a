"""Frames of one lab with their numbers, as Wireshark counts them, so that a mark can name its own.

A capture is read once, and of its frames only those are kept that are asked for: about a pair's
heartbeat, ARP and virtual IP, or about OpenVPN. One whose tail is damaged gives what stands before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from checks.failover.recorded import concerns
from checks.multi_node.guide import PORT
from evidence.capture import Capture, Frame, without_duplicates
from evidence.errors import BadEvidence
from evidence.history import Recording
from evidence.packets import parse
from evidence.scenario import Evidence


@dataclass(frozen=True)
class Numbered:
    """The frames of a capture that are kept, each once, and their numbers in the file."""

    place: str
    frames: tuple[Frame, ...]
    numbers: dict[tuple[int, str], int] = field(repr=False)

    def number(self, at_ns: int, port: str) -> int | None:
        """Return which frame of the file came in at a port at a moment."""
        return self.numbers.get((at_ns, port))

    def only(self, at_ns: int) -> int | None:
        """Return which frame came in at a moment; None where not just one did."""
        found = self._at.get(at_ns, ())
        return found[0] if len(found) == 1 else None

    @cached_property
    def _at(self) -> dict[int, list[int]]:
        at: dict[int, list[int]] = {}
        for (at_ns, _), number in self.numbers.items():
            at.setdefault(at_ns, []).append(number)
        return at


def about(virtual_ips: Collection[str]) -> Callable[[bytes], bool]:
    """Return what tells whether a frame is about the pairs with these virtual IPs."""
    addresses = [bytes(map(int, one.split("."))) for one in virtual_ips]
    return lambda data: any(concerns(data, address) for address in addresses)


def about_openvpn(data: bytes) -> bool:
    """Whether a frame is from or to OpenVPN's port."""
    packet = parse(data)
    return packet is not None and PORT in (packet.source_port, packet.target_port)


def numbered(path: Path, place: str, wanted: Callable[[bytes], bool]) -> Numbered:
    """Read a capture; what cannot be read of it is left out (integrity tells of that)."""
    numbers: dict[tuple[int, str], int] = {}

    def kept() -> Iterator[Frame]:
        for number, frame in enumerate(Capture(path), start=1):
            if wanted(frame.data):
                numbers.setdefault((frame.at_ns, frame.interface), number)
                yield frame

    frames: list[Frame] = []
    try:
        for frame in without_duplicates(kept()):
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
        self.numbered = capture

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that were kept, of the scenario's window."""
        for frame in self.numbered.frames:
            if self.window.holds(frame.at_ns):
                yield frame
