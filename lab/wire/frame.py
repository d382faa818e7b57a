"""What a subscriber of the wire gets: a frame, with where and when it came in, and its fate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """One frame as the wire saw it.

    `at_ns` is the kernel's receive time (ns since 1970, the wire's clock), `port` and `segment`
    where it came in (or, for a subscription by `to_ports`, where it went out), `verdict` what
    the wire did with it: "forwarded", or the comment that its recording carries. `generation`
    counts the runs of a lab that was frozen and thawed on this wire.
    """

    at_ns: int
    port: str
    segment: str
    raw: bytes
    verdict: str
    generation: int = 1
