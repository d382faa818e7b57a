"""Where failover scenarios are played: a pair on a real wire, a history, and a judge of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from checks.engine.judging import judge_now
from checks.engine.verdict import Verdict
from evidence.event import Event
from evidence.history import History, read_history
from lab.probe import Probe
from scenarios.failover.pair import Pair
from tests.scenarios.failover_pair import PlayedLab

SCENARIO = "it"

E = TypeVar("E", bound=Event)


@dataclass
class Stage:
    """A played pair, its history, and the judge of what both left behind."""

    lab: PlayedLab
    pair: Pair
    probe: Probe
    history: History

    def recorded(self, kind: type[E], source: str | None = None) -> list[E]:
        """Return what was recorded of a kind, in the order of time."""
        found = read_history(self.history.path).of(kind)
        wanted = [one for one in found if source in (None, one.source)]
        return sorted(wanted, key=lambda one: one.at_ns)

    def judge(self, requirement: str) -> Verdict:
        directory = self.history.path.parent
        return judge_now(directory, self.history, requirement, self.lab.wire.flush)
