"""A scenario that a busy host left undecided is carried out again, by the same worker.

When all that its verdicts lack is that the host was too busy to tell, or a machine whose kernel
stopped as it booted, the item runs its scenario again: fixtures anew, another attempt of the same
scenario in the history. Each is carried out at most three times, and a series has at most as many
again as it has repetitions, or two. What came of all is put together where they are judged
(`checks.engine.attempts`, `checks.engine.series`). All but the last are reported as "repeated",
which is no failure; the last counts as any other.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest
from _pytest.runner import call_and_report

from checks.engine.judging import begun_again
from checks.engine.repetition import Repetition
from lab.errors import LabError, MachineHung
from scenarios.plugin.stash import RUN

MOST_TRIES = 3
_TRIES = pytest.StashKey[int]()
_DECIDED = pytest.StashKey[tuple[pytest.CallInfo[None], bool]]()
_REPEATED = "repeated"


class HostTooBusy(LabError):
    """All that keeps a requirement from being judged is that the host was too busy to tell."""


def goes_again(item: pytest.Item, call: pytest.CallInfo[None]) -> bool:
    """Whether the scenario of `item`, which has just ended with `call`, is carried out again.

    Decided once: whoever asks is told the same, whatever other workers do meanwhile.
    """
    decided = item.stash.get(_DECIDED, None)
    if decided is None or decided[0] is not call:
        again = _tells_nothing(item, call) and _may_go_again(item)
        decided = item.stash[_DECIDED] = (call, again)
    return decided[1]


def _tells_nothing(item: pytest.Item, call: pytest.CallInfo[None]) -> bool:
    return (
        call.when == "call"
        and call.excinfo is not None
        and _in_a_lab(item)
        and all(isinstance(one, HostTooBusy | MachineHung) for one in _each(call.excinfo.value))
    )


def _may_go_again(item: pytest.Item) -> bool:
    tries = item.stash.get(_TRIES, 1)
    repetition = Repetition.named(item.nodeid)
    if tries >= MOST_TRIES or repetition is None:
        return tries < MOST_TRIES
    run = item.config.stash.get(RUN, None)
    again = tries - 1 if run is None else begun_again(run.directory, repetition.series)
    return again < max(repetition.of, MOST_TRIES - 1)


def _in_a_lab(item: pytest.Item) -> bool:
    return "labs" in getattr(item, "fixturenames", ())


def _each(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _each(one)
    else:
        yield error


class Again:
    """Runs scenarios, in place of pytest's own way to run an item."""

    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Run a scenario, and again if need be; other items are left to pytest."""
        if not _in_a_lab(item) or only_shown(item.config):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        while _run(item, nextitem):
            item.stash[_TRIES] = item.stash.get(_TRIES, 1) + 1
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Report a scenario that is carried out again as such."""
        report = yield
        if goes_again(item, call):
            report.outcome = _REPEATED  # type: ignore[assignment]  # pytest knows three, and asks
        return report

    def pytest_report_teststatus(
        self, report: pytest.TestReport | pytest.CollectReport
    ) -> tuple[str, str, str] | None:
        """Say in one letter, and in one word, that a scenario is carried out again."""
        if report.outcome == _REPEATED:
            return _REPEATED, "b", "REPEATED (the host was too busy to tell, or a machine hung)"
        return None


def only_shown(config: pytest.Config) -> bool:
    """Whether scenarios and what they are set up with are shown, and none is run."""
    return bool(config.getoption("setuponly", False) or config.getoption("setupplan", False))


def _run(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run an item's phases, as pytest does; say whether its scenario is to be carried out again.

    What only the item needs is torn down either way; what others share, when none follows.
    """
    one: Any = item  # what pytest's own runner, and others that run an item twice, do to it
    if not one._request:
        one._initrequest()
    repeated = False
    try:
        if call_and_report(item, "setup").passed:
            repeated = call_and_report(item, "call").outcome == _REPEATED
        stops = item.session.shouldfail or item.session.shouldstop
        following = item.parent if repeated else None if stops else nextitem
        call_and_report(item, "teardown", nextitem=following)
    finally:
        one._request, one.funcargs = False, None
    return repeated
