"""Nodes: the same steps on each of them, side by side."""

from __future__ import annotations

from provision.action import Check, Command, Packages, Service
from provision.files import WriteFile
from provision.multi_node import errata, genuine_errata, published
from provision.multi_node.controller import DAEMON_NOTES, NODE_NOTE, daemon_note
from provision.multi_node.requirements import ARCHIVE, ARCHIVE_FILE, HOME
from provision.multi_node.site import Host, Site
from provision.notes import placeholder
from provision.php import Value
from provision.php_config import Append, PhpConfig, Set
from provision.platform import Platform
from provision.step import Step

SECTION = "Nodes"
CONFIG = "/etc/vpn-server-node/config.php"
FIREWALL = "/etc/vpn-server-node/firewall.php"
DAEMON_PORT = 41194
_DROP_IN = Command(
    f"{HOME}/{ARCHIVE}/packages/install vpn-daemon",
    once="install-vpn-daemon",
    after=(ARCHIVE_FILE,),
)


def steps(site: Site, platform: Platform, *, genuine: bool = False) -> list[Step]:
    """Return the steps of the section, for one node after the other."""
    return [step for node in site.nodes for step in _node(node, site, platform, genuine=genuine)]


def apply_changes(node: Host, *, once: str, after: tuple[str, ...] = ()) -> tuple[Command, Check]:
    """Return how the guide applies changes, and that the node's OpenVPN processes run then.

    `once` names this occasion; files of `after` that change make it due again.
    """
    running = (
        f"for name in {node.name}-0 {node.name}-1; do unit=openvpn-server@$name\n"
        'systemctl is-active "$unit" || { systemctl status --no-pager -l "$unit"; exit 1; }\n'
        # one that was never stopped would run what an earlier file said
        'age=$(ps -o etimes= -p "$(systemctl show -p MainPID "$unit" | cut -d = -f 2)") && '
        '[ "$age" -le $(($(date +%s) - $(stat -c %Y "/etc/openvpn/server/$name.conf") + 1)) ] || '
        '{ echo "$unit is older than its configuration"; exit 1; }; done'
    )
    command = f"cd {HOME}\n{ARCHIVE}/apply_changes.sh"
    return (
        Command(command, once=once, after=after, timeout=600),
        Check(running),
    )


def applied_step(node: Host) -> str:
    """Return the name of the step after which a node serves its profile."""
    return f"apply the changes on {node.name}"


def _node(node: Host, site: Site, platform: Platform, *, genuine: bool) -> list[Step]:
    return [
        _certificates(node),
        _api_check(node, site),
        _deploy(node, site, platform, genuine=genuine),
        _daemon(node, platform, genuine=genuine),
        _config(node),
        _firewall(node, site),
        Step(
            name=applied_step(node),
            section=SECTION,
            machine=node.name,
            changes="OpenVPN serves the node's profile by UDP and TCP",
            actions=(
                *(published.apply_changes_amended(f"{HOME}/{ARCHIVE}") if genuine else ()),
                *apply_changes(node, once="apply-changes", after=(ARCHIVE_FILE, CONFIG, FIREWALL)),
            ),
            errata=(
                errata.WORKING_DIRECTORY,
                *((genuine_errata.UNITS_NOT_STOPPED,) if genuine else ()),
            ),
            module=__name__,
        ),
    ]


def _certificates(node: Host) -> Step:
    return Step(
        name=f"certificates copied to {node.name}",
        section=SECTION,
        machine=node.name,
        changes="vpn-daemon's certificate and key wait in root's home directory",
        actions=tuple(
            WriteFile(f"{HOME}/{file}", placeholder(daemon_note(file)), mode=0o640)
            for file in DAEMON_NOTES
        ),
        needs=("certificates for the nodes",),
        errata=(errata.DAEMON_CERTIFICATE,),
        module=__name__,
    )


def _api_check(node: Host, site: Site) -> Step:
    expected = '{"error":"missing authentication information"}'
    ask = f'answer=$(curl -sS {site.api}) && echo "$answer" && [ "$answer" = \'{expected}\' ]'
    return Step(
        name=f"{node.name} reaches the API",
        section=SECTION,
        machine=node.name,
        changes="nothing",
        actions=(Check(ask),),
        needs=("nodes may ask the API", "TLS certificate"),
        module=__name__,
    )


def _daemon(node: Host, platform: Platform, *, genuine: bool) -> Step:
    places = {
        "ca.crt": platform.vpn_daemon_ca,
        "vpn-daemon.crt": platform.vpn_daemon_certificate,
        "vpn-daemon.key": platform.vpn_daemon_key,
    }
    directory = platform.vpn_daemon_ca.rpartition("/")[0]
    copies = "\n".join(f"cp {file} {place}" for file, place in places.items())
    install = f"cd {HOME}\n{copies}\nchgrp -R vpn-daemon {directory}"
    copied = tuple(f"{HOME}/{file}" for file in places)
    return Step(
        name=f"vpn-daemon on {node.name}",
        section=SECTION,
        machine=node.name,
        changes="the controller can list and end the node's connections",
        actions=(
            Packages(platform, ("vpn-daemon",)) if genuine else _DROP_IN,
            WriteFile(platform.vpn_daemon_env, f"ENABLE_TLS=-enable-tls\nLISTEN=:{DAEMON_PORT}\n"),
            Command(install, once="vpn-daemon-certificates", after=copied),
            Service("vpn-daemon", after=(platform.vpn_daemon_env, *places.values())),
        ),
        errata=(
            errata.DAEMON_CERTIFICATE,
            genuine_errata.DAEMON_UNREACHABLE if genuine else errata.DAEMON_PACKAGE,
        ),
        module=__name__,
    )


def _deploy(node: Host, site: Site, platform: Platform, *, genuine: bool) -> Step:
    return Step(
        name=f"deploy {node.name}",
        section=SECTION,
        machine=node.name,
        changes="OpenVPN and the node's software are installed",
        actions=(
            *(published.deploy_script("node", platform, f"{HOME}/{ARCHIVE}") if genuine else ()),
            Command(
                f"cd {HOME}/{ARCHIVE}\n./{platform.deploy_node}",
                once="deploy-node",
                after=(ARCHIVE_FILE,),
                stdin=f"{site.api}\n{placeholder(NODE_NOTE)}\n",
                timeout=900,
            ),
        ),
        # The controller must have its profiles before a node fetches them.
        needs=("profiles", "secret of the nodes"),
        errata=(
            errata.WORKING_DIRECTORY,
            errata.DEBIAN_PATHS,
            *((genuine_errata.DEPLOY_ON_DEBIAN, genuine_errata.NAMES_COLLIDE) if genuine else ()),
        ),
        module=__name__,
    )


def _config(node: Host) -> Step:
    return Step(
        name=f"configuration of {node.name}",
        section=SECTION,
        machine=node.name,
        changes="the node serves its own profile only, and has a daemon",
        actions=(
            PhpConfig(CONFIG, (Set(("useVpnDaemon",), True), Set(("profileList",), [node.name]))),
        ),
        module=__name__,
    )


def _firewall(node: Host, site: Site) -> Step:
    controller = site.controller
    rule: Value = {
        "proto": ["tcp"],
        "src_net": [f"{controller.ipv4}/32", f"{controller.ipv6}/128"],
        "dst_port": [DAEMON_PORT],
    }
    nat: Value = {node.name: {"enableNat": ["IPv4", "IPv6"]}}
    return Step(
        name=f"firewall of {node.name}",
        section=SECTION,
        machine=node.name,
        changes="the controller may reach the daemon; clients leave under the node's addresses",
        actions=(PhpConfig(FIREWALL, (Append(("inputRules",), rule), Set(("natRules",), nat))),),
        module=__name__,
    )
