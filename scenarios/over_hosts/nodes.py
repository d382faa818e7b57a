"""Workers of pytest-xdist that do not begin, or break down: for it both are those that died.

Left to itself, xdist ends the whole run when one worker cannot be started, as its host is gone by
then, or says that pytest itself failed there, as it does where nothing can be written any more.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from execnet.gateway_io import Popen2IOMaster

if TYPE_CHECKING:
    import execnet
    from xdist.workermanage import NodeManager, WorkerController

NO_LAB = "no lab can be made on it"
"""What a worker says that breaks down by that; not said where no other host is left."""
DISK_FULL = "its disk was full"
"""What a worker says that breaks down by that: of room, of files, or of what its user may have."""
UNFIT = (NO_LAB, DISK_FULL)
"""Why no further scenario goes to a worker's host, while there are others."""
LAST = "last"
"""Of what a worker on a host is told: whether no other host is left."""

PutEvent = Callable[[tuple[str, dict[str, Any]]], None]
SetUp = Callable[["execnet.XSpec", PutEvent], "WorkerController"]


@dataclass(eq=False)
class NotBegun:
    """Stands for a worker that could not be started, as far as xdist asks of one that died."""

    config: pytest.Config
    gateway: SimpleNamespace


def begin_as_far_as_may_be(manager: NodeManager) -> SetUp:
    """Let a worker that cannot be started at first be one that died; return what starts one."""
    set_up: SetUp = manager.setup_node

    def begin(spec: execnet.XSpec, put: PutEvent) -> WorkerController | NotBegun:
        try:
            return set_up(spec, put)
        except Exception as error:  # noqa: BLE001 - execnet has many names for it
            _end_its_ssh(error)
            node = NotBegun(manager.config, SimpleNamespace(id=spec.id, spec=spec))
            why = f"it cannot be started: {error!r}"
            put(("errordown", {"node": node, "error": why}))
            return node

    manager.setup_node = begin
    return set_up


def _end_its_ssh(error: Exception) -> None:
    """End the SSH client that execnet leaves, with its pipes open, where no gateway comes of it."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        ssh = frame.f_locals.get("io")
        if isinstance(ssh, Popen2IOMaster):
            ssh.kill()
            ssh.popen.communicate()
            return


def die_of_an_internal_error(node: WorkerController) -> None:
    """Let a worker whose pytest failed be one that died; what it says afterwards is no news."""
    pass_on = node.notify_inproc

    def notify(eventname: str, **said: object) -> None:
        if has_died:
            return
        if eventname == "internal_error":
            has_died.append(True)
            node._down = True
            eventname, said = "errordown", {"node": node, "error": said["formatted_error"]}
        pass_on(eventname, **said)

    has_died: list[bool] = []
    node.notify_inproc = notify
