"""Maintenance: the guide's four scripts, and what lets the published ones run on Debian.

The section is followed on a lab that is deployed, whenever a scenario wants it to be; a deployment
only sees to it that the scripts are there, and can be run.
"""

from __future__ import annotations

import shlex

from provision.action import Action, Check, Command
from provision.multi_node import errata, genuine_errata
from provision.multi_node.nodes import SECTION as NODES
from provision.multi_node.requirements import ARCHIVE, HOME
from provision.multi_node.site import Host, Site
from provision.platform import Platform
from provision.step import Step

SECTION = "Maintenance"
SCRIPTS = f"{ARCHIVE}/multi_node"
STOP_NODE, UPDATE_CONTROLLER = "stop_node.sh", "update_controller.sh"
UPDATE_NODE, START_NODE = "update_node.sh", "start_node.sh"
OF_CONTROLLER, OF_NODE = (UPDATE_CONTROLLER,), (STOP_NODE, UPDATE_NODE, START_NODE)


def typed(script: str) -> str:
    """Return how one of the scripts is called, as the guide calls its others."""
    return f"cd {HOME}\n{SCRIPTS}/{script}"


def steps(site: Site) -> list[Step]:
    """Return the steps of the section, in the guide's order: all nodes before what follows."""
    stop = [_step(f"stop {node.name}", node, STOP_NODE, ()) for node in site.nodes]
    controller = _step(
        "update the controller", site.controller, UPDATE_CONTROLLER, tuple(s.name for s in stop)
    )
    update = [
        _step(f"update {node.name}", node, UPDATE_NODE, (controller.name,)) for node in site.nodes
    ]
    start = [
        _step(f"start {node.name}", node, START_NODE, tuple(s.name for s in update))
        for node in site.nodes
    ]
    return [*stop, controller, *update, *start]


_CHANGES = {
    STOP_NODE: "clients are told, and their disconnect is logged at the controller",
    UPDATE_CONTROLLER: "the controller's software is updated",
    UPDATE_NODE: "the node's software, its configurations and its firewall are new",
    START_NODE: "OpenVPN runs again; a reboot does the same",
}


def _step(name: str, host: Host, script: str, needs: tuple[str, ...]) -> Step:
    return Step(
        name=name,
        section=SECTION,
        machine=host.name,
        changes=_CHANGES[script],
        actions=(Command(typed(script), timeout=900),),
        needs=needs,
        errata=(errata.NOTHING_TO_UPDATE_FROM,) if "update" in script else (),
        module=__name__,
    )


def ready(site: Site, platform: Platform, *, genuine: bool = False) -> list[Step]:
    """Return the steps that see to it that the scripts are there and run on `platform`."""
    amended = genuine and platform.os_id == "debian"
    wanted = [(site.controller, OF_CONTROLLER), *((node, OF_NODE) for node in site.nodes)]
    return [
        Step(
            name=f"maintenance scripts on {host.name}",
            section=NODES,
            machine=host.name,
            changes="the scripts of the section Maintenance can be run",
            actions=(*(_amended(platform) if amended else ()), _there(scripts)),
            errata=(
                *((genuine_errata.MAINTENANCE_ON_DEBIAN,) if amended else ()),
                errata.NOTHING_TO_UPDATE_FROM,
            ),
            module=__name__,
        )
        for host, scripts in wanted
    ]


def _there(scripts: tuple[str, ...]) -> Check:
    return Check(" && ".join(f"[ -x {HOME}/{SCRIPTS}/{script} ]" for script in scripts))


def _amended(platform: Platform) -> tuple[Action, ...]:
    """Return what reads the names of CentOS in both updates as Debian's."""
    edits = (
        "s/yum clean expire-cache/apt-get update/",
        "s/yum -y update/DEBIAN_FRONTEND=noninteractive apt-get -y upgrade/",
        f"s/\\bhttpd\\b/{platform.apache}/",
        f"s/\\bphp-fpm\\b/{platform.php_fpm}/",
        f"s/restart iptables$/restart {platform.firewall_service}/",
        "/restart ip6tables$/d",
    )
    sed = " ".join(f"-e {shlex.quote(one)}" for one in edits)
    scripts = f"{UPDATE_CONTROLLER} {UPDATE_NODE}"
    gone = "yum|httpd|ip6tables| php-fpm"
    return (
        Command(
            f"cd {HOME}/{SCRIPTS}\n"
            f"for script in {scripts}; do\n"
            "    cp -p $script $script.published\n"
            f"    sed -i {sed} $script\n"
            "done",
            unless=f"[ -e {HOME}/{SCRIPTS}/{UPDATE_NODE}.published ]",
        ),
        Check(f"cd {HOME}/{SCRIPTS} && ! grep -E -e {shlex.quote(gone)} {scripts}"),
    )
