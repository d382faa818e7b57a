"""What can be wrong with evidence.

`Missing` and `Imprecise` are raised while judging and become UNKNOWN verdicts; `BadEvidence` also
reaches whoever named the wrong directory, or writes to a disk that is full.
"""

from __future__ import annotations


class EvidenceError(Exception):
    """Something is wrong with the evidence; with a hint: what the reader can do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class Missing(EvidenceError):
    """Evidence that a verdict needs was not recorded."""


class Imprecise(EvidenceError):
    """Evidence is there, but too coarse or contradictory to decide on."""


class BadEvidence(EvidenceError):
    """A file of the evidence directory is not what its name says."""


class Absent(BadEvidence):
    """A file that should be there is not."""
