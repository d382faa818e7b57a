"""What pydantic found wrong in a file, said in lines: key, value, and what was expected.

One line for each, whatever stands in the file: control characters are escaped, long values cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

_MOST = 20
_LONGEST = 80


def complaints(content: object, error: ValidationError) -> list[str]:
    """Return a line for each thing that is wrong in `content`, the first of them if many are."""
    lines = [line for item in _causes(error) for line in _complaint(content, item).splitlines()]
    more = len(lines) - _MOST
    return lines if more <= 0 else [*lines[:_MOST], f"and {more} more"]


def _shown(text: str) -> str:
    """Return a name as one short line can hold it."""
    plain = text if text.isprintable() else ascii(text)
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."


def _causes(error: ValidationError) -> Iterator[dict[str, Any]]:
    """Yield pydantic's errors without those that only follow from one deeper in the file."""
    found = error.errors()
    above = {item["loc"][:depth] for item in found for depth in range(len(item["loc"]))}
    yield from (dict(item) for item in found if item["loc"] not in above)


def _complaint(content: object, item: dict[str, Any]) -> str:
    """Say one error, machines by their names."""
    keys: list[str] = []
    here = content
    for part in item["loc"]:
        try:
            here = here[part]  # type: ignore[index]  # walks tables and arrays alike
        except (KeyError, IndexError, TypeError):
            here = None
        named = isinstance(part, int) and isinstance(here, dict) and "name" in here
        name = here["name"] if named and isinstance(here, dict) else part
        keys.append(_shown(name) if isinstance(name, str) else str(part))
    message = str(item["msg"]).removeprefix("Value error, ")
    if not keys:
        return message
    value = f" {_value(item['input'])}:" if item["type"] != "missing" else ""
    return f"{'.'.join(keys)}:{value} {message[0].lower()}{message[1:]}"


def _value(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return f"a {type(value).__name__} in many others"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
