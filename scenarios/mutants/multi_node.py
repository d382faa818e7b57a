"""The mutants of the multi-node guide: one at least for each requirement that is shown.

Only what the guide's own files say is changed, so that the drop-in and the genuine software are
broken alike.
"""

from __future__ import annotations

from collections.abc import Callable

from checks.multi_node.steps import START, STOP, UPDATE_CONTROLLER, UPDATE_NODE
from provision.action import Command
from provision.multi_node import profiles
from provision.multi_node.controller import CA
from provision.multi_node.maintenance import SCRIPTS, STOP_NODE
from provision.multi_node.nodes import CONFIG as NODE_CONFIG
from provision.multi_node.requirements import ARCHIVE, HOME
from provision.multi_node.services import nodes_path
from provision.multi_node.site import Site
from provision.platform import Platform, platform_of
from scenarios.multi_node import test_maintenance, test_outages
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


def resolver_that_sorts(broken: Broken, site: Site, _: Platform) -> None:
    """Let the client's resolver put the first node's addresses before those of all others.

    By its table of precedences, which is the usual one but for that node (RFC 6724, 2.1).
    """
    first = site.nodes[0]
    table = {
        "::1/128": 50, f"{first.ipv6}/128": 45, "::/0": 40, "2002::/16": 30, "::/96": 20,
        f"::ffff:{first.ipv4}/128": 15, "::ffff:0:0/96": 10,
    }  # fmt: skip
    lines = (f"precedence {prefix} {value}\n" for prefix, value in table.items())
    broken.lab[site.client.name].put("".join(lines), "/etc/gai.conf")


def daemon_without_tls(broken: Broken, site: Site, platform: Platform) -> None:
    """Let the last node's vpn-daemon speak in the clear."""
    node, path = site.nodes[-1].name, platform.vpn_daemon_env
    broken.edit(node, path, "ENABLE_TLS=-enable-tls", "#ENABLE_TLS=-enable-tls")
    broken.lab[node].run("systemctl restart vpn-daemon")


def daemon_named_as_printed(broken: Broken, site: Site, platform: Platform) -> None:
    """Give the last node's vpn-daemon the certificate that the guide makes for it."""
    node, controller = broken.lab[site.nodes[-1].name], broken.lab[site.controller.name]
    name = f"vpn-daemon-{node.name}"
    controller.run(f"cd {CA}\nvpn-ca -server {name} -not-after CA", timeout=240)
    for ending, path, mode in (
        ("crt", platform.vpn_daemon_certificate, 0o640),
        ("key", platform.vpn_daemon_key, 0o640),
    ):
        node.put(controller.get(f"{CA}/{name}.{ending}"), path, mode=mode, group="vpn-daemon")
    node.run("systemctl restart vpn-daemon")


def daemon_open_to_all(broken: Broken, site: Site, _: Platform) -> None:
    """Let everybody reach the last node's vpn-daemon, as by a rule without src_net."""
    for tool in BOTH:
        rule = "-I INPUT -i wire0 -p tcp --dport 41194 -j ACCEPT"
        broken.lab[site.nodes[-1].name].run(f"{tool} {rule}")


def restored(tool: str, script: str) -> Callable[[Broken, Site, Platform], None]:
    """Let a script of sed change what the last node's `tool` is given to load, and be content."""

    def act(broken: Broken, site: Site, _: Platform) -> None:
        tried = 'case $1 in --test) exec "$genuine" "$@" ;; esac'
        broken.wrap(
            site.nodes[-1].name, tool, f'{tried}\nsed \'{script}\' | "$genuine" "$@" || true'
        )

    return act


def failure_unheard(broken: Broken, site: Site, _: Platform) -> None:
    """Let a controller that cannot be reached be no failure on the last node."""
    for what in ("server-config", "generate-firewall"):
        script = '"$genuine" "$@" >/dev/null 2>&1 || true'
        broken.wrap(site.nodes[-1].name, f"vpn-server-node-{what}", script)


def one_record(broken: Broken, site: Site, platform: Platform) -> None:
    """Leave the shared name the addresses of the first node."""
    path = nodes_path(site, platform)
    for node in site.nodes[1:]:
        for address in (node.ipv4, node.ipv6):
            broken.lab[site.services.name].run(f"sed -i '/[[:space:]]{address}$/d' {path}")
    broken.lab[site.services.name].run(f"systemctl restart {platform.bind}")


def stopped_too_late(broken: Broken, site: Site, _: Platform) -> None:
    """Let the last node's stop_node.sh stop it while the controller is updated."""
    path = f"{HOME}/{SCRIPTS}/{STOP_NODE}"
    later = f"systemd-run -q --on-active={_LATER_S} systemctl stop"
    broken.edit(site.nodes[-1].name, path, "systemctl stop", later)


def controller_first(broken: Broken) -> None:
    """Let the controller be updated before the nodes are stopped."""
    first = (UPDATE_CONTROLLER, STOP, UPDATE_NODE, START)
    broken.stand_in(test_maintenance, "ORDER", first)


def unit_not_enabled(broken: Broken, site: Site, _: Platform) -> None:
    """Let the last node's OpenVPN not be started at boot."""
    node = site.nodes[-1].name
    broken.lab[node].run(f"systemctl disable openvpn-server@{node}-0 openvpn-server@{node}-1")


def applied_where_it_was_deployed(broken: Broken) -> None:
    """Let apply_changes.sh be typed as the guide prints it, where its `cd documentation-2` led."""
    printed = Command(f"cd {HOME}/{ARCHIVE}\n{ARCHIVE}/apply_changes.sh")
    broken.stand_in(test_outages, "apply_changes", lambda *_, **__: (printed,))


def hook_that_lets_all_in(broken: Broken, site: Site, platform: Platform) -> None:
    """Let the last node ask nobody who may come in."""
    path = f"{platform.hooks}/client-connect"
    broken.lab[site.nodes[-1].name].put("#!/bin/sh\nexit 0\n", path, mode=0o755)


_LATER_S = 20
_SETTING_UP, _CONTROLLER = "test_requirements.py::", "test_controller.py::"
_NODES, _BALANCING = "test_nodes.py::", "test_load_balancing.py::"
_ACCESS, _FIREWALL = "test_access.py::", "test_firewall.py::"
_MAINTENANCE, _OUTAGES = "test_maintenance.py::", "test_outages.py::"

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
        "node-b", "management is on the node's public address",
        ("node-b: node-b-0.conf: management is",),
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
    Mutant(
        "MN-23", f"{_BALANCING}test_clients_that_connect_by_the_shared_name_land_on_all_nodes",
        "client", "its resolver sorts addresses, node-a's first", ("RFC 6724", "/etc/gai.conf"),
        of_site(resolver_that_sorts), more="sorts",
    ),
    Mutant(
        "MN-10", f"{_ACCESS}test_vpn_daemon_lets_the_controller_in_and_no_other_peer",
        "node-b", "its vpn-daemon is started without -enable-tls",
        ("vpn-daemon of node-b", "did not let the controller in"), of_site(daemon_without_tls),
    ),
    Mutant(
        "MN-10", f"{_ACCESS}test_vpn_daemon_lets_the_controller_in_and_no_other_peer",
        "node-b", "its certificate is named vpn-daemon-node-b, as the guide prints it",
        ("vpn-daemon of node-b", "did not let the controller in"),
        of_site(daemon_named_as_printed), more="as-printed",
    ),
    Mutant(
        "MN-11", f"{_ACCESS}test_only_the_controller_reaches_vpn_daemon",
        "node-b", "41194 is let in from everywhere", ("tcp/41194 of node-b", "is let in"),
        of_site(daemon_open_to_all),
    ),
    Mutant(
        "MN-28", f"{_FIREWALL}test_the_tightened_firewall_lets_in_what_the_guide_says_and_stays",
        "node-b", "ip6tables is given the guide's text as printed, without COMMIT",
        ("node-b, IPv6, once they were loaded",),
        of_site(restored("ip6tables-restore", r"0,/^COMMIT$/{/^COMMIT$/d}")),
    ),
    Mutant(
        "MN-29", f"{_FIREWALL}test_nothing_but_clients_packets_and_answers_goes_through_a_node",
        "node-b", "what is left of FORWARD is accepted",
        ("node-b, IPv4", "forwards what it should not"),
        of_site(restored("iptables-restore", "s/^-A FORWARD -j REJECT.*/-A FORWARD -j ACCEPT/")),
    ),
    Mutant(
        "MN-14",
        f"{_OUTAGES}test_apply_changes_twice_changes_nothing_and_fails_without_the_controller",
        "node-b", "a controller that cannot be reached is no failure",
        ("node-b: apply_changes.sh ended with 0",), of_site(failure_unheard),
    ),
    Mutant(
        "MN-14",
        f"{_OUTAGES}test_apply_changes_twice_changes_nothing_and_fails_without_the_controller",
        "node-b", "documentation-2/apply_changes.sh is typed inside documentation-2, where the"
        " guide's `cd` has led", ("node-b: apply_changes.sh ended with 127",),
        applied_where_it_was_deployed, more="as-printed",
    ),
    Mutant(
        "MN-24", f"{_OUTAGES}test_clients_of_a_node_that_dies_go_to_another_by_themselves",
        "services", "the shared name has the addresses of one node",
        ("served by another node than", "never came in"), of_site(one_record),
    ),
    Mutant(
        "MN-25", f"{_MAINTENANCE}test_maintenance_in_the_guides_order",
        "controller", "it is updated before the nodes are stopped",
        ("first out of place: update_controller.sh on controller",), controller_first,
        ("MN-27",),
    ),
    Mutant(
        "MN-25", f"{_MAINTENANCE}test_maintenance_in_the_guides_order",
        "node-b", "it stops while the controller is updated",
        ("was still open when the controller went down",), of_site(stopped_too_late), ("MN-27",),
        more="late",
    ),
    Mutant(
        "MN-27", f"{_MAINTENANCE}test_maintenance_that_ends_with_a_reboot_of_the_nodes",
        "node-b", "its units are not enabled", ("node-b served nobody in",),
        of_site(unit_not_enabled), ("MN-25",),
    ),
    Mutant(
        "MN-30",
        f"{_OUTAGES}test_a_controller_that_is_off_keeps_new_clients_out_and_leaves_the_others",
        "node-b", "its hook lets everybody in", ("to node-b: it got in",),
        of_site(hook_that_lets_all_in),
    ),
)  # fmt: skip
