"""VPN clients that are to send through their tunnels: whether each had one when it was to.

Who has none sends nothing, whatever the node's firewall does. So what it was to send shows nothing
of that, and it is judged as a client without a tunnel is: late, or broken for that reason. Of who
was never looked at, nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from checks.engine.obligations import Obligation
from checks.multi_node.deployment import Deployment
from checks.multi_node.traffic import traffic
from checks.multi_node.tunnels import Attempt, last_attempts
from evidence.events.access import ForwardTried
from evidence.events.multi_node import TunnelTried
from evidence.scenario import Evidence


@dataclass(frozen=True)
class Senders:
    """The clients of a scenario, as they stood when they were to send."""

    evidence: Evidence
    site: Deployment

    def without_tunnel(self, event: ForwardTried) -> Attempt | None:
        """Return how a sender was seen to have no tunnel, or None if it was not seen so.

        Who was answered through it had one, however it stood before.
        """
        looks = self.evidence.events(TunnelTried)
        if event.received or not any(one.at_ns <= event.began_ns for one in looks):
            return None
        for last in last_attempts(self.evidence, self.site, until_ns=event.began_ns):
            if last.tried.client == event.source:
                return None if last.tried.up else last
        return None

    def judge(self, event: ForwardTried, one: Obligation) -> bool:
        """Tell whether a sender had no tunnel, and settle an obligation by that if so."""
        found = self.without_tunnel(event)
        if found is None:
            return False
        named = f"{event.source} by {event.node} to {event.target}"
        why = f"{named}: it had no tunnel: {found.tried.detail}"
        found.judge_down(why, {event.node}, traffic(self.evidence, self.site), one)
        return True

    def of_use(self, events: Iterable[ForwardTried]) -> list[ForwardTried]:
        """Leave out what was to be sent by who had no tunnel."""
        return [event for event in events if self.without_tunnel(event) is None]
