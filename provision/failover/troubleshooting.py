"""Troubleshooting: tcpdump on the secondary, to see whether the heartbeat arrives."""

from __future__ import annotations

from provision.action import Packages
from provision.failover import errata
from provision.failover.site import Site
from provision.platform import Platform
from provision.step import Step

SECTION = "Troubleshooting"

#: The guide's command, and the one that prints the guide's very lines with tcpdump 4.99.
TCPDUMP = "tcpdump -eni any vrrp"
TCPDUMP_AS_PRINTED = "tcpdump -y LINUX_SLL -eni any vrrp"


def steps(site: Site, platform: Platform) -> list[Step]:
    """Return the step that makes looking possible; looking is the scenarios' part."""
    return [
        Step(
            name="tcpdump on the secondary",
            section=SECTION,
            machine=site.secondary.name,
            changes="tcpdump is there",
            actions=(Packages(platform, ("tcpdump",)),),
            errata=(
                errata.NO_ARCHIVE,
                errata.STOP_IS_RESTART,
                errata.VIRTUAL_MAC,
                errata.CAPTURE_LENGTH,
                errata.NOBODY_JOINED,
            ),
            module=__name__,
        )
    ]
