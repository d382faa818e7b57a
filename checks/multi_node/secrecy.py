"""MN-32: no secret stands in a log, on a command line, in a file that everybody may read.

Nor in the evidence as it stands then; that is searched once more when the run ends, with what the
report is made of. It shows something only where the secrets were used: users logged in, and clients
were connected to each node.
"""

from __future__ import annotations

from typing import get_args

from checks.engine.obligations import Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.portal import PRINTED
from checks.multi_node.tunnels import visits
from evidence.events.installed import Place, SecretsSearched
from evidence.events.portal import PortalLogin
from evidence.scenario import Evidence

OF_MACHINES: tuple[Place, ...] = get_args(Place)[:-1]
OF_RUN: Place = get_args(Place)[-1]
RUN = "scenario"
"""Who searches the run's own evidence."""
_SHOWN = 10


@check("MN-32")
def secrets_are_kept(evidence: Evidence, owed: Obligations) -> None:
    """Judge what was found on each machine, in each kind of place, and in the evidence."""
    site = deployment(evidence, owed)
    every = evidence.need(SecretsSearched)
    known = sorted({secret for event in every for secret in event.secrets})
    if not known:
        owed.open("no secret was looked for")
    last = {(event.source, event.where): event.at_ns for event in every}
    _owe_use(evidence, site, min(last.values()), owed)
    for source, places in (*((name, OF_MACHINES) for name in site.hosts), (RUN, (OF_RUN,))):
        for place in places:
            where = f"{place} of {source}" if source != RUN else place
            one = owed.owe(f"no secret stands in {where}")
            for event in every:
                if (event.source, event.where) != (source, place):
                    continue
                for found in event.found[:_SHOWN]:
                    one.broken(f"{found.secret} stands in {where}: {found.at}", event.place)
                for what in event.unread:
                    one.doubt(f"{where}: {what} was not searched", event.place)
                if not event.searched:
                    one.doubt(f"there was nothing to search in {where}", event.place)
                elif missing := sorted(set(known) - set(event.secrets)):
                    one.doubt(f"{where}: not looked for: {', '.join(missing)}", event.place)
                else:
                    one.met(event.place)
    owed.tell(f"{len(known)} secrets were looked for: {', '.join(known)}")


def _owe_use(evidence: Evidence, site: Deployment, over_ns: int, owed: Obligations) -> None:
    """Owe that passwords and keys had been used when a place was searched for the last time."""
    logins = evidence.events(PortalLogin, site.client.name)
    for user in PRINTED:
        one = owed.owe(f"{user} had logged in")
        for login in logins:
            used = (login.user, login.credentials, login.status) == (user, "printed", 302)
            if used and login.at_ns <= over_ns:
                one.met(login.place)
    attempts = [one for one in visits(evidence, site) if one.tried.at_ns <= over_ns]
    for node in site.nodes:
        one = owed.owe(f"a client was connected to {node}")
        for attempt in attempts:
            if attempt.tried.up and site.node_of(attempt.tried.remote) == node:
                one.met(attempt.tried.place)
