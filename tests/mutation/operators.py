"""What looks like an operator that can be replaced, and is none."""

from __future__ import annotations


def separates_parameters(source: str, at: tuple[int, int]) -> bool:
    """Whether the `*` or `/` at a line (from 1) and column (from 0) stands between parameters.

    cosmic-ray takes it for an operator; whoever names what comes after it notices no change.
    """
    row, column = at
    line = source.splitlines()[row - 1]
    return line[column : column + 1] in ("*", "/") and line[column + 1 :].lstrip()[:1] in (",", ")")
