"""Requirements: static addresses, working DNS, and the unpacked archive on the three hosts.

The certificate authority that the lab has instead of Let's Encrypt becomes trusted here.
"""

from __future__ import annotations

from pathlib import Path

import provision
from provision.action import Check, Command
from provision.files import Unpack, WriteFile
from provision.firewall import open_to_the_wire
from provision.genuine.build import SCRIPTS, Built
from provision.multi_node import errata, genuine_errata, published
from provision.multi_node.services import AUTHORITY_NOTE
from provision.multi_node.site import Host, Site
from provision.notes import placeholder
from provision.platform import Platform
from provision.step import Step

SECTION = "Requirements"

#: What the guide's archive unpacks to, and where.
ARCHIVE = SCRIPTS
HOME = "/root"
ARCHIVE_FILE = f"{HOME}/v2.tar.gz"


def steps(site: Site, platform: Platform, genuine: Built | None = None) -> list[Step]:
    """Return the steps of the section, a few for each machine."""
    made = [_addresses(host, site, platform) for host in site.hosts]
    made += [_trust(host, platform) for host in site.hosts]
    deployed = (site.controller, *site.nodes)
    made += [_archive(host, genuine) for host in deployed]
    if genuine is not None:
        made += [published.repository_step(host, genuine, platform, SECTION) for host in deployed]
    return made


def _addresses(host: Host, site: Site, platform: Platform) -> Step:
    names = [peer.fqdn for peer in site.hosts]
    resolver = f"search {site.domain}\nnameserver {site.services.ipv4}\n"
    return Step(
        name=f"addresses and DNS of {host.name}",
        section=SECTION,
        machine=host.name,
        changes="static addresses are set and every machine's name is known",
        actions=(
            Check(platform.is_release),
            *open_to_the_wire(platform),
            Check(f"ip -4 -o address show | grep -F ' {host.ipv4}/'"),
            Check(f"ip -6 -o address show | grep -F ' {host.ipv6}/'"),
            WriteFile("/etc/resolv.conf", resolver),
            Check(" && ".join(f"getent ahosts {name}" for name in names)),
        ),
        needs=("name server",) if host != site.services else (),
        module=__name__,
    )


def _trust(host: Host, platform: Platform) -> Step:
    anchor = f"{platform.trust_anchors}/vpnproof-lab.crt"
    return Step(
        name=f"trust in the lab's authority on {host.name}",
        section=SECTION,
        machine=host.name,
        changes="certificates of the lab's authority are accepted",
        actions=(
            WriteFile(anchor, placeholder(AUTHORITY_NOTE)),
            Command(platform.trust_update, once="trust-update", after=(anchor,)),
        ),
        needs=("certificate authority",),
        errata=(errata.CERTIFICATE_AUTHORITY,),
        module=__name__,
    )


def _archive(host: Host, genuine: Built | None) -> Step:
    drop_in = Path(provision.__file__).parent / "reference" / ARCHIVE
    source = genuine.scripts if genuine else drop_in
    return Step(
        name=f"archive on {host.name}",
        section=SECTION,
        machine=host.name,
        changes=f"{HOME}/{ARCHIVE} holds the scripts of the guide",
        actions=(Unpack(source, ARCHIVE, ARCHIVE_FILE),),
        errata=(genuine_errata.ARCHIVE if genuine else errata.ARCHIVE,),
        module=__name__,
    )
