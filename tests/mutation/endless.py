"""A plugin of pytest: what a mutant makes endless fails, by the processor's time it has taken.

Not by the clock: what a busy host keeps waiting is not endless, and would count as killed.
"""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest

PROCESSOR_S = 60.0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that has kept the processor for longer than any test of the checks needs."""

    def endless(*_: object) -> None:
        pytest.fail(f"{item.nodeid} has kept the processor for {PROCESSOR_S:g} s")

    before = signal.signal(signal.SIGVTALRM, endless)
    signal.setitimer(signal.ITIMER_VIRTUAL, PROCESSOR_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
