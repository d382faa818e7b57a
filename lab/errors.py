"""The error families.

Whose fault something is decides what becomes of the verdict: a lab that failed makes it UNKNOWN,
a deployment that failed makes it FAIL, and a wrong scenario is a bug of ours. Whatever a guest said
is made visible as an error takes it up: it is printed, logged, and kept as a verdict's reason.
"""

from __future__ import annotations

from evidence.printable import visible

MOST_SHOWN = 16_000
"""Characters of a command's output that an error shows: its end. The error keeps all of it."""


class VpnproofError(Exception):
    """An error with a hint: what the reader can do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = visible(message, layout=True)
        self.hint = visible(hint, layout=True)
        super().__init__(self.message)

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


class SiteError(LabError):
    """A site file is wrong, or what it names is not there; raised before anything is started."""


class HostsError(LabError):
    """A hosts file is wrong, or a host is not fit for labs; raised before anything is started."""


class HostLost(LabError):
    """A host that carried labs is gone, or does not answer any more."""


class ImageError(LabError):
    """A guest image could not be fetched, built or trusted."""


class WireError(LabError):
    """The wire refused a request or is gone."""


class MachineError(LabError):
    """A machine does not do what the lab asked of it."""


class NotHere(LabError):
    """This cannot be provoked, or not be seen, on machines that are already there."""


class CommandFailed(MachineError):
    """A command on a machine ended with another status than 0."""

    def __init__(self, machine: str, command: str, status: int, output: str) -> None:
        super().__init__(
            f"{machine}: `{command}` ended with status {status}\n{end_of(output.rstrip())}",
        )
        self.machine = machine
        self.command = command
        self.status = status
        self.output = output


class OutputTooLong(MachineError):
    """A command on a machine, or a file of it, held more than this host takes."""


class DeadlinePassed(LabError):
    """Something that was waited for did not happen in time."""


class MachineHung(DeadlinePassed):
    """A machine's kernel stopped as it booted, before anything that is installed there ran."""


def end_of(output: str) -> str:
    """Return the end of an output, as much of it as an error shows, and how much came before."""
    left = len(output) - MOST_SHOWN
    return f"[{left} characters before this]\n{output[-MOST_SHOWN:]}" if left > 0 else output
