"""FO-36 to 38: how clients authenticate to the node that took over.

After a refused token a client silently tries its cached password, so "connected" alone proves
nothing: the password must have been used up, and the new node's verify calls counted. A token
that another secret made is refused too, so a refusal counts with its cause only.
"""

from __future__ import annotations

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from evidence.scenario import Evidence

EXPIRED = "auth-token from client expired"
NOT_NOW = "out of the renewal window"
"""What OpenVPN 2.6 logs of a token (auth_token.c; seen of 2.6.14 in each case): `NOT_NOW` of one
whose time stamp is in the future, or two renewals old, and `EXPIRED` after that as well as of one
that is past its lifetime."""
CLOCK_BEHIND_S = 120.0
"""How far the standby's clock is behind: a client that is away for longer shows a token that is
from the past by that clock too, and has to be let in."""
REFUSALS = frozenset({"lifetime-over", "clock-behind"})


@check("FO-36")
def the_token_is_enough(evidence: Evidence) -> Verdict:
    """Judge that a client was connected again by its token, with no verify call at all."""
    found = Findings()
    tried = 0
    for event in evidence.need("session.resumed"):
        if event["method"] != "token":
            continue
        tried += 1
        found.saw(event.place)
        if not event["password_spent"]:
            found.gap(f"{event['client']}'s password still worked, so it could have been used")
        calls = int(event["verify_calls"])
        found.require(bool(event["connected"]), f"{event['client']} was not connected again")
        found.require(calls == 0, f"{calls} verify call(s) on the new node for {event['client']}")
    if not tried:
        found.gap("no client with a token was watched")
    return found.verdict(f"{tried} client(s) connected by token, 0 verify calls")


@check("FO-37")
def a_token_fails_when_it_should(evidence: Evidence) -> Verdict:
    """Judge that a token past its lifetime, or from the future, is refused with a reason."""
    found = Findings()
    cases = set()
    for event in evidence.need("token.tried"):
        case = str(event["case"])
        cases.add(case)
        found.saw(event.place)
        if event["accepted"] and case == "clock-behind" and event["age_s"] >= CLOCK_BEHIND_S:
            found.gap(
                f"{case}: the token was {event['age_s']} s old, so not from the future any more"
            )
            continue
        found.require(not event["accepted"], f"the token was accepted although {case}")
        if not event["accepted"]:
            _judge_reason(found, case, str(event["reason"]))
    missing = REFUSALS - cases
    if missing:
        found.gap(f"not tried: {', '.join(sorted(missing))}")
    return found.verdict("refused when its lifetime is over and when it is from the future")


def _judge_reason(found: Findings, case: str, reason: str) -> None:
    """Want the cause of the case: a token refused for another one shows nothing about it."""
    if not found.require(bool(reason), f"{case}: refused without a reason"):
        return
    causes = {"clock-behind": NOT_NOW in reason}
    causes["lifetime-over"] = EXPIRED in reason and NOT_NOW not in reason
    if not causes.get(case, False):
        found.gap(f"{case}: refused, but for another cause: {reason}")


@check("FO-38")
def an_auto_login_needs_its_certificate_alone(evidence: Evidence) -> Verdict:
    """Judge that an auto-login client was connected again without a user name."""
    found = Findings()
    tried = 0
    for event in evidence.need("session.resumed"):
        if event["method"] != "certificate":
            continue
        tried += 1
        found.saw(event.place)
        found.require(bool(event["connected"]), f"{event['client']} was not connected again")
        found.require(
            not event["user_name_sent"], f"{event['client']} sent a user name, not only its cert"
        )
    if not tried:
        found.gap("no auto-login client was watched")
    return found.verdict(f"{tried} client(s) connected by certificate alone")
