"""What a directory of evidence says of one fault, provoked many times: takeovers, stage by stage.

Everything is measured as the checks do it (`checks.failover.takeover`), and nothing is judged here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checks.engine.in_time import Span
from checks.failover.recorded import Recorded, WatchedFault
from checks.failover.stages import Stage, span
from checks.failover.takeover import CLEAN_STOP, Takeover, measure
from checks.protocols import budgets
from checks.protocols.budgets import Budget
from evidence.errors import BadEvidence, EvidenceError
from evidence.events.run import RepetitionBroken, RepetitionsBegan
from evidence.events.takeover import FaultInjected, TunnelCarried
from evidence.history import FILE_NAME, read_history
from evidence.scenario import Evidence

SOURCE = "bench"


@dataclass(frozen=True)
class Series:
    """One fault's repetitions.

    `wanted` were asked for, `provoked` begun. `seconds` are those of each stage of the takeovers
    that came; `limits` go by stage, the widest of all repetitions. `notes` say what is not as it
    should be.
    """

    fault: str
    wanted: int
    provoked: int
    takeovers: int
    seconds: Mapping[Stage, Sequence[float]]
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
    clean = fault == CLEAN_STOP
    if stage is Stage.SILENCE and clean:
        stop = engine.clean_stop_to_takeover()
        return Budget(0.0, stop.maximum_s, stop.formula, stop.source)
    if stage is Stage.SILENCE:
        return engine.last_advert_to_takeover()
    if clean and stage is not Stage.ANNOUNCED:
        return None
    if stage is Stage.TAKEOVER:
        return engine.fault_to_takeover()
    within_s = engine.announced_within_s
    return {
        Stage.ANNOUNCED: Budget(-within_s, within_s, "close to the first advertisement", "FO-26"),
        Stage.SERVICE: Budget(0, budgets.GUIDE_SERVICE_S, "the guide's 5 to 10 seconds", "FO-25"),
        Stage.TUNNEL: Budget(0, budgets.GUIDE_TUNNEL_UDP_S, "about a minute", "FO-39"),
    }[stage]


def _series(directory: Path, begun: RepetitionsBegan) -> Series:
    reading = _Reading(Recorded(Evidence(directory, begun.scenario)), begun)
    try:
        reading.read()
    except EvidenceError as error:
        reading.problems[error.message] += 1
    return reading.series()


class _Reading:
    """Goes through one fault's repetitions and gathers what becomes a Series."""

    def __init__(self, recorded: Recorded, begun: RepetitionsBegan) -> None:
        self.problems: Counter[str] = Counter()
        self._recorded = recorded
        self._begun = begun
        self._provoked = 0
        self._takeovers = 0
        self._measured = 0
        self._seconds: defaultdict[Stage, list[float]] = defaultdict(list)
        self._limits: dict[Stage, Budget] = {}
        self._broken: list[str] = []

    def read(self) -> None:
        """Read all of it; raises EvidenceError for what leaves nothing to be measured."""
        evidence = self._recorded.evidence
        for broken in evidence.events(RepetitionBroken):
            self._broken.append(
                f"broke off in repetition {broken.number} of {self._begun.times}: {broken.reason}"
            )
        if self._broken and not evidence.events(FaultInjected):
            return
        evidence.need(FaultInjected)
        for fault in self._recorded.faults():
            self._provoked += 1
            if fault.event.expects_takeover:
                self._read_takeover(fault)
            else:
                self._read_calm(fault)

    def _read_takeover(self, fault: WatchedFault) -> None:
        self._widen(self._recorded.pair.peer_of(fault.victim.name).engine)
        try:
            takeover = measure(self._recorded, fault)
        except EvidenceError as error:
            self.problems[error.message] += 1
            return
        if not takeover.happened:
            self.problems["no takeover while it was watched"] += 1
            return
        self._takeovers += 1
        self._measured += 1
        for stage in Stage:
            one = self._back(takeover) if stage is Stage.TUNNEL else span(takeover, stage)
            if one is not None:
                self._seconds[stage].append(one.seconds)

    def _back(self, takeover: Takeover) -> Span | None:
        """Measure when the client was back: with what was sent after the peer had taken over."""
        carried = (
            one.moment
            for one in self._recorded.evidence.events(TunnelCarried)
            if takeover.first is not None
            and one.at_ns <= takeover.until_ns
            and (one.sent_ns or one.at_ns) - one.uncertainty_ns > takeover.first.at_ns
        )
        first = next(carried, None)
        return None if first is None else Span(takeover.injected, first)

    def _read_calm(self, fault: WatchedFault) -> None:
        """Look for a takeover where none may come."""
        heard = self._recorded.heard_of_pair().between(fault.at.earliest_ns, fault.until_ns)
        if len(heard.of(self._recorded.pair.peer_of(fault.victim.name).name)):
            self._takeovers += 1
            self.problems["the peer took over, which it must not after this fault"] += 1
        elif not len(heard):
            self.problems["nobody advertised any more"] += 1

    def _widen(self, engine: budgets.Engine) -> None:
        """Let each limit hold for this repetition's nodes, too: roles may have been swapped."""
        for stage in Stage:
            own = limit(stage, self._begun.fault, engine)
            if own is not None:
                other = self._limits.get(stage, own)
                low, high = min(own.minimum_s, other.minimum_s), max(own.maximum_s, other.maximum_s)
                self._limits[stage] = Budget(low, high, own.formula, own.source)

    def series(self) -> Series:
        """Return what was gathered."""
        notes = [
            message if count == 1 else f"{count} times: {message}"
            for message, count in self.problems.items()
        ]
        for stage in Stage:
            seen = len(self._seconds[stage])
            if seen < self._measured and (self._begun.tunnel or stage is not Stage.TUNNEL):
                notes.append(f"{stage}: seen after {seen} of {self._measured} takeovers")
        return Series(
            self._begun.fault,
            self._begun.times,
            self._provoked,
            self._takeovers,
            self._seconds,
            self._limits,
            (*self._broken, *notes),
        )
