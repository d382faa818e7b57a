"""PHP values as PHP itself would write them (`var_export`), for configuration files.

Only data: null, booleans, integers, floats, strings, and arrays of these. Reading is left to PHP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from provision.errors import UnexpectedContent

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

_CANONICAL_INT = re.compile(r"0|-?[1-9][0-9]{0,17}")  # PHP makes such keys integers
_PHP_INT_MIN = -(2**63)


def config_file(config: Value) -> str:
    """Return a configuration file that returns `config`, laid out as PHP's own tools do."""
    return f"<?php return {export(config)};\n"


def export(value: Value, indent: int = 0) -> str:
    """Return `value` as PHP source; UnexpectedContent for what PHP has no literal for."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            return _integer(value)
        case float():
            return _float(value)
        case str():
            return _string(value)
        case list():
            return _array(((str(index), item) for index, item in enumerate(value)), indent)
        case dict():
            return _array(((_key(key), item) for key, item in value.items()), indent)


def _array(items: Iterable[tuple[str, Value]], indent: int) -> str:
    pad = " " * indent
    lines = ["array ("]
    for key, item in items:
        opening = "\n" + pad + "  " if isinstance(item, list | dict) else ""
        lines.append(f"{pad}  {key} => {opening}{export(item, indent + 2)},")
    return "\n".join([*lines, f"{pad})"])


def _key(key: str) -> str:
    return key if _CANONICAL_INT.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\0", "' . \"\\0\" . '") + "'"


def _integer(number: int) -> str:
    if not _PHP_INT_MIN <= number < 2**63:
        raise UnexpectedContent(f"{number} is not an integer for PHP: it has 64 bits")
    return f"{number + 1}-1" if number == _PHP_INT_MIN else str(number)


def _float(number: float) -> str:
    if not math.isfinite(number):
        raise UnexpectedContent(f"{number} has no place in a configuration file")
    text = repr(number)
    return text if "." in text or "e" not in text else text.replace("e", ".0e")
