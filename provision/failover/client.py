"""The client outside: a place for OpenVPN clients who know the pair by its public name."""

from __future__ import annotations

from provision.action import Command
from provision.failover import errata
from provision.failover.access_server import static_address
from provision.failover.primary import SECTION
from provision.failover.site import Site
from provision.platform import Platform
from provision.step import Step
from provision.vpn_clients import place_for_clients


def steps(site: Site, platform: Platform) -> list[Step]:
    """Return the client machine's steps."""
    record = f"{site.public_ip} {site.public_fqdn}"
    return [
        static_address(site.client, SECTION, platform),
        Step(
            name="public name",
            section=SECTION,
            machine=site.client.name,
            changes=f"{site.public_fqdn} is the gateway's address outside",
            actions=(
                Command(
                    f"echo '{record}' >> /etc/hosts", unless=f"grep -qxF '{record}' /etc/hosts"
                ),
            ),
            errata=(errata.NO_DNS,),
            module=__name__,
        ),
        place_for_clients(site.client.name, SECTION),
    ]
