"""What both nodes have in common: a static address, Access Server installed, rsync.

The sections about the primary and the secondary both ask for it; here it stands once.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import provision
from provision.action import Check, Command, Packages
from provision.failover import errata
from provision.failover.site import Host
from provision.files import Unpack
from provision.firewall import open_to_the_wire
from provision.platform import Platform
from provision.step import Step

#: The archive's directory, and where it is put on a node.
ARCHIVE = "access_server"
HOME = "/root"
ARCHIVE_FILE = f"{HOME}/access_server.tar.gz"

ETC = "/usr/local/openvpn_as/etc"
SCRIPTS = "/usr/local/openvpn_as/scripts"
SACLI = f"{SCRIPTS}/sacli"
SERVICE = "openvpnas"

#: Logs of a node: role changes of the pair, and everything else.
FAILOVER_LOG = "/var/log/openvpnas.log"
NODE_LOG = "/var/log/openvpnas-node.log"

#: Ports of an active node: OpenVPN by TCP, the web service, OpenVPN by UDP.
TCP_PORT, WEB_PORT, UDP_PORT = 443, 943, 1194


def install(host: Host, section: str, platform: Platform, heartbeat: str) -> list[Step]:
    """Return the steps that lead a node to "the package installer file is installed"."""
    return [
        static_address(host, section, platform),
        Step(
            name=f"Access Server on {host.name}",
            section=section,
            machine=host.name,
            changes="Access Server is installed, and not set up",
            actions=(
                Packages(platform, platform.access_server),
                _heartbeat(platform, heartbeat),
                Unpack(
                    Path(provision.__file__).parent / "reference" / ARCHIVE, ARCHIVE, ARCHIVE_FILE
                ),
                Command(
                    f"cd {HOME}/{ARCHIVE}\n./install.sh",
                    once="install-access-server",
                    after=(ARCHIVE_FILE,),
                ),
            ),
            errata=(errata.ACCESS_SERVER,),
            module=__name__,
        ),
    ]


def _heartbeat(platform: Platform, name: str) -> Command:
    """Return the command that installs the engine, and says what to do where there is none."""
    advice = f"no package {name} here"
    if name == "ucarp":
        advice += ": choose the other engine, --heartbeat=keepalived"
    return Command(
        f"{platform.install} {name} || {{ echo '{advice}' >&2; exit 1; }}",
        unless=f"{platform.installed} {name} >/dev/null 2>&1",
        timeout=900,
    )


def static_address(host: Host, section: str, platform: Platform) -> Step:
    """Return the step that finds the machine's address static, and its way out."""
    route = f"ip -4 route show default | grep -F 'via {host.gateway} '" if host.gateway else "true"
    return Step(
        name=f"static address of {host.name}",
        section=section,
        machine=host.name,
        changes="the address is there, for good, and the platform's own firewall is out of the way",
        actions=(
            Check(platform.is_release),
            *open_to_the_wire(platform),
            Check(f"ip -4 -o address show permanent | grep -F ' {host.interface} '"),
            Check(route),
        ),
        module=__name__,
    )


def rsync(host: Host, section: str, platform: Platform) -> Step:
    """Return the step that installs rsync."""
    return Step(
        name=f"rsync on {host.name}",
        section=section,
        machine=host.name,
        changes="rsync is there",
        actions=(Packages(platform, ("rsync",)),),
        errata=(errata.NO_ARCHIVE,),
        module=__name__,
    )


def answers(address: str) -> Check:
    """Return the check that the web service at `address` answers, within two minutes."""
    return eventually(f"curl -sk -o /dev/null --max-time 10 https://{address}:{WEB_PORT}/")


def eventually(condition: str, *, seconds: int = 120) -> Check:
    """Return the check that a shell condition holds within `seconds`."""
    loop = f"until {condition}; do sleep 0.5; done"
    return Check(f"timeout {seconds} sh -c {shlex.quote(loop)}", timeout=seconds + 30)
