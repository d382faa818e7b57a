"""Rules and matches that come over the control socket, read strictly.

Apart from the values themselves because of pydantic: to load it takes as long as all the rest of a
wire's start, and a lab that comes up waits for its wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from lab.errors import ScenarioError
from lab.wire.rules import Action, Match, Rule

_RULE = TypeAdapter(Rule)
_ACTION: TypeAdapter[Action] = TypeAdapter(Annotated[Action, Field(discriminator="kind")])
_MATCH = TypeAdapter(Match)
_T = TypeVar("_T")


def rule_from_json(value: object) -> Rule:
    """Return the rule that `value` (JSON's types) describes; ScenarioError names what is wrong."""
    if isinstance(value, Mapping) and "action" in value:
        # By its kind first: an error then speaks of that action, and not of every other.
        value = {**value, "action": _read(_ACTION, value["action"], "rule: action")}
    return _read(_RULE, value, "rule")


def match_from_json(value: object) -> Match:
    """Return the match that `value` (JSON's types) describes; ScenarioError names what is wrong."""
    return _read(_MATCH, value, "match")


def _read(adapter: TypeAdapter[_T], value: Any, what: str) -> _T:  # noqa: ANN401 - JSON's types
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ScenarioError(
            f"{what}: {where}: {first['msg']}", hint="see lab/wire/rules.py"
        ) from None
