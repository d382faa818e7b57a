"""Every kind of event there is, a module a topic; `read_event` reads each by its own class.

To add one: a class with a `kind` of its own in the module of its topic. Nothing else.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter

from evidence.event import Event
from evidence.events import (
    access,
    deployment,
    harness,
    hosts,
    installed,
    maintenance,
    multi_node,
    pair,
    portal,
    preflight,
    run,
    session,
    setup,
    sync,
    takeover,
)

_TOPICS = (
    run,
    pair,
    takeover,
    setup,
    sync,
    session,
    preflight,
    deployment,
    multi_node,
    access,
    portal,
    installed,
    maintenance,
    harness,
    hosts,
)


def _kinds() -> dict[str, type[Event]]:
    found: dict[str, type[Event]] = {}
    for topic in _TOPICS:
        for one in vars(topic).values():
            if isinstance(one, type) and issubclass(one, Event) and one is not Event:
                (kind,) = get_args(one.model_fields["kind"].annotation)
                if found.setdefault(kind, one) is not one:
                    raise TypeError(f"{kind!r} is declared by {found[kind]} and by {one}")
    return found


KINDS: dict[str, type[Event]] = _kinds()
"""The class of each kind."""

_UNION: Any = reduce(or_, KINDS.values())
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[_UNION, Field(discriminator="kind")])


def read_event(fields: object) -> Event:
    """Make an event of what a line of the history holds.

    Raises pydantic.ValidationError for a kind that nobody declared, and for fields that its class
    does not take.
    """
    return _ADAPTER.validate_python(fields)
