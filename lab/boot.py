"""A machine's boot, watched by its console: under emulation a kernel may stop in it."""

from __future__ import annotations

from collections.abc import Callable

from lab.console import ends_in_kernel
from lab.errors import MachineHung
from lab.wait import Deadline

_SILENT_S = 30.0  # a kernel that boots says something sooner; scales as all waits of the lab


class Boot:
    """The boot of the machine `name`, by what its console has said."""

    def __init__(self, name: str, console: Callable[[], str]) -> None:
        self._name = name
        self._console = console
        self._said = ""
        self._patience = Deadline(_SILENT_S, "")

    def look(self) -> None:
        """Raise MachineHung when its kernel has said the last for so long."""
        said = self._console()
        if said != self._said:
            self._said, self._patience = said, Deadline(_SILENT_S, "")
        elif self._patience.passed and ends_in_kernel(said):
            raise MachineHung(
                f"{self._name}: its kernel stopped as it booted, and said nothing more for"
                f" {self._patience.seconds:.0f} s; its console ends with:\n{said}"
            )
