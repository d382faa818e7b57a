"""First steps in setting up the primary node: an Access Server as any other, and rsync."""

from __future__ import annotations

from provision.action import Command, Remember
from provision.failover import access_server, errata
from provision.failover.access_server import ETC, HOME, SACLI
from provision.failover.site import Site
from provision.platform import Platform
from provision.step import Step

SECTION = "First steps in setting up the primary node"

ADMINISTRATOR = "openvpn"
PASSWORD_FILE = f"{HOME}/openvpn-password"
PASSWORD_NOTE = "password of openvpn"  # noqa: S105 - the note's name, not the password


def steps(site: Site, platform: Platform, heartbeat: str) -> list[Step]:
    """Return the steps of the section; the port forward is the gateway's."""
    return [
        *access_server.install(site.primary, SECTION, platform, heartbeat),
        _initialise(site),
        access_server.rsync(site.primary, SECTION, platform),
    ]


def _initialise(site: Site) -> Step:
    choose = (
        f"umask 077\n"
        f"openssl rand -hex 12 > {PASSWORD_FILE}.new\n"
        f"mv {PASSWORD_FILE}.new {PASSWORD_FILE}"
    )
    return Step(
        name="set up the primary",
        section=SECTION,
        machine=site.primary.name,
        changes=f"Access Server serves alone; {ADMINISTRATOR} may use its Admin UI",
        actions=(
            Command(
                f"ovpn-init --batch --force --host={site.public_fqdn}",
                creates=f"{ETC}/node-role",
                hides="the first password of the administrator, replaced at once",
            ),
            Command(choose, creates=PASSWORD_FILE),
            Command(
                f"{SACLI} --user {ADMINISTRATOR} --value_file {PASSWORD_FILE} SetLocalPassword",
                once="administrator-password",
                after=(PASSWORD_FILE,),
            ),
            Remember(PASSWORD_NOTE, f"cat {PASSWORD_FILE}"),
            access_server.answers(site.primary.ipv4),
        ),
        errata=(errata.NO_DNS,),
        module=__name__,
    )
