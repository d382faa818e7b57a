"""How scenarios are shared out among the workers of pytest-xdist: any worker takes any of them.

The longest are begun first, and a worker that becomes free takes the next; so all end at about the
same time. A worker of xdist begins a scenario only when it knows the one after it. It is told what
it would take next if all of them last as long as expected; a worker that would get nothing more is
told so, and ends with the scenario that it has. Workers begin with different guides: where nothing
is frozen yet, these are followed side by side.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScheduling
from xdist.workermanage import WorkerController

from scenarios.durations import Durations

THAW_S = 3.0
"""What a change of guides costs a worker: among scenarios whose lengths differ less, it stays."""
_AHEAD = 2  # the scenario that runs, and the one after it


class LongestFirst(LoadScheduling):  # type: ignore[misc]  # xdist ships no types
    """Gives each worker one scenario ahead, long ones first, and rather of the guide it is at."""

    def __init__(
        self,
        config: pytest.Config,
        log: Producer,
        durations: Durations,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(config, log)
        self.collection: list[str] | None = None
        self._durations = durations
        self._clock = clock
        self._since: dict[WorkerController, float] = {}
        self._guides: dict[WorkerController, str] = {}

    def schedule(self) -> None:
        """Share out what every worker has collected; later, give a new worker its part."""
        if self.collection is None:
            if not self._check_nodes_have_same_collection():
                return  # xdist reports it
            self.collection = next(iter(self.node2collection.values()))
            self.pending[:] = range(len(self._names))
        self._share_out()

    def mark_test_complete(
        self, node: WorkerController, item_index: int, duration: float = 0
    ) -> None:
        """Note that a worker goes on to its next scenario, and give it another."""
        self._since[node] = self._clock()
        super().mark_test_complete(node, item_index, duration)

    def check_schedule(self, node: WorkerController, duration: float = 0) -> None:  # noqa: ARG002
        """Give whoever waits for a scenario one; xdist calls this when something has changed."""
        self._share_out()

    def _share_out(self) -> None:
        while waiting := [node for node in self._open() if len(self._queue(node)) < _AHEAD]:
            node = min(waiting, key=lambda one: (len(self._queue(one)), self._busy_s(one)))
            index = self._next_of(node) if node in self._guides else self._first()
            if index is None:
                node.shutdown()  # it runs what it has
            else:
                self._give(node, index)

    def _give(self, node: WorkerController, index: int) -> None:
        if not self._queue(node):
            self._since[node] = self._clock()
        self.pending.remove(index)
        self._queue(node).append(index)
        self._guides[node] = self._guide(index)
        with suppress(OSError):  # its connection is cut: xdist will say so, and this stays its task
            node.send_runtest_some([index])

    def _first(self) -> int | None:
        """Return the longest scenario, of a guide that no worker is at if there is one."""
        begun = set(self._guides.values())
        return max(
            self.pending,
            key=lambda one: (self._guide(one) not in begun, self._expected_s(one), -one),
            default=None,
        )

    def _next_of(self, node: WorkerController) -> int | None:
        """Return the scenario that a worker would take next, all lasting as long as expected."""
        busy = {one: self._busy_s(one) for one in self._open()}
        guides = {one: self._guides.get(one, "") for one in busy}
        left = sorted(self.pending, key=lambda index: (-self._expected_s(index), index))
        while left:
            free = min(busy, key=lambda one: (busy[one], one is not node))
            index = self._choose(left, guides[free])
            if free is node:
                return index
            left.remove(index)
            busy[free] += self._expected_s(index)
            guides[free] = self._guide(index)
        return None

    def _choose(self, longest_first: list[int], guide: str) -> int:
        """Choose the longest, or one hardly shorter of the guide whose lab is there."""
        enough_s = self._expected_s(longest_first[0]) - THAW_S
        near = (index for index in longest_first if self._expected_s(index) >= enough_s)
        return next((one for one in near if self._guide(one) == guide), longest_first[0])

    def _open(self) -> list[WorkerController]:
        return [node for node in self.nodes if not node.shutting_down]

    def _queue(self, node: WorkerController) -> list[int]:
        queue: list[int] = self.node2pending[node]
        return queue

    def _busy_s(self, node: WorkerController) -> float:
        """Return for how long a worker is busy with what it was given."""
        current, *later = [self._expected_s(index) for index in self._queue(node)] or [0.0]
        left_s = max(0.0, current - (self._clock() - self._since.get(node, self._clock())))
        return left_s + sum(later)

    @property
    def _names(self) -> list[str]:
        return self.collection or []

    def _expected_s(self, index: int) -> float:
        return self._durations.expected_s(self._names[index])

    def _guide(self, index: int) -> str:
        """Return the folder of a scenario, which is its guide."""
        return self._names[index].partition("::")[0].rpartition("/")[0]
