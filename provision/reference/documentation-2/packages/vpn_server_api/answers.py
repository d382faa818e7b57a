"""What a call can answer, and the ways a request can be refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union

from vpn_server_api.controller import Controller
from vpn_server_api.parameters import Parameters

PORTAL = "vpn-user-portal"
NODE = "vpn-server-node"
NOTHING = object()  # an answer without "data"; null is an answer


@dataclass(frozen=True)
class Done:
    """The call did its work; ``data`` is any JSON value, or NOTHING."""

    data: Any = NOTHING
    status: int = 200


@dataclass(frozen=True)
class Refused:
    """The call was understood and is refused, which HTTP knows nothing of."""

    error: str


Answer = Union[Done, Refused]


@dataclass(frozen=True)
class Call:
    """One call of the API: its HTTP method, who may use it, what it does."""

    method: str
    consumers: tuple[str, ...]
    run: Callable[[Controller, Parameters], Answer]
