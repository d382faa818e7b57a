"""What both ends of the control socket agree on: where it is, and how a line is written."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

SOCKET_NAME = "wire.sock"
"""The control socket's name in its lab's directory."""

Json: TypeAlias = Any
"""A value of JSON's types; whoever takes one checks it."""


def line_of(message: Json) -> bytes:
    """Return `message` as one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
