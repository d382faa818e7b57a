"""Starting a lab's guardian, and the two lines to it: its owner's and its wire's.

A line is the writing end of a pipe. What matters is its end, which comes by itself; the few words
that are said over it tell an end that is meant from one that is not.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lab.errors import LabError
from lab.guardian import ASKED, DISMISSED, KEPT

#: Where the guardian finds the reading ends, and the wire its line.
OWNERS, WIRES = 3, 4
LOG_NAME = "guardian.log"
_ABOVE = 10  # descriptors that no child's file actions have overwritten before they are duplicated
_MOST_REPLACED = 5


class Guardian:
    """A lab's guardian, as seen by the lab's owner, who started it."""

    def __init__(self, pid: int, line: int, wires_line: int) -> None:
        self.wires_line = wires_line
        """For the wire alone: `hand_over` closes it here once the wire has it."""
        self._pid = pid
        self._line = line

    @classmethod
    def start(cls, directory: Path) -> Guardian:
        """Start the guardian of the lab in `directory`: the first of the lab's processes.

        It need not be waited for: it learns of every end, also of those before it listened.
        """
        owners, line = _pipe()
        wires, wires_line = _pipe()
        try:
            pid = _spawn(directory, owners, wires)
        except OSError as error:
            for descriptor in (line, wires_line):
                os.close(descriptor)
            raise LabError(f"the guardian of {directory} did not start: {error}") from error
        finally:
            os.close(owners)
            os.close(wires)
        return cls(pid, line, wires_line)

    def hand_over(self) -> None:
        """Let go of the wire's line, which the wire now has, or will never have."""
        if self.wires_line >= 0:
            os.close(self.wires_line)
            self.wires_line = -1

    def dismiss(self) -> None:
        """Send the guardian away: whatever runs is the caller's to end."""
        if self._line >= 0:
            _say(self._line, DISMISSED)
        self.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def close(self) -> None:
        """Close the owner's line; safe to call twice. What no wire keeps up is ended now."""
        self.hand_over()
        if self._line >= 0:
            os.close(self._line)
            self._line = -1
        with suppress(ChildProcessError):  # waited for already
            os.waitpid(self._pid, os.WNOHANG)


class WireLine:
    """The wire's line. When the guardian dies, another takes its place."""

    def __init__(self, directory: Path, line: int) -> None:
        os.set_inheritable(line, False)
        self.descriptor = line
        self.serving = False
        """Whether the wire came to serve: one that cannot start brings no lab down."""
        self._directory = directory
        self._kept = False
        self._replaced = 0

    def kept(self) -> None:
        """Say that the lab stays up when its owner ends."""
        self._kept = True
        _say(self.descriptor, KEPT)

    def asked(self) -> None:
        """Say that the end of the wire, which comes now, was asked for."""
        _say(self.descriptor, ASKED)

    def replace_guardian(self, forget: Callable[[int], None]) -> bool:
        """Start another guardian, which has this line alone; whether there is one now.

        `forget` is called with the old descriptor before it is closed.
        """
        forget(self.descriptor)
        os.close(self.descriptor)
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)  # the one before, if it was ours
        self._replaced += 1
        if self._replaced > _MOST_REPLACED:
            return False
        wires, self.descriptor = _pipe()
        try:
            _spawn(self._directory, None, wires)
        except OSError:
            return False
        finally:
            os.close(wires)
        return True


def _pipe() -> tuple[int, int]:
    """Return the reading and the writing end of a pipe, both above what a child is given."""
    ends = os.pipe()
    try:
        reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for end in ends)
    finally:
        for end in ends:
            os.close(end)
    return reading, writing


def _spawn(directory: Path, owners: int | None, wires: int) -> int:
    """Start the process in a session of its own, with nothing but the two lines, and a log."""
    command = [sys.executable, "-S", "-m", "lab.guardian", str(directory.absolute())]
    project = str(Path(__file__).parents[2])
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (
            os.POSIX_SPAWN_OPEN,
            1,
            str(directory / LOG_NAME),
            os.O_WRONLY | os.O_CREAT | os.O_APPEND,
            0o600,
        ),
        (os.POSIX_SPAWN_DUP2, 1, 2),
        (os.POSIX_SPAWN_DUP2, wires, WIRES),
    ]
    if owners is not None:
        actions.append((os.POSIX_SPAWN_DUP2, owners, OWNERS))
        command.append("owned")
    return os.posix_spawn(
        sys.executable,
        command,
        os.environ | {"PYTHONPATH": project},
        setsid=True,
        file_actions=actions,
    )


def _say(line: int, word: bytes) -> None:
    with suppress(BrokenPipeError):  # nobody guards at this moment
        os.write(line, word)
