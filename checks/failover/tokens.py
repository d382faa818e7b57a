"""FO-36 to 38: how clients authenticate to the node that took over.

After a refused token a client silently tries its cached password, so "connected" alone proves
nothing: the password must have been used up, and the new node's verify calls counted. A token
that another secret made is refused too, so a refusal counts with its cause only, and the cause
must have been logged of that client's connection: others are refused at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from checks.engine.lateness import missed
from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.failover.after_takeover import of_new_holder, served_by_the_old_alone
from checks.failover.recorded import Recorded
from checks.failover.takeover import takeovers
from evidence.events.session import SessionResumed, TokenTried
from evidence.moment import NS
from evidence.scenario import Evidence

EXPIRED = "auth-token from client expired"
NOT_NOW = "out of the renewal window"
FORGED = "HMAC on token from client failed"
"""What OpenVPN 2.6 logs of a token (auth_token.c; seen of 2.6.14 in each case): `NOT_NOW` of one
whose time stamp is in the future, or two renewals old, and `EXPIRED` after that as well as of one
that is past its lifetime; `FORGED` of one that another secret made."""
CLOCK_BEHIND_S = 120.0
"""How far the standby's clock is behind: a client that is away for longer shows a token that is
from the past by that clock too, and has to be let in."""
TWO_RENEWALS_S = 240.0
"""Two of the shortest renewals that OpenVPN 2.6 starts with: twice its hand window of 60 s each. A
token that is younger by the node's clock is not refused for its age."""
BACK_S = 60.0
"""The guide's "about a minute": a client that is not back sooner after a fault may yet come."""
REFUSALS = ("lifetime-over", "clock-behind")


@check("FO-36")
def the_token_is_enough(evidence: Evidence, owed: Obligations) -> None:
    """Owe that a client was connected again by its token, with no verify call at all."""
    for one, event in _resumed(evidence, owed, "token"):
        if not event.password_spent:
            one.doubt(f"{event.client}'s password still worked, so it could have been used")
        one.settle(
            event.verify_calls == 0,
            f"{event.verify_calls} verify call(s) on {event.source} for {event.client}",
            event.place,
        )


@check("FO-38")
def an_auto_login_needs_its_certificate_alone(evidence: Evidence, owed: Obligations) -> None:
    """Owe that an auto-login client was connected again without a user name.

    A node that checks log-ins calls for these too, with an empty one (`auth-user-pass-optional`),
    so a log without any call is not the log of this connection.
    """
    for one, event in _resumed(evidence, owed, "certificate"):
        if event.connected and event.verify_calls == 0:
            why = f"no verify call of {event.client} on {event.source} was logged"
            one.doubt(f"{why}, so what it sent is not known", event.place)
        one.settle(
            not event.user_name_sent,
            f"{event.client} sent a user name, not only its certificate",
            event.place,
        )


def _resumed(
    evidence: Evidence, owed: Obligations, method: Literal["token", "certificate"]
) -> Iterator[tuple[Obligation, SessionResumed]]:
    """Owe after each takeover that each client came back to the new node, and that one was watched.

    Whether it is back is judged by what was seen of it last, the rest by all that is yielded: a
    first attempt may fail, but not ask for a password.
    """
    recorded = Recorded(evidence)
    found = takeovers(recorded, owed)
    for takeover in found:
        node = takeover.peer.name
        seen: dict[str, list[SessionResumed]] = {}
        for event in of_new_holder(recorded, found, SessionResumed, only=takeover):
            if event.method == method:
                seen.setdefault(event.client, []).append(event)
        if not seen:
            owed.open(f"{takeover}: no client with a {method} was watched on {node}")
        for client, events in seen.items():
            one, last = owed.owe(f"{client} was back on {node} by its {method} alone"), events[-1]
            if why := served_by_the_old_alone(recorded, takeover, last):
                one.doubt(why, recorded.wire)
            seconds = (last.moment.earliest_ns - takeover.injected.at_ns) / NS
            if not last.connected and seconds < BACK_S:
                why = f"{client} was not connected {seconds:.1f} s after {takeover}"
                one.doubt(f"{why}, and was not watched for longer", last.place)
            elif not last.connected:
                why, span = f"{client} was not connected again", (takeover.taken.at_ns, last.at_ns)
                whose = {late.of for late in recorded.lateness} - {takeover.victim.name}
                excess_s = max(seconds - BACK_S, 1 / NS)
                missed(one, why, excess_s, span, whose, recorded.lateness, last.place)
            else:
                one.met(last.place)
            yield from ((one, event) for event in events)


@check("FO-37")
def a_token_fails_when_it_should(evidence: Evidence, owed: Obligations) -> None:
    """Owe that a token past its lifetime, and one from the future, is refused for that reason."""
    recorded = Recorded(evidence)
    tried = of_new_holder(recorded, takeovers(recorded, owed), TokenTried)
    for case in REFUSALS:
        one = owed.owe(f"a token is refused: {case}")
        for event in tried:
            if event.case == case:
                _judge_refusal(one, event)


def _judge_refusal(one: Obligation, event: TokenTried) -> None:
    """Want the cause of the case: a token refused for another one shows nothing about it."""
    case, said = event.case, [line.text for line in event.logged if line.client == event.client]
    future, over = (any(cause in text for text in said) for cause in (NOT_NOW, EXPIRED))
    if event.accepted and case == "clock-behind" and event.age_s >= CLOCK_BEHIND_S:
        one.doubt(f"{case}: the token was {event.age_s} s old, so not from the future any more")
    elif event.accepted:
        one.broken(f"the token of {event.client} was accepted although {case}", event.place)
    elif not said:
        one.broken(f"{case}: {event.client} was refused without a reason of its own", event.place)
    elif any(FORGED in text for text in said):
        one.broken(f"{case}: refused because another secret made it: {said[0]}", event.place)
    elif case == "lifetime-over" and over and not future:
        one.met(event.place)
    elif case == "clock-behind" and future:
        if event.age_s < CLOCK_BEHIND_S + TWO_RENEWALS_S:
            one.met(event.place)
        else:
            one.doubt(f"{case}: the token was {event.age_s} s old, and may be refused for that")
    else:
        one.doubt(f"{case}: refused, but for another cause: {'; '.join(said)}", event.place)
