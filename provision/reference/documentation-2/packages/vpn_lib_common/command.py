"""How every command ends: silently with 0, or with ``ERROR: text`` and 1."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable

from vpn_lib_common.api_client import ApiError, ApiRefusal
from vpn_lib_common.php_config import ConfigError
from vpn_lib_common.profile import ProfileError


class CommandError(Exception):
    """What a command says when it cannot do its job."""


EXPECTED = (
    ApiError,
    ApiRefusal,
    CommandError,
    ConfigError,
    KeyError,
    OSError,
    ProfileError,
    ValueError,
    sqlite3.Error,
    subprocess.SubprocessError,
)


def finish(job: Callable[[], None]) -> int:
    """Run ``job`` and return the exit code."""
    try:
        job()
    except EXPECTED as error:
        sys.stderr.write(f"ERROR: {describe(error)}\n")
        return 1
    return 0


def describe(error: BaseException) -> str:
    """Return an error's text; a missing key in the words of the genuine configuration."""
    if isinstance(error, KeyError):
        return f'item "{error.args[0]}" not available'
    return str(error)
