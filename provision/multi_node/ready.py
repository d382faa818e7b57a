"""When the deployed multi-node lab is ready: names resolve, the API answers, each node serves.

Waited for once, after the last step and before the lab is frozen.
"""

from __future__ import annotations

from functools import partial

from lab.lab import Lab
from lab.machine import Machine
from lab.wait import until
from provision.multi_node.site import Site

_UNITS_OF_NODES = "systemctl is-active --quiet 'openvpn-server@*'"


def wait_until_ready(lab: Lab) -> None:
    """Wait until names resolve, the API refuses politely, and each node's OpenVPN runs.

    DeadlinePassed says which of them did not come.
    """
    site = Site.of(lab.topology)
    url = f"https://{site.controller.fqdn}/vpn-server-api/api.php"
    for node in site.nodes:
        machine = lab[node.name]
        until(partial(_refused, machine, url), 60, f"{url} to answer {node.name} with 401")
        until(partial(_serves, machine), 60, f"OpenVPN to run on {node.name}")


def _refused(machine: Machine, url: str) -> bool:
    asked = machine.run(f"curl -s -o /dev/null -w '%{{http_code}}' {url}", check=False)
    return asked.stdout == "401"


def _serves(machine: Machine) -> bool:
    return machine.run(_UNITS_OF_NODES, check=False).status == 0
