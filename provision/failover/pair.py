"""Configure the failover function: Validate, Commit and Restart, restart the secondary.

The page's two buttons are addresses that take JSON, with the administrator's password.
"""

from __future__ import annotations

import json

from provision.action import Command
from provision.failover import access_server, errata
from provision.failover.access_server import HOME, SACLI, SERVICE, WEB_PORT
from provision.failover.primary import ADMINISTRATOR, PASSWORD_NOTE
from provision.failover.site import Site
from provision.files import WriteFile
from provision.notes import placeholder
from provision.step import Step

SECTION = "Configure the failover function"
PAIR_FILE = f"{HOME}/failover.json"
COMMITTED = "commit and restart"

_ASK = """\
read -r PASSWORD
ask() {{
    printf 'user = "{administrator}:%s"\\n' "$PASSWORD" |
        curl -sSk --max-time 240 --config - -H 'Content-Type: application/json' \\
            --data @{file} "https://{address}:{port}/admin/failover/$1"
}}
answer=$(ask validate)
echo "$answer"
echo "$answer" | grep -Eq '"good": ?true'
answer=$(ask commit)
echo "$answer"
echo "$answer" | grep -Eq '"committed": ?true'"""


def steps(site: Site, heartbeat: str) -> list[Step]:
    """Return the steps of the section; the port forward is the gateway's."""
    return [_commit(site, heartbeat), _restart_secondary(site)]


def page(site: Site, heartbeat: str) -> dict[str, object]:
    """Return what the failover page is filled in with."""
    return {
        "mode": "ucarp",
        "engine": heartbeat,
        "virtual_ip": site.virtual_ip,
        "primary": {"host": site.primary.ipv4},
        "secondary": {"host": site.secondary.ipv4},
    }


def _commit(site: Site, heartbeat: str) -> Step:
    script = _ASK.format(
        administrator=ADMINISTRATOR, file=PAIR_FILE, address=site.primary.ipv4, port=WEB_PORT
    )
    reached = [f"{node.name} reaches {site.partner(node).name} as root" for node in site.nodes]
    return Step(
        name=COMMITTED,
        section=SECTION,
        machine=site.primary.name,
        changes=f"the primary serves {site.virtual_ip}, and sends heartbeats",
        actions=(
            WriteFile(PAIR_FILE, json.dumps(page(site, heartbeat), indent=2) + "\n", mode=0o600),
            Command(
                script,
                once="failover-commit",
                after=(PAIR_FILE,),
                stdin=placeholder(PASSWORD_NOTE),
                timeout=600,
            ),
            access_server.answers(site.virtual_ip),
        ),
        needs=(*reached, f"rsync on {site.secondary.name}"),
        errata=(errata.WEB_PAGE, errata.MULTICAST),
        module=__name__,
    )


def _restart_secondary(site: Site) -> Step:
    standby = f'{SACLI} FailoverStatus | grep -q \'"state": "BACKUP"\''
    return Step(
        name="restart the secondary",
        section=SECTION,
        machine=site.secondary.name,
        changes="the secondary stands by, and serves nothing",
        actions=(
            Command(f"service {SERVICE} restart", once="restart-secondary"),
            access_server.eventually(standby),
        ),
        needs=(COMMITTED,),
        module=__name__,
    )
