"""The shape of `verdicts.json`: what is to stand in it, and of which type, before it is used.

The file may come from anywhere. A reason that is a number, a list in a table's place, a verdict
that is none: each is refused here, by its place, so that nobody behind this meets them. What stands
there besides is left alone: it is compared as it is by who looks for alterations.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from evidence.event import Count

_Attempt = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Verdict(_Strict):
    status: Literal["PASS", "UNKNOWN", "FAIL"]
    reasons: list[str]
    evidence: list[str]
    owed: Count
    discharged: Count
    late: bool
    digests: dict[str, str]


class _Scenario(_Verdict):
    attempts: dict[_Attempt, _Verdict]


class _Requirement(_Verdict):
    scenarios: dict[str, _Scenario]


class _Sealed(_Strict):
    octets: Count
    sha256: str
    grows: bool


class _Tables(_Strict):
    to_judge: list[str]
    never_judged: list[str] = []
    requirements: dict[str, _Requirement]
    seal: str = ""
    sealed: dict[str, _Sealed] = Field(default_factory=dict)


def wrong_with(tables: dict[str, Any]) -> str:
    """Say what is wrong with the shape of a run's verdicts, and where; "" when nothing is."""
    try:
        _Tables.model_validate(tables)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return ""
