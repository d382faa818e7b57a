"""Client configurations: downloaded without a browser, and kept for the scenarios to use.

From the genuine portal by its pages, as a browser does; the drop-in has a command instead.

Each takes the controller seconds of RSA without hardware virtualisation, so a number of them is
downloaded as the guide's last step, and is frozen with the lab.
"""

from __future__ import annotations

import shlex
from pathlib import Path, PurePosixPath

from provision.action import Action, Command
from provision.files import WriteFile
from provision.multi_node.site import Site
from provision.platform import Platform
from provision.step import Step
from provision.target import Target

#: How many configurations there are for two nodes, and for each further one: as many as the fewest
#: clients that show a fair spread.
COUNT, EACH_FURTHER = 16, 15
KEPT = PurePosixPath("/root/profiles")
_END = "--- end of a client configuration ---"
_SECONDS_EACH = 60
_PAGES = "/usr/local/bin/portal-download"


def count(site: Site) -> int:
    """Return how many configurations there are."""
    return COUNT + EACH_FURTHER * max(0, len(site.nodes) - 2)


def step(
    site: Site, platform: Platform, section: str, needs: tuple[str, ...], *, genuine: bool = False
) -> Step:
    """Return the step that downloads a configuration of the merged profile for each user."""
    profile, number = site.nodes[0].name, count(site)
    portal = f"https://{site.controller.fqdn}/vpn-user-portal/"
    issue = f"vpn-user-portal-issue --user user-$1 --profile {profile} --name laptop"
    if genuine:
        issue = f"{_PAGES} {portal} user-$1 {profile} {platform.apache_user}"
    # Two at a time: as many as a machine has processors.
    download = (
        f"mkdir -p -m 700 {KEPT}\ncd {KEPT}\n"
        f"seq {number} | xargs -P 2 -n 1 sh -c "
        + shlex.quote(
            "[ -e user-$1.ovpn ] || "
            f"{{ {issue} > user-$1.part && mv user-$1.part user-$1.ovpn; }} || exit 255"
        )
        + " download"
    )
    return Step(
        name="configurations for clients",
        section=section,
        machine=site.controller.name,
        changes=f"{number} users have downloaded a configuration of the profile all see",
        actions=(
            *(_browser() if genuine else ()),
            Command(
                download,
                unless=f"[ $(ls {KEPT}/*.ovpn 2>/dev/null | wc -l) -eq {number} ]",
                timeout=_SECONDS_EACH * number,
            ),
        ),
        needs=needs,
        module=__name__,
    )


def _browser() -> tuple[Action, ...]:
    script = Path(__file__).with_name("portal-download.sh").read_text()
    return (WriteFile(_PAGES, script, mode=0o755),)


def downloaded(controller: Target) -> list[str]:
    """Return the configurations that `step` has downloaded, one a user."""
    asked = f"for file in {KEPT}/*.ovpn; do cat $file && printf '\\n%s\\n' '{_END}' || exit; done"
    said = controller.run(asked).stdout
    return [text.lstrip("\n").removesuffix("\n") for text in said.split(f"{_END}\n")[:-1]]
