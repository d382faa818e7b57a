"""How a command that judges evidence from anywhere ends: with a status of its own choice, always.

Status 1 means FAIL, and nothing else: a reader of standard output that went away, a full disk and a
mistake of ours end with 2, and with one line on standard error that no name in it can break.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable

from evidence.errors import EvidenceError
from evidence.printable import visible

UNJUDGED, BROKEN_OFF = 2, 130
_LONGEST = 1000
"""Characters of such a line."""


def ended(command: Callable[[], int]) -> int:
    """Run a command; return its exit status, 2 for whatever kept it from judging."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not have every letter
            stream.reconfigure(errors="backslashreplace")
    try:
        status = command()
        sys.stdout.flush()
    except EvidenceError as error:
        hint = f" (hint: {error.hint})" if error.hint else ""
        complain(f"error: {error.message}{hint}")
    except KeyboardInterrupt:
        complain("broken off: nothing was judged")
        return BROKEN_OFF
    except (BrokenPipeError, SystemExit):  # rich makes the latter of the former
        _forget_output()
    except OSError as error:
        complain(f"error: {error}")
        _forget_output()
    except Exception as error:  # noqa: BLE001 - whatever trips over evidence has not judged it
        at = traceback.extract_tb(error.__traceback__)[-1]
        why = f"{type(error).__name__}: {error} ({at.name}, line {at.lineno})"
        complain(f"error: this evidence cannot be judged: {why}")
    else:
        return status
    return UNJUDGED


def complain(line: str) -> None:
    """Say one line on standard error, whatever stands in it."""
    try:
        print(visible(line, most=_LONGEST), file=sys.stderr, flush=True)  # noqa: T201
    except OSError:  # nobody listens: the status says it
        return


def _forget_output() -> None:
    """Let the interpreter find nothing to complain about when it flushes at its end."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # standard output is no file of the process
        return
