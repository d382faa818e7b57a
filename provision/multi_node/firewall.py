"""Firewall: on each node the guide's own rules, in place of those that are generated.

The section is followed on a lab that is deployed. Its texts are the guide's, with a node's own
addresses and ranges; `as_printed` leaves out what the errata add.
"""

from __future__ import annotations

from dataclasses import dataclass

from provision.action import Check, Service
from provision.files import WriteFile
from provision.multi_node import errata
from provision.multi_node.nodes import CONFIG, DAEMON_PORT
from provision.multi_node.site import Host, Site
from provision.php_config import PhpConfig, Set
from provision.platform import Platform
from provision.step import Step

SECTION = "Firewall"
EXTERNAL = "wire0"
"""What a lab's machines call the interface that the guide calls ens160."""


@dataclass(frozen=True)
class _Family:
    icmp: str
    reject: str
    host_bits: int


_FAMILIES = {
    4: _Family("icmp", "icmp-host-prohibited", 32),
    6: _Family("ipv6-icmp", "icmp6-adm-prohibited", 128),
}
_NEW = "-m conntrack --ctstate NEW,UNTRACKED -j ACCEPT"


def steps(site: Site, platform: Platform) -> list[Step]:
    """Return the steps of the section."""
    return [
        step
        for node in site.nodes
        for step in (_not_managed(node), _tightened(node, site, platform))
    ]


def rules(node: Host, site: Site, family: int, *, as_printed: bool = False) -> str:
    """Return the rules of one family for a node, as `iptables-restore` reads them.

    as_printed: without what the guide lacks.
    """
    said = _FAMILIES[family]
    own, of_controller, clients = (
        (node.ipv4, site.controller.ipv4, node.range)
        if family == 4
        else (node.ipv6, site.controller.ipv6, node.range6)
    )
    answers = "" if as_printed else " -m conntrack --ctstate RELATED,ESTABLISHED"
    lines = [
        "*nat",
        *(f"-P {chain} ACCEPT" for chain in ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING")),
        f"-A POSTROUTING -s {clients} -j SNAT --to-source {own}",
        *([] if as_printed and family == 6 else ["COMMIT"]),
        "*filter",
        *(f"-P {chain} ACCEPT" for chain in ("INPUT", "FORWARD", "OUTPUT")),
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A INPUT -i lo -j ACCEPT",
        f"-A INPUT -p {said.icmp} -j ACCEPT",
        f"-A INPUT -p tcp -m tcp --dport 22 {_NEW}",
        f"-A INPUT -s {of_controller}/{said.host_bits} -p tcp -m tcp --dport {DAEMON_PORT} {_NEW}",
        f"-A INPUT -p udp -m udp --dport 1194 {_NEW}",
        f"-A INPUT -p tcp -m tcp --dport 1194 {_NEW}",
        "-A INPUT -m conntrack --ctstate INVALID -j DROP",
        f"-A INPUT -j REJECT --reject-with {said.reject}",
        f"-A FORWARD -i tun+ -o {EXTERNAL} -j ACCEPT",
        f"-A FORWARD -i {EXTERNAL} -o tun+{answers} -j ACCEPT",
        f"-A FORWARD -j REJECT --reject-with {said.reject}",
        "COMMIT",
        "",
    ]
    return "\n".join(lines)


def tightened_step(node: Host) -> str:
    """Return the name of the step after which a node has the guide's own rules."""
    return f"tightened firewall on {node.name}"


def _not_managed(node: Host) -> Step:
    return Step(
        name=f"firewall of {node.name} is not generated any more",
        section=SECTION,
        machine=node.name,
        changes="apply_changes.sh leaves the firewall alone",
        actions=(PhpConfig(CONFIG, (Set(("manageFirewall",), False),)),),
        module=__name__,
    )


def _tightened(node: Host, site: Site, platform: Platform) -> Step:
    files = (platform.firewall_ipv4, platform.firewall_ipv6)
    load = [Service(platform.firewall_service, after=files)]
    if platform.os_id != "debian":
        load.append(Service("ip6tables", after=files))
    return Step(
        name=tightened_step(node),
        section=SECTION,
        machine=node.name,
        changes="SSH, OpenVPN and the controller get in; clients get out, under the node's address",
        actions=(
            WriteFile(files[0], rules(node, site, 4), mode=0o600),
            WriteFile(files[1], rules(node, site, 6), mode=0o600),
            Check(f"iptables-restore --test {files[0]} && ip6tables-restore --test {files[1]}"),
            *load,
            Check("iptables -S FORWARD | grep -F tun+ && ip6tables -S FORWARD | grep -F tun+"),
        ),
        errata=(errata.MISSING_COMMIT, errata.FORWARD_IN, errata.EXTERNAL_INTERFACE),
        module=__name__,
    )
