"""In a worker on another host: what a host lacks is no failure of the scenario that met it.

That is room on a disk, and the labs themselves: a host that can make none would take one scenario
after another, and fail each. The worker breaks down by it, and home lets another take the scenario.
What was half written is often removed at once, so nobody may see later that a disk was full. On the
last host that is left, labs that cannot be made are told of as they are on one machine.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator

import pytest

from lab.errors import LabError
from scenarios.labs import Labs
from scenarios.over_hosts.nodes import DISK_FULL, LAST, NO_LAB


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let no report be made of a scenario that this host could not carry out.

    Before any other plugin has begun to make it: what is raised within another's old-style wrapper
    comes home as a warning of pluggy's, in the place of why.
    """
    break_down_if_unfit(item, call)
    return (yield)


def break_down_if_unfit(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Raise OSError or LabError where the host is why a scenario met an error."""
    told = getattr(item.config, "workerinput", {}).get("vpnproof_host")
    if told is None or call.excinfo is None:
        return
    error = call.excinfo.value
    for one in _behind(error):
        if isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(one.errno, f"{DISK_FULL}: {one}")
    if isinstance(error, LabError) and not told.get(LAST) and _is_of_labs(item, call, error):
        raise LabError(f"{NO_LAB}: {_in_one_line(error)}")


def _in_one_line(error: LabError) -> str:
    """Return what went wrong, and the last that a program said of it: the cause stands there."""
    first, *more = [line.strip() for line in error.message.splitlines() if line.strip()] or ["?"]
    told = f"{first} {more[-1]}" if more else first
    return f"{told} (hint: {' '.join(error.hint.split())})" if error.hint else told


def _is_of_labs(item: pytest.Item, call: pytest.CallInfo[None], error: LabError) -> bool:
    """Whether a scenario got no lab by this error, or there are no labs at all for it."""
    if call.when != "setup" or not isinstance(item, pytest.Function):
        return False
    labs = item.funcargs.get("labs")
    if labs is None:
        return "labs" in item.fixturenames
    return isinstance(labs, Labs) and labs.could_not_make(error)


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that it came of."""
    seen: set[int] = set()
    left = [error]
    while left:
        if (one := left.pop()) is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            left += one.exceptions
