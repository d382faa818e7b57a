"""MN-07: a node that shows no secret is told so. MN-08: everybody else is kept out.

Events read:
    http    of each machine that asked: `url`, `family` (4, 6), `credentials` ("none", "wrong"),
            `status` (0 when no HTTP answer came), `content_type`, `body`, `detail` (curl's words)
"""

from __future__ import annotations

import json
from typing import Any

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.multi_node.guide import FAMILIES, NODES
from evidence.history import Event
from evidence.scenario import Evidence

STRANGERS = ("client", "services")  # machines that no `Require ip` names

# section "Nodes": what the API says to a node without credentials
NO_CREDENTIALS = {"error": "missing authentication information"}
# vpn-server-api 2.1.5: what it says to one with the wrong secret
WRONG_SECRET = {"error": "invalid authentication information"}


@check("MN-07")
def nodes_reach_the_api(evidence: Evidence) -> Verdict:
    """Each node gets, over IPv4 and IPv6, the 401 and the JSON that the guide prints."""
    findings = Findings()
    for node in NODES:
        for family in FAMILIES:
            _judge_json(evidence, node, family, "none", NO_CREDENTIALS, findings)
    return findings.verdict(
        "both nodes reach the API over IPv4 and IPv6 and are asked for a secret"
    )


@check("MN-08")
def others_are_refused(evidence: Evidence) -> Verdict:
    """Other addresses get Apache's own 403, whatever they show; a wrong secret gets a 401."""
    findings = Findings()
    for machine in STRANGERS:
        for family in FAMILIES:
            for credentials in ("none", "wrong"):
                _judge_forbidden(evidence, machine, family, credentials, findings)
    for node in NODES:
        for family in FAMILIES:
            _judge_json(evidence, node, family, "wrong", WRONG_SECRET, findings)
    return findings.verdict("strangers get 403 from Apache; a wrong secret gets 401")


def _asked(
    evidence: Evidence, machine: str, family: int, credentials: str, findings: Findings
) -> Event | None:
    """Return the last such request; note a gap when there is none."""
    for event in reversed(evidence.events("http", machine)):
        if (event["family"], event["credentials"]) == (family, credentials):
            findings.saw(event.place)
            return event
    findings.gap(f"{_who(machine, family, credentials)} did not ask the API")
    return None


def _who(machine: str, family: int, credentials: str) -> str:
    return f"{machine} over IPv{family} with {'no' if credentials == 'none' else 'a wrong'} secret"


def _judge_json(
    evidence: Evidence,
    machine: str,
    family: int,
    credentials: str,
    wanted: dict[str, str],
    findings: Findings,
) -> None:
    event = _asked(evidence, machine, family, credentials, findings)
    if event is None:
        return
    who = _who(machine, family, credentials)
    if not findings.require(event["status"] == 401, f"{who} got {_answer(event)}, not 401"):
        return
    body = _json(event["body"])
    findings.require(body == wanted, f"{who} was told {event['body']!r}, not {json.dumps(wanted)}")


def _judge_forbidden(
    evidence: Evidence, machine: str, family: int, credentials: str, findings: Findings
) -> None:
    event = _asked(evidence, machine, family, credentials, findings)
    if event is None:
        return
    who = _who(machine, family, credentials)
    if not findings.require(event["status"] == 403, f"{who} got {_answer(event)}, not 403"):
        return
    findings.require(
        event["content_type"].startswith("text/html") and _json(event["body"]) is None,
        f"{who} got a 403 of the API itself ({event['content_type']}), not of Apache",
    )


def _answer(event: Event) -> str:
    return str(event["status"]) if event["status"] else f"no answer ({event['detail']})"


def _json(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(text)
    except ValueError:
        return None
