"""In a worker on another host: a disk that was full is no failure of the scenario that met it.

The worker breaks down by it, as it would if the disk stayed full; home lets another take the
scenario. What was half written is often removed at once, so nobody may see later that it was full.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Let no report be made of a scenario for which there was no room."""
    told = getattr(item.config, "workerinput", {})
    if "vpnproof_host" not in told or call.excinfo is None:
        return
    for error in _behind(call.excinfo.value):
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, f"its disk was full: {error}")


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
