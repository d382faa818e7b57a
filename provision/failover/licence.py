"""Activate license on LAN model failover pair: on the node that is master now."""

from __future__ import annotations

from provision.action import Check, Command
from provision.failover import errata
from provision.failover.access_server import SCRIPTS
from provision.failover.pair import COMMITTED
from provision.failover.site import Site
from provision.step import Step

SECTION = "Activate license on LAN model failover pair"

#: The drop-in reads the number of connections, 25, in the key.
ACTIVATION_KEY = "LAB-25-0123456789abcdef"
CONNECTIONS = 25


def steps(site: Site) -> list[Step]:
    """Return the step of the section, on the primary: a pair that was just made has it active."""
    verify = f"cd {SCRIPTS}\n./sacli SubscriptionStatus | grep SUBSCRIPTION_OK"
    return [
        Step(
            name="activate the subscription",
            section=SECTION,
            machine=site.primary.name,
            changes=f"the pair may serve {CONNECTIONS} connections",
            actions=(
                Command(
                    f'cd {SCRIPTS}\n./sacli -v "{ACTIVATION_KEY}" LoadSubscription',
                    once="load-subscription",
                ),
                Check(verify),
            ),
            needs=(COMMITTED,),
            errata=(errata.LICENCE_SERVER,),
            module=__name__,
        )
    ]
