"""All in one: the node's software beside the controller's, as on a machine that was set up alone.

That is what convert_to_controller.sh is for. It is done on a controller that is deployed: its node
asks the API of its own machine, and serves one profile.
"""

from __future__ import annotations

from provision.action import Action, Command, Remember
from provision.multi_node import published
from provision.multi_node.controller import CONFIG as API_CONFIG
from provision.multi_node.controller import NODE_NOTE
from provision.multi_node.nodes import CONFIG, apply_changes
from provision.multi_node.requirements import ARCHIVE, HOME
from provision.multi_node.site import Site
from provision.notes import placeholder
from provision.php_config import PhpConfig, Set
from provision.platform import Platform
from provision.step import Step

SECTION = "Converting"
OWN_API = "http://localhost/vpn-server-api/api.php"


def steps(site: Site, platform: Platform, *, genuine: bool = False) -> list[Step]:
    """Return the steps that make the controller an installation that is all in one.

    genuine: by the published scripts, which are amended first, that of the conversion, too.
    """
    profile = site.nodes[0]
    deploy = Command(
        f"cd {HOME}/{ARCHIVE}\n./{platform.deploy_node}",
        once="all-in-one",
        stdin=f"{OWN_API}\n{placeholder(NODE_NOTE)}\n",
        timeout=900,
    )
    served = PhpConfig(
        CONFIG, (Set(("useVpnDaemon",), True), Set(("profileList",), [profile.name]))
    )
    php = f'$c = require "{API_CONFIG}"; echo $c["apiConsumers"]["vpn-server-node"];'
    return [
        Step(
            name="all in one",
            section=SECTION,
            machine=site.controller.name,
            changes="OpenVPN serves on the controller, too",
            actions=(
                *(_amended(platform) if genuine else ()),
                Remember(NODE_NOTE, f"php -r '{php}'"),
                deploy,
                served,
                *apply_changes(profile, once="all-in-one-applied"),
            ),
            module=__name__,
        )
    ]


def _amended(platform: Platform) -> tuple[Action, ...]:
    directory = f"{HOME}/{ARCHIVE}"
    return (
        *published.deploy_script("node", platform, directory),
        *published.apply_changes_amended(directory),
        *published.convert_amended(directory, platform),
    )
