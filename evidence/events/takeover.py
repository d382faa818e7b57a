"""Events around a takeover: the fault, and what machines, services and clients made of it.

Names of faults that checks tell apart: "service-stop" (FO-27) and "service-restart" (FO-30). Every
other one is a crash of some kind (FO-24): "power-off", "guest-crash", "kill-ucarp", "pause",
"link-cut", "carrier-loss" and so on.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from evidence.event import Count, Event, Mac, Name, Port
from evidence.events.run import ClockOffset


class FaultInjected(Event):
    """Something was done to the node `node`.

    hits: frames that a wire rule dropped, where the fault is one. expects_takeover: false where
    none may come (FO-20, 24 to 28, 30, 31, 47, 49).
    """

    kind: Literal["fault.injected"] = "fault.injected"
    fault: Name
    node: Name
    hits: Count | None = None
    expects_takeover: bool = True


class FaultWatched(Event):
    """What the fault did was watched long enough; from now on it is repaired."""

    kind: Literal["fault.watched"] = "fault.watched"
    node: Name


class ServiceStopped(Event):
    """The stop command of the node `source` had ended (FO-27)."""

    kind: Literal["service.stopped"] = "service.stopped"


class AddressesHeld(Event):
    """Every address that the node `source` held; one that is up holds some.

    What was read right before `at_ns`. Who has the virtual IP among them claims it (FO-10, 11, 27
    to 29, and whatever speaks of one holder).
    """

    kind: Literal["addresses.held"] = "addresses.held"
    held: tuple[Name, ...] = Field(min_length=1)


class NodeReturned(Event):
    """The service of a node that had failed, or was rebooted, is up again (FO-28, 29, 47)."""

    kind: Literal["node.returned"] = "node.returned"
    node: Name


class RebootLoopBegan(Event):
    """The standby is rebooted, again and again (FO-29)."""

    kind: Literal["reboot.loop.began"] = "reboot.loop.began"
    node: Name


class RebootLoopEnded(Event):
    """It was, so many times."""

    kind: Literal["reboot.loop.ended"] = "reboot.loop.ended"
    node: Name
    cycles: Count


class FailbacksPlanned(Event):
    """The active secondary is going to be restarted, so many times (FO-30).

    Of older runs, which restarted it several times in one scenario; now each is one of its own.
    """

    kind: Literal["failbacks.planned"] = "failbacks.planned"
    times: int = Field(ge=1)


class GuestCaptured(Event):
    """A pcap of Ethernet frames, made inside the machine `source`; path below the run's directory.

    clock: by which its time stamps are converted. from_ns, until_ns: when it listened (wire's
    clock), so that a frame it does not hold was not there (FO-24).
    """

    kind: Literal["guest.captured"] = "guest.captured"
    path: Name
    clock: ClockOffset
    from_ns: Count
    until_ns: Count


class ServiceProbed(Event):
    """A service was asked for at `address`: at the moment of the answer, or else of asking.

    mac: of who answered, where the frame that did was seen. After a fault, every service that was
    asked for has to answer (FO-12 to 14, 25). Around a fault a service is asked for until the
    fault's watch ends, but recorded only: the last answer before it, the first question after it,
    each change of who answers (or that nobody does), and the last question.
    """

    kind: Literal["service.probed"] = "service.probed"
    address: Name
    protocol: Literal["tcp", "udp"]
    port: Port
    answered: bool
    mac: Mac | None = None


class TunnelWatched(Event):
    """The tunnel of the client `source` carries traffic, and is watched from now (FO-39, 49).

    client: "inside" or "outside" of the gateway.
    """

    kind: Literal["tunnel.watched"] = "tunnel.watched"
    client: Name
    protocol: Literal["tcp", "udp"]


class TunnelCarried(Event):
    """The tunnel of the client `source` carried traffic (FO-39, 49).

    Recorded for the first packet after each interruption, and the last one that was seen before
    the watching ended.

    sent_ns: when the packet that came back had been sent; never before the fault, if it is to
    show that the client is back. silent_ns: of one that ends an interruption, for how long none had
    come back, since the fault at most. looked_until_ns: of the last one, until when (wire's clock)
    it was looked whether more come. Older runs have neither, and of interruptions the first alone.
    """

    kind: Literal["tunnel.carried"] = "tunnel.carried"
    client: Name
    protocol: Literal["tcp", "udp"]
    sent_ns: Count | None = None
    silent_ns: Count | None = None
    looked_until_ns: Count | None = None


class NeighbourSeen(Event):
    """The MAC for `address` in the neighbour table of the client `source` (FO-26).

    Recorded for every client that is asked; mac is None where the table has none for it.
    """

    kind: Literal["neighbour.seen"] = "neighbour.seen"
    address: Name
    mac: Mac | None


class LogLine(Event):
    """A line of a log of the node `source`, at its own time; `file` is a base name (FO-11, 31)."""

    kind: Literal["log.line"] = "log.line"
    file: Name
    text: str
