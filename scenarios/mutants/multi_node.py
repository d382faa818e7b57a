"""The mutants of the multi-node guide: one at least for each requirement that is shown.

Only what the guide's own files say is changed, so that the drop-in and the genuine software are
broken alike.
"""

from __future__ import annotations

from collections.abc import Callable

from provision.multi_node import profiles
from provision.multi_node.nodes import CONFIG as NODE_CONFIG
from provision.multi_node.services import nodes_path
from provision.multi_node.site import Site
from provision.platform import Platform, platform_of
from scenarios.mutants.mutant import Broken, Mutant, MutantNotApplied

CONFIG = "/etc/vpn-server-api/config.php"
BOTH = ("iptables", "ip6tables")


def of_site(act: Callable[[Broken, Site, Platform], object]) -> Callable[[Broken], None]:
    """Let a mutant know the site, and the platform of its machines."""

    def apply(broken: Broken) -> None:
        act(broken, Site.of(broken.lab.topology), platform_of(broken.lab.image.name))

    return apply


def without_ipv6(broken: Broken, site: Site, _: Platform) -> None:
    """Take the last node's IPv6 address away."""
    node = site.nodes[-1]
    broken.lab[node.name].run(f"ip -6 address flush dev wire0 to {node.ipv6}")


def option_of_another(option: str) -> Callable[[Broken, Site, Platform], None]:
    """Let the last node's profile have an option of the first one's."""

    def act(broken: Broken, site: Site, _: Platform) -> None:
        table = profiles.merged(site)
        (own, other) = (table[node.name][option] for node in (site.nodes[-1], site.nodes[0]))
        broken.edit(site.controller.name, CONFIG, f"'{own}'", f"'{other}'")

    return act


def without_a_comma(broken: Broken, site: Site, _: Platform) -> None:
    """Leave out the first comma of the last node's configuration."""
    command = f"sed -i '0,/,$/s/,$//' {NODE_CONFIG}; grep -n , {NODE_CONFIG}"
    broken.lab[site.nodes[-1].name].run(command, check=False)


def api_without_a_node(broken: Broken, site: Site, platform: Platform) -> None:
    """Take the last node's IPv6 address out of the section of those that may ask the API."""
    line = f"Require ip {site.nodes[-1].ipv6}"
    in_api_conf(broken, site, platform, f"/{line.replace('/', '.')}/d")


def api_for_all(broken: Broken, site: Site, platform: Platform) -> None:
    """Let everybody ask the API."""
    in_api_conf(broken, site, platform, "s/Require local/Require all granted/")


def in_api_conf(broken: Broken, site: Site, platform: Platform, script: str) -> None:
    """Change Apache's configuration of the API by a script of sed, and let Apache read it."""
    controller, node = broken.lab[site.controller.name], site.nodes[-1]
    found = f"grep -rlF 'Require ip {node.ipv6}' {platform.apache_conf}"
    path = controller.run(found).stdout.strip()
    before = controller.get(path)
    controller.run(f"sed -i '{script}' {path} && systemctl reload {platform.apache}")
    if controller.get(path) == before:
        raise MutantNotApplied(f"{site.controller.name}:{path} is as it was")


def management_in_public(broken: Broken, site: Site, _: Platform) -> None:
    """Let an OpenVPN process of the last node have its management on the node's own address."""
    node = site.nodes[-1]
    path = f"/etc/openvpn/server/{node.name}-0.conf"
    broken.edit(node.name, path, "management 127.0.0.1 ", f"management {node.ipv4} ")
    broken.lab[node.name].run(f"systemctl restart openvpn-server@{node.name}-0", timeout=120)


def other_tls_crypt_key(broken: Broken, site: Site, _: Platform) -> None:
    """Give the last node another tls-crypt key than the clients'."""
    node = site.nodes[-1]
    script = (
        "set -e; openvpn --genkey secret /root/other.key\n"
        f"for file in /etc/openvpn/server/{node.name}-*.conf; do\n"
        '  awk \'/^<tls-crypt>/ {print; while ((getline line < "/root/other.key") > 0) print line;'
        ' close("/root/other.key"); skip=1} /^<\\/tls-crypt>/ {skip=0} !skip\' "$file" >/root/new\n'
        '  cat /root/new >"$file"\n'
        "done\n"
        f"systemctl restart openvpn-server@{node.name}-0 openvpn-server@{node.name}-1"
    )
    broken.lab[node.name].run(script, timeout=240)


def record_of_the_controller(broken: Broken, site: Site, platform: Platform) -> None:
    """Let one record of the shared name lead to the controller."""
    node = site.nodes[-1]
    path = nodes_path(site, platform)
    broken.edit(site.services.name, path, str(node.ipv4), str(site.controller.ipv4))
    broken.lab[site.services.name].run(f"systemctl restart {platform.bind}")


def fixed_order(broken: Broken, site: Site, platform: Platform) -> None:
    """Let the name server keep the order of its answers."""
    conf = platform.bind_conf
    broken.edit(site.services.name, conf, "order random;", "order none;")
    broken.lab[site.services.name].run(f"systemctl restart {platform.bind}")


def one_node_refuses(broken: Broken, site: Site, _: Platform) -> None:
    """Let the last node refuse every client."""
    for tool in BOTH:
        for protocol in ("udp", "tcp"):
            rule = f"-I INPUT -i wire0 -p {protocol} --dport 1194 -j REJECT"
            broken.lab[site.nodes[-1].name].run(f"{tool} {rule}")


_SETTING_UP, _CONTROLLER = "test_requirements.py::", "test_controller.py::"
_NODES, _BALANCING = "test_nodes.py::", "test_load_balancing.py::"

MUTANTS = (
    Mutant(
        "MN-01", f"{_SETTING_UP}test_every_machine_has_its_addresses_and_resolves_every_name",
        "node-b", "its IPv6 address is taken away", ("node-b does not have",),
        of_site(without_ipv6),
    ),
    Mutant(
        "MN-04", f"{_CONTROLLER}test_each_profile_has_every_value_of_the_guides_table",
        "controller", "managementIp of node-b is node-a's", ("node-b: managementIp is",),
        of_site(option_of_another("managementIp")),
    ),
    Mutant(
        "MN-05", f"{_CONTROLLER}test_profiles_share_neither_number_nor_range",
        "controller", "both profiles have one range", ("the range ", " overlaps "),
        of_site(option_of_another("range")),
    ),
    Mutant(
        "MN-06", f"{_SETTING_UP}test_php_accepts_every_file_that_was_edited",
        "node-b", "a comma is left out of its configuration", ("php -l rejects",),
        of_site(without_a_comma),
    ),
    Mutant(
        "MN-07", f"{_CONTROLLER}test_a_node_without_secret_is_told_so_by_the_api",
        "controller", "`Require ip` of node-b's IPv6 is left out",
        ("node-b over IPv6", "got 403, not 401"), of_site(api_without_a_node),
    ),
    Mutant(
        "MN-08", f"{_CONTROLLER}test_strangers_and_wrong_secrets_are_refused_by_the_api",
        "controller", "`Require all granted`", ("client over IPv4", "got 401, not 403"),
        of_site(api_for_all),
    ),
    Mutant(
        "MN-13", f"{_NODES}test_each_node_runs_one_openvpn_process_a_protocol",
        "node-b", "management is on the node's public address", ("node-b", "management"),
        of_site(management_in_public),
    ),
    Mutant(
        "MN-15",
        f"{_NODES}test_a_client_gets_into_each_node_by_udp_and_tcp_over_ipv4_and_ipv6",
        "node-b", "it has another tls-crypt key", ("to node-b", "no tunnel"),
        of_site(other_tls_crypt_key),
    ),
    Mutant(
        "MN-21",
        f"{_BALANCING}test_the_shared_name_leads_to_all_nodes_and_each_lets_a_client_in",
        "services", "one A record of the shared name is the controller's",
        ("which belongs to controller",), of_site(record_of_the_controller),
    ),
    Mutant(
        "MN-22", f"{_BALANCING}test_the_dns_server_rotates_its_answers",
        "services", "answers keep their order", ("do not come first equally often",),
        of_site(fixed_order),
    ),
    Mutant(
        "MN-23", f"{_BALANCING}test_clients_that_connect_by_the_shared_name_land_on_all_nodes",
        "node-b", "it refuses every client", ("do not spread over",), of_site(one_node_refuses),
    ),
)  # fmt: skip
