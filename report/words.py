"""Names and recorded values of any shape, as they stand in a sentence of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def conjoined(words: Sequence[str]) -> str:
    """Return words as one says them: with "and" between."""
    return " and ".join(words)


def listed(ids: Sequence[str], most: int = 8) -> str:
    """Return the first `most` names, and how many there are beside."""
    more = len(ids) - most
    return ", ".join(ids[:most]) + (f" and {more} more" if more > 0 else "")


def table(told: object) -> Mapping[str, Any]:
    """Return a table that was recorded; an empty one for what is none."""
    return told if isinstance(told, dict) else {}


def text(told: object) -> str:
    """Return what was recorded in words, whatever its shape."""
    if isinstance(told, dict):
        return "; ".join(f"{name}: {text(value)}" for name, value in told.items())
    if isinstance(told, list):
        return ", ".join(map(text, told))
    return "" if told is None else str(told)
