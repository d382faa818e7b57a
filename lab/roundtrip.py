"""Asking the other end of an SSH connection for a sign of life, and waiting for it, not for ever.

An answer comes by the same way as all that was sent before it: once it is here, that is here too.
"""

from __future__ import annotations

import contextlib
import threading
from weakref import WeakKeyDictionary

import paramiko

_QUESTION = "keepalive@openssh.com"  # OpenSSH's name for it; whoever does not know it refuses

_guard = threading.Lock()
_turns: WeakKeyDictionary[paramiko.Transport, threading.Lock] = WeakKeyDictionary()


def answers(transport: paramiko.Transport, seconds: float) -> bool:
    """Ask once; whether an answer came within `seconds`.

    A connection that has ended meanwhile counts as an answer: nothing more comes by it.
    """
    answered = threading.Event()

    def ask() -> None:
        with _turn(transport), contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            transport.global_request(_QUESTION, wait=True)
        answered.set()

    threading.Thread(target=ask, name="round trip", daemon=True).start()
    return answered.wait(seconds)


def _turn(transport: paramiko.Transport) -> threading.Lock:
    """Return what to hold while asking: paramiko cannot tell two answers apart."""
    with _guard:
        return _turns.setdefault(transport, threading.Lock())
