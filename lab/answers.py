"""What machines answer, taken for what they may be: anything.

    with understood(node, "what ip says of its addresses"):
        held = ...          # parse it as if it were right

A guest that misbehaves answers what no program of its would. Who reads an answer need not think of
every way in which it may be wrong: whatever reading trips over becomes a MachineError that names
the machine and the answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.errors import MachineError

_TRIPS = (
    ValueError,  # pydantic's and JSON's, too
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SyntaxError,  # these three: of what is nested too deep
    RecursionError,
    MemoryError,
)
_MOST_SHOWN = 300


@contextmanager
def understood(machine: str, what: str) -> Iterator[None]:
    """Raise MachineError where the block, which reads `what` of a machine, cannot."""
    try:
        yield
    except _TRIPS as error:
        why = f"{type(error).__name__}: {error}"[:_MOST_SHOWN]
        raise MachineError(
            f"{machine}: {what} cannot be read: {why}",
            hint="look at it in the machine: python -m lab ssh",
        ) from error


def json_object(machine: str, what: str, text: str) -> dict[str, Any]:
    """Return the JSON object in an answer; MachineError when there is none."""
    with understood(machine, what):
        found = json.loads(text)
        if not isinstance(found, dict):
            raise TypeError(f"{type(found).__name__} where an object should be")
        return found
