"""Load Balancing: the profiles become one, and a round-robin name leads to the nodes."""

from __future__ import annotations

from provision.action import Check, Command
from provision.files import WriteFile
from provision.multi_node import errata, profiles
from provision.multi_node.controller import CONFIG, config_read_anew
from provision.multi_node.download import step as download_step
from provision.multi_node.nodes import applied_step, apply_changes
from provision.multi_node.services import named, nodes_path, relative
from provision.multi_node.site import Host, Site
from provision.php_config import Edit, PhpConfig, Set
from provision.platform import Platform
from provision.step import Step

SECTION = "Load Balancing"
_STATE = "/var/lib/vpn-server-api"


def steps(site: Site, platform: Platform, *, genuine: bool = False) -> list[Step]:
    """Return the steps of the section."""
    again = [_apply_again(node) for node in site.nodes]
    merged = (_merge(site, platform, genuine=genuine), _shared_key(site, platform))
    needs = tuple(step.name for step in merged)
    if genuine:  # each certificate takes the controller long: the nodes' come first
        needs += tuple(step.name for step in again)
    download = download_step(site, platform, SECTION, needs=needs, genuine=genuine)
    return [*merged, *again, _round_robin(site, platform), download]


def nodes_records(site: Site) -> str:
    """Return the round-robin name's records, as the guide prints them."""
    records = [("A", node.ipv4) for node in site.nodes]
    records += [("AAAA", node.ipv6) for node in site.nodes]
    name = relative(site.shared_fqdn, site)
    lines = [
        f"{name if first else '':<15} IN  {kind:<7} {address}"
        for first, (kind, address) in zip([True] + [False] * len(records), records, strict=False)
    ]
    return "\n".join(lines) + "\n"


def _merge(site: Site, platform: Platform, *, genuine: bool) -> Step:
    before, after = profiles.separate(site), profiles.merged(site)
    edits: list[Edit] = [
        Set(("vpnProfiles", name, option), value)
        for name, options in after.items()
        for option, value in options.items()
        if before[name].get(option) != value
    ]
    return Step(
        name="merge the profiles",
        section=SECTION,
        machine=site.controller.name,
        changes="users see one profile; all profiles have the nodes' shared name",
        actions=(PhpConfig(CONFIG, tuple(edits)), *config_read_anew(platform, genuine=genuine)),
        module=__name__,
    )


def _shared_key(site: Site, platform: Platform) -> Step:
    source, shared = f"{_STATE}/tls-crypt-{site.nodes[0].name}.key", f"{_STATE}/ta.key"
    user = platform.apache_user
    owner = f"[ \"$(stat -c '%U:%G' {shared})\" = '{user}:{user}' ]"
    return Step(
        name="shared TLS Crypt key",
        section=SECTION,
        machine=site.controller.name,
        changes="all profiles use the first one's TLS Crypt key",
        actions=(
            Command(
                f"cp {source} {shared}\nchown {user}:{user} {shared}",
                unless=f"cmp -s {source} {shared} && {owner}",
            ),
        ),
        # The key is made when a node first asks for a certificate of the profile.
        needs=tuple(applied_step(node) for node in site.nodes),
        errata=(errata.TA_KEY_OWNER,),
        module=__name__,
    )


def _apply_again(node: Host) -> Step:
    return Step(
        name=f"apply the merged profiles on {node.name}",
        section=SECTION,
        machine=node.name,
        changes="OpenVPN uses the shared TLS Crypt key",
        # Its own occasion: what changed lies on the controller, not in a file of the node.
        actions=apply_changes(node, once="apply-changes-merged"),
        needs=("merge the profiles", "shared TLS Crypt key"),
        errata=(errata.WORKING_DIRECTORY,),
        module=__name__,
    )


def _round_robin(site: Site, platform: Platform) -> Step:
    name = f"{site.shared_fqdn}."
    return Step(
        name="round-robin name",
        section=SECTION,
        machine=site.services.name,
        changes=f"{site.shared_fqdn} has the addresses of all nodes",
        actions=(
            WriteFile(nodes_path(site, platform), nodes_records(site)),
            Check(f"named-checkconf -z {platform.bind_conf}"),
            named(site, platform),
            Check(f"getent ahosts {name}"),
        ),
        needs=tuple(f"apply the merged profiles on {node.name}" for node in site.nodes),
        module=__name__,
    )
