"""What a directory of evidence says of one fault, provoked many times: takeovers, stage by stage.

Everything is measured as the checks do it (`checks.failover.pair`), and nothing is judged here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checks.failover.timeline import Fault, Stage, Timeline

from checks.failover import aftermath, takeovers
from checks.failover.pair import Recorded
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from evidence.errors import BadEvidence, EvidenceError
from evidence.events.run import RepetitionBroken, RepetitionsBegan
from evidence.events.takeover import FaultInjected
from evidence.history import FILE_NAME, read_history
from evidence.scenario import Evidence

SOURCE = "bench"


@dataclass(frozen=True)
class Series:
    """One fault's repetitions.

    `wanted` were asked for, `provoked` begun. `timelines` are of those after which the peer took
    over; `limits` go by stage, the widest of all repetitions. `notes` say what is not as it should
    be.
    """

    fault: str
    wanted: int
    provoked: int
    timelines: tuple[Timeline, ...]
    takeovers: int
    limits: Mapping[Stage, Budget]
    notes: tuple[str, ...]


def read_series(directory: Path) -> list[Series]:
    """Read every fault that the benchmark provoked into `directory`, in the order it did.

    Raises BadEvidence when there is no history, or none of this benchmark in it.
    """
    begun = read_history(directory / FILE_NAME).of(RepetitionsBegan)
    if not begun:
        raise BadEvidence(
            f"{directory}: no takeover was measured there",
            hint="name the directory that `python -m bench takeover` called its evidence",
        )
    return [_series(directory, one) for one in begun]


def limit(stage: Stage, fault: str, engine: budgets.Engine) -> Budget | None:
    """Return what a stage may take after a fault, by the timers of who takes over, or the guide.

    None where nothing follows from either: a stop command has a length of its own, and the guide
    speaks of crashes.
    """
    clean = fault == takeovers.CLEAN_STOP
    if stage is Stage.SILENCE and clean:
        stop = engine.clean_stop_to_takeover()
        return Budget(0.0, stop.maximum_s, stop.formula, stop.source)
    if stage is Stage.SILENCE:
        return engine.last_advert_to_takeover()
    if clean and stage is not Stage.ANNOUNCED:
        return None
    if stage is Stage.TAKEOVER:
        return engine.fault_to_takeover()
    near = aftermath.ANNOUNCE_S
    return {
        Stage.ANNOUNCED: Budget(-near, near, "close to the first advertisement", "FO-26"),
        Stage.SERVICE: Budget(0, budgets.GUIDE_SERVICE_S, "the guide's 5 to 10 seconds", "FO-25"),
        Stage.TUNNEL: Budget(0, budgets.GUIDE_TUNNEL_UDP_S, "about a minute", "FO-39"),
    }[stage]


def _series(directory: Path, begun: RepetitionsBegan) -> Series:
    recorded = Recorded(Evidence(directory, begun.scenario))
    reading = _Reading(recorded, begun.fault, begun.times)
    try:
        reading.read()
    except EvidenceError as error:
        reading.problems[error.message] += 1
    return reading.series(tunnels=begun.tunnel)


class _Reading:
    """Goes through one fault's repetitions and gathers what becomes a Series."""

    def __init__(self, recorded: Recorded, fault: str, wanted: int) -> None:
        self.problems: Counter[str] = Counter()
        self._recorded = recorded
        self._fault = fault
        self._wanted = wanted
        self._provoked = 0
        self._takeovers = 0
        self._timelines: list[Timeline] = []
        self._limits: dict[Stage, Budget] = {}
        self._broken: list[str] = []

    def read(self) -> None:
        """Read all of it; raises EvidenceError for what leaves nothing to be measured."""
        for broken in self._recorded.evidence.events(RepetitionBroken):
            self._broken.append(
                f"broke off in repetition {broken.number} of {self._wanted}: {broken.reason}"
            )
        if self._broken and not self._recorded.evidence.events(FaultInjected):
            return
        for event, fault in self._recorded.faults():
            self._provoked += 1
            if event.expects_takeover:
                self._read_takeover(event, fault)
            else:
                self._read_calm(event, fault)

    def _read_takeover(self, event: FaultInjected, fault: Fault) -> None:
        peer = self._recorded.pair.peer_of(event.node)
        self._widen(peer.engine)
        try:
            timeline = self._recorded.timeline(fault)
        except EvidenceError as error:
            self.problems[error.message] += 1
            return
        if timeline.first is None:
            self.problems["no takeover while it was watched"] += 1
            return
        self._takeovers += 1
        self._timelines.append(timeline)

    def _read_calm(self, event: FaultInjected, fault: Fault) -> None:
        """Look for a takeover where none may come."""
        peer = self._recorded.pair.peer_of(event.node)
        early = fault.at.at_ns - fault.at.uncertainty_ns
        heard = self._recorded.heard_of_pair().between(early, fault.until_ns)
        if len(heard.of(peer.address)):
            self._takeovers += 1
            self.problems["the peer took over, which it must not after this fault"] += 1
        elif not len(heard):
            self.problems["nobody advertised any more"] += 1

    def _widen(self, engine: budgets.Engine) -> None:
        """Let each limit hold for this repetition's nodes, too: roles may have been swapped."""
        for stage in Stage:
            own = limit(stage, self._fault, engine)
            if own is not None:
                other = self._limits.get(stage, own)
                low, high = min(own.minimum_s, other.minimum_s), max(own.maximum_s, other.maximum_s)
                self._limits[stage] = Budget(low, high, own.formula, own.source)

    def series(self, *, tunnels: bool) -> Series:
        """Return what was gathered; `tunnels`: whether any was there to come back."""
        notes = [
            message if count == 1 else f"{count} times: {message}"
            for message, count in self.problems.items()
        ]
        for stage in Stage:
            seen = sum(timeline.span(stage) is not None for timeline in self._timelines)
            if seen < len(self._timelines) and (tunnels or stage is not Stage.TUNNEL):
                notes.append(f"{stage}: seen after {seen} of {len(self._timelines)} takeovers")
        return Series(
            self._fault,
            self._wanted,
            self._provoked,
            tuple(self._timelines),
            self._takeovers,
            self._limits,
            (*self._broken, *notes),
        )
