"""The gateway: what the guide calls forwarding ports, as a Linux router does it.

To the primary's own address for initial testing, to the virtual IP afterwards.
"""

from __future__ import annotations

from typing import Literal

from provision.action import Check, Command, Service
from provision.failover.access_server import static_address
from provision.failover.pair import COMMITTED
from provision.failover.pair import SECTION as CONFIGURED
from provision.failover.primary import SECTION as FIRST_STEPS
from provision.failover.site import FORWARDED, Site
from provision.files import WriteFile
from provision.platform import Platform
from provision.step import Step

#: Where outside connections are led.
ForwardTo = Literal["virtual-ip", "primary"]

_SYSCTL = "/etc/sysctl.d/60-gateway.conf"


def steps(site: Site, platform: Platform, forward_to: ForwardTo) -> list[Step]:
    """Return the gateway's steps, in the section that tells of this forward."""
    after_commit = forward_to == "virtual-ip"
    section = CONFIGURED if after_commit else FIRST_STEPS
    target = site.virtual_ip if after_commit else site.primary.ipv4
    return [
        static_address(site.gateway, section, platform),
        Step(
            name=f"ports forwarded to {target}",
            section=section,
            machine=site.gateway.name,
            changes=f"what reaches {site.public_ip} by the pair's ports goes to {target}",
            actions=(
                WriteFile(_SYSCTL, "net.ipv4.ip_forward = 1\n"),
                Command(
                    f"sysctl -p {_SYSCTL}",
                    unless='[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]',
                ),
                WriteFile(platform.firewall_ipv4, rules(site, target)),
                Service(platform.firewall_service, after=(platform.firewall_ipv4,)),
                Check("iptables -t nat -S PREROUTING | grep -q DNAT"),
            ),
            needs=(COMMITTED,) if after_commit else (),
            module=__name__,
        ),
    ]


def rules(site: Site, target: str) -> str:
    """Return the gateway's iptables rules: three forwards, nothing is filtered."""
    forwards = "\n".join(
        f"-A PREROUTING -d {site.public_ip}/32 -p {protocol} -m {protocol} --dport {port} "
        f"-j DNAT --to-destination {target}"
        for protocol, port in FORWARDED
    )
    return f"*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n{forwards}\nCOMMIT\n"
