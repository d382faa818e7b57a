"""The error families.

Whose fault something is decides what becomes of the verdict: a lab that failed makes it UNKNOWN,
a deployment that failed makes it FAIL, and a wrong scenario is a bug of ours.
"""

from __future__ import annotations


class VpnproofError(Exception):
    """An error with a hint: what the reader can do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class LabError(VpnproofError):
    """The lab failed, so nothing can be said about the deployment."""


class ScenarioError(VpnproofError):
    """The scenario is wrong: it asked for something that cannot be."""


class ConformanceFailure(VpnproofError):
    """The deployment does not do what its guide promises."""


class TopologyError(LabError):
    """A topology file is wrong; raised before anything is started."""


class ImageError(LabError):
    """A guest image could not be fetched, built or trusted."""


class WireError(LabError):
    """The wire refused a request or is gone."""


class MachineError(LabError):
    """A machine does not do what the lab asked of it."""


class CommandFailed(MachineError):
    """A command on a machine ended with another status than 0."""

    def __init__(self, machine: str, command: str, status: int, output: str) -> None:
        super().__init__(
            f"{machine}: `{command}` ended with status {status}\n{output.rstrip()}",
        )
        self.machine = machine
        self.command = command
        self.status = status
        self.output = output


class DeadlinePassed(LabError):
    """Something that was waited for did not happen in time."""
