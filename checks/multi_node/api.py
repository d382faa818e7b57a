"""MN-07: a node that shows no secret is told so. MN-08: everybody else is kept out.

Who asks more than once must be told the same every time. Who got no answer may have waited for a
machine that did not run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.unanswered import ASKED_S, is_silence, judge_unanswered
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import FAMILIES
from evidence.events.multi_node import ApiAnswered
from evidence.events.run import HostLate
from evidence.scenario import Evidence

_RECORDED_S = 4 * ASKED_S
"""An answer is recorded when four were asked for."""

Objection = Callable[[ApiAnswered], str]
"""Says what is wrong with an answer, "" for nothing."""


@check("MN-07")
def nodes_reach_the_api(evidence: Evidence, owed: Obligations) -> None:
    """Each node gets, over IPv4 and IPv6, the 401 and the JSON that the guide prints."""
    site = deployment(evidence, owed)
    _judge_answers(evidence, site, site.nodes, "none", _not_missing_a_secret, owed)


@check("MN-08")
def others_are_refused(evidence: Evidence, owed: Obligations) -> None:
    """Other addresses get Apache's own 403, whatever they show; a wrong secret gets a 401."""
    site = deployment(evidence, owed)
    if not site.strangers:
        owed.open("no machine of the lab is a stranger to the API")
    for credentials in ("none", "wrong"):
        _judge_answers(evidence, site, site.strangers, credentials, _not_forbidden, owed)
    for event in evidence.events(ApiAnswered):
        if event.source in site.strangers and event.credentials == "right":
            who = f"{event.source} over IPv{event.family} with a node's secret"
            wrong = _not_forbidden(event)
            _judge_answer(event, who, wrong, evidence, site, owed.owe(f"{who} is refused"))
    _judge_answers(evidence, site, site.nodes, "wrong", _not_a_wrong_secret, owed)


def _judge_answers(
    evidence: Evidence,
    site: Deployment,
    machines: tuple[str, ...],
    credentials: str,
    objection: Objection,
    owed: Obligations,
) -> None:
    secret = "no" if credentials == "none" else "a wrong"
    for machine in machines:
        for family in FAMILIES:
            who = f"{machine} over IPv{family} with {secret} secret"
            one = owed.owe(f"{who} is refused as it should be")
            for event in evidence.events(ApiAnswered, machine):
                if (event.family, event.credentials) == (family, credentials):
                    wrong = objection(event)
                    _judge_answer(event, who, wrong, evidence, site, one)


def _judge_answer(
    event: ApiAnswered,
    who: str,
    wrong: str,
    evidence: Evidence,
    site: Deployment,
    one: Obligation,
) -> None:
    if event.status or not is_silence(event.detail):
        one.settle(not wrong, f"{who} {wrong}", event.place)
        return
    whose = event.source, site.controller.name, site.services.name
    late = evidence.events(HostLate)
    why = f"{who} {wrong}"
    judge_unanswered(one, why, event.at_ns, whose, late, event.place, recorded_s=_RECORDED_S)


def _not_told(event: ApiAnswered, wanted: Mapping[str, str]) -> str:
    if event.status != 401:
        return f"got {_answer(event)}, not 401"
    if _json(event.body) != wanted:
        return f"was told {event.body!r}, not {json.dumps(wanted)}"
    return ""


def _not_missing_a_secret(event: ApiAnswered) -> str:
    # section "Nodes": what the API says to a node without credentials
    return _not_told(event, {"error": "missing authentication information"})


def _not_a_wrong_secret(event: ApiAnswered) -> str:
    # vpn-server-api 2.1.5: what it says to one with the wrong secret
    return _not_told(event, {"error": "invalid authentication information"})


def _not_forbidden(event: ApiAnswered) -> str:
    if event.status != 403:
        return f"got {_answer(event)}, not 403"
    if not event.content_type.startswith("text/html") or _json(event.body) is not None:
        return f"got a 403 of the API itself ({event.content_type}), not of Apache"
    return ""


def _answer(event: ApiAnswered) -> str:
    return str(event.status) if event.status else f"no answer ({event.detail})"


def _json(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
