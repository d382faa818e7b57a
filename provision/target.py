"""What a step needs of a machine: run, put, get.

`lab.machine.Machine` has it, and so have the machines of tests.
"""

from __future__ import annotations

from typing import Protocol


class Result(Protocol):
    """What a command said; `seconds` is its wall time as seen from here."""

    @property
    def status(self) -> int:
        """Exit status."""

    @property
    def stdout(self) -> str:
        """Standard output as text."""

    @property
    def stderr(self) -> str:
        """Standard error as text."""

    @property
    def seconds(self) -> float:
        """Wall time in seconds."""


class Target(Protocol):
    """A machine that steps are applied to."""

    name: str

    def run(
        self,
        command: str,
        *,
        stdin: str | bytes | None = None,
        timeout: float = 60,
        check: bool = True,
    ) -> Result:
        """Run `command` as root by `sh -c`; with `check`, CommandFailed for a status but 0."""

    def put(
        self,
        content: str | bytes,
        path: str,
        *,
        mode: int = 0o644,
        owner: str = "root",
        group: str = "root",
    ) -> None:
        """Write a file whole."""

    def get(self, path: str) -> bytes:
        """Return a file's content; FileNotFoundError when there is none."""
