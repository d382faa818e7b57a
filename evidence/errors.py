"""Why a check could not say PASS or FAIL, and what a caller asked for wrongly.

`Missing` and `Imprecise` are raised by checks and become UNKNOWN verdicts; the others reach
whoever typed the wrong id or named the wrong directory.
"""

from __future__ import annotations


class EvidenceError(Exception):
    """An error of judging, with a hint: what the reader can do about it."""

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


class UnknownRequirement(EvidenceError):
    """An id that the catalogue of requirements does not hold."""


class BadEvidence(EvidenceError):
    """A file of the evidence directory is not what its name says."""
