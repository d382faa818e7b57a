"""Who used the nodes that were maintained, and what it cost them: for MN-25 and MN-27.

The cost is told by the wire: how long each client was away, and for how long all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checks.engine.obligations import Obligations
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.proofs import maintenance
from checks.multi_node.service import Service
from checks.multi_node.steps import Maintenance
from checks.multi_node.traffic import Traffic, traffic
from checks.multi_node.tunnels import Attempt, had_left, last_attempts, owe_looks
from checks.protocols.spread import spread
from evidence.events.multi_node import TunnelStarted, TunnelTried
from evidence.moment import Window
from evidence.scenario import Evidence


@dataclass(frozen=True)
class User:
    """A client that was connected when the maintenance began, and how it is in the end."""

    before: Attempt
    after: Attempt
    node: str
    service: Service

    @property
    def name(self) -> str:
        """Its name."""
        return self.before.tried.client

    @property
    def place(self) -> str:
        """Where it is said that it was connected."""
        return self.before.tried.place


@dataclass(frozen=True)
class Maintained:
    """A maintenance of a site, what the wire carried, and who used it."""

    site: Deployment
    steps: Maintenance
    seen: Traffic
    users: Sequence[User]

    @classmethod
    def of(cls, evidence: Evidence, owed: Obligations) -> Maintained:
        """Read it, and owe that each node had a client, and answers for its addresses itself."""
        site = deployment(evidence, owed)
        steps = maintenance(evidence, site)
        seen = traffic(evidence, site)
        seen.judge_senders(owed)
        owe_looks(evidence, owed)
        users = _users(evidence, steps, seen)
        for user in users:
            user.before.judge(seen, owed.owe(f"{user.before.name}: connected when it began"))
        owed.each(site.nodes, [one.node for one in users], "used by a client before")
        owed.each(_sent(evidence, steps), [one.name for one in users], "connected before")
        return cls(site, steps, seen, users)


def _sent(evidence: Evidence, steps: Maintenance) -> list[str]:
    """Return who was sent to connect before the maintenance, and did not leave; Missing if none."""
    begun, planned_ns = evidence.need(TunnelStarted), steps.planned.at_ns
    sent = dict.fromkeys(one.client for one in begun if one.at_ns < planned_ns)
    return [client for client in sent if not had_left(client, planned_ns, evidence)]


def _users(evidence: Evidence, steps: Maintenance, seen: Traffic) -> list[User]:
    """Return who was connected before the maintenance, with how each stands in the end."""
    planned_ns = steps.planned.at_ns
    tried = [one for one in evidence.need(TunnelTried) if one.at_ns < planned_ns]
    last = {x.client: x for x in tried if not had_left(x.client, planned_ns, evidence)}
    found = []
    for after in last_attempts(evidence, seen.site):
        tried_before = last.get(after.tried.client)
        node = seen.site.node_of(tried_before.remote) if tried_before else None
        if tried_before is not None and node is not None:
            until = Window(evidence.window.from_ns, planned_ns)
            before = Attempt(tried_before, until, seen.site)
            found.append(User(before, after, node, Service.of(after, seen)))
    return found


def cost(case: Maintained) -> list[str]:
    """Say how long each client was away, by the wire, and what that comes to."""
    steps = case.steps.steps
    during = Window(steps[0].began.earliest_ns, max(one.ended.latest_ns for one in steps))
    away = {user.name: user.service.away(during) for user in case.users}
    seconds = {name: one.seconds for name, one in away.items() if one is not None}
    if not seconds:
        return []
    total_s, each = sum(seconds.values()), ", ".join(f"{n} {s:.1f} s" for n, s in seconds.items())
    return [
        f"the maintenance took {during.seconds:.1f} s, and cost {len(seconds)} clients"
        f" {total_s:.0f} s of service in all",
        f"away, by the wire: {each}; {spread(seconds.values())}",
    ]
