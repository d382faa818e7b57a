"""MN-19: a deleted certificate and a disabled user cannot connect.

Refused is who was let in before with the same configuration, reached the node, and was turned away
there by the connect hook, for the reason that the API gives: a node that is down, or a hook that
cannot ask, keeps everybody out, and shows nothing. Who was refused in the end may have been let in
before that: the wire tells.
"""

from __future__ import annotations

from collections.abc import Mapping

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.engine.verdict import Status
from checks.multi_node.deployment import deployment
from checks.multi_node.disconnecting import (
    enabled_again,
    judge_deed,
    judge_sender,
    judge_unused,
    last_attempts_before,
)
from checks.multi_node.service import Service
from checks.multi_node.traffic import FRAME_LATE_NS, Traffic, traffic
from checks.multi_node.tunnels import REFUSED, Attempt, every_attempt
from evidence.events.portal import AccountActed, HookRefused
from evidence.moment import Window
from evidence.scenario import Evidence

KEPT_OUT: Mapping[str, str] = {
    "delete": "a deleted certificate",
    "disable": "a disabled user",
}
# vpn-server-api 2.1.5: what it answers to the connect hook, which logs it
REASONS: Mapping[str, str] = {
    "delete": "user or certificate does not exist",
    "disable": "account is disabled",
}


@check("MN-19")
def kept_out(evidence: Evidence, owed: Obligations) -> None:
    """Refuse by the hook whom it let in, once the certificate or the user is not good."""
    site = deployment(evidence, owed)
    seen = traffic(evidence, site)
    before, every = last_attempts_before(evidence, site), every_attempt(evidence, site)
    acted = evidence.events(AccountActed, site.client.name)
    for action, who in KEPT_OUT.items():
        acts = [one for one in acted if one.action == action]
        if not acts:
            owed.open(f"{who} was not tried")
        for act in acts:
            judge_deed(act, site, seen, owed.owe(f"the portal takes {who} away"))
            first = before.get(act.client)
            was_in = owed.owe(f"{act.client} was let in before it was {who}")
            if first is not None:
                _judge_before(first, seen, was_in)
                judge_sender(first, seen, owed)
            refused = owed.owe(f"{act.client}, {who}, is refused")
            until_ns = enabled_again(act, acted)
            after = [one for one in every if _is_kept_out(one, act, until_ns)]
            for attempt in after:
                if attempt.tried.up:
                    refused.broken(f"{attempt.name} got in", attempt.tried.place)
                since_ns = attempt.during.from_ns + FRAME_LATE_NS
                during = Window(since_ns, min(attempt.during.until_ns, until_ns))
                judge_unused(f"{attempt.name} got in", Service.of(attempt, seen), during, refused)
            if first is not None:
                _judge_begun(Service.of(first, seen), Window(act.at_ns, until_ns), refused)
            for attempt in after[-1:]:
                _judge_refusal(attempt, seen, refused)
                _judge_reason(attempt, act, evidence, refused)


def _judge_before(first: Attempt, seen: Traffic, was_in: Obligation) -> None:
    """Discharge that a client was let in before: one that was not can show nothing afterwards."""
    as_it_was = Obligation(was_in.what)
    first.judge(seen, as_it_was)
    if as_it_was.status is Status.PASS:
        was_in.met(*as_it_was.evidence)
    elif as_it_was.violations or as_it_was.doubts:
        was_in.doubt("; ".join(as_it_was.reasons), *as_it_was.evidence)
    else:
        was_in.late("; ".join(as_it_was.delays), *as_it_was.evidence)


def _judge_begun(service: Service, out: Window, refused: Obligation) -> None:
    """Break an obligation by a session that a client began by itself while it was kept out."""
    for begun_ns in service.begun:
        if out.from_ns + FRAME_LATE_NS < begun_ns < out.until_ns:
            said = f"{service.client} got in"
            judge_unused(said, service, Window(begun_ns, out.until_ns), refused)


def _is_kept_out(attempt: Attempt, act: AccountActed, until_ns: int) -> bool:
    """Whether an attempt is a client's after it was kept out, and before it was enabled again."""
    tried = attempt.tried
    is_between = act.at_ns <= attempt.during.from_ns and tried.at_ns <= until_ns
    return tried.client == act.client and is_between


def _judge_refusal(attempt: Attempt, seen: Traffic, one: Obligation) -> None:
    tried = attempt.tried
    if REFUSED not in tried.detail:
        one.doubt(f"{attempt.name} was not refused, only not let in: {tried.detail}", tried.place)
    elif not seen.established(attempt.flow, attempt.during):
        one.doubt(f"{attempt.name}: the wire shows no handshake", seen.capture_place)
    else:
        one.met(tried.place, seen.capture_place)


def _judge_reason(attempt: Attempt, act: AccountActed, evidence: Evidence, one: Obligation) -> None:
    node = attempt.site.node_of(attempt.tried.remote)
    reason = REASONS[act.action]
    logged = [
        event
        for event in evidence.events(HookRefused, node)
        if event.client == act.client and event.at_ns >= act.at_ns
    ]
    for event in logged:
        if any(reason in message for message in event.messages):
            one.met(event.place)
            return
    said = "; ".join(message for event in logged for message in event.messages)
    one.doubt(f"the connect hook of {node} does not say {reason!r}, but {said or 'nothing'}")
