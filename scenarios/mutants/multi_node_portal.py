"""The mutants of the portal, of what is merged and converted, of certificates and secrets.

Only what the guide's own files say is changed, so that the drop-in and the genuine software are
broken alike.
"""

from __future__ import annotations

from provision.multi_node.controller import CA, CREDENTIALS, DAEMON_KEYS
from provision.multi_node.nodes import CONFIG as NODE_CONFIG
from provision.multi_node.nodes import FIREWALL
from provision.multi_node.requirements import ARCHIVE, HOME
from provision.multi_node.site import Site
from provision.platform import Platform
from scenarios.mutants.multi_node import (
    CONFIG,
    daemon_named_as_printed,
    hook_that_lets_all_in,
    of_site,
)
from scenarios.mutants.mutant import Broken, InMachine, Mutant

OTHER_NAME = "other.example"


def certificate_of_another(broken: Broken, site: Site, platform: Platform) -> None:
    """Let the portal show a certificate for another name."""
    fqdn = site.controller.fqdn
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        f" -subj /CN={OTHER_NAME} -addext subjectAltName=DNS:{OTHER_NAME}"
        f" -keyout {platform.tls_key(fqdn)} -out {platform.tls_certificate(fqdn)}"
    )
    broken.lab[site.controller.name].run(f"{make} && systemctl restart {platform.apache}")


def nat_for_internet_only(broken: Broken, site: Site, platform: Platform) -> None:
    """Let the last node's natRules be for a profile that it does not have."""
    node = site.nodes[-1].name
    broken.edit(node, FIREWALL, f"'{node}'", "'internet'")
    load = f"systemctl restart {platform.firewall_service}"
    generate = "vpn-server-node-generate-firewall --install"
    broken.lab[node].run(f"{generate} && {load}", timeout=240)


def without_a_list(broken: Broken, site: Site, _: Platform) -> None:
    """Leave out the last node's profileList."""
    broken.edit(site.nodes[-1].name, NODE_CONFIG, "'profileList'", "'noProfileList'")


_SWAPPED = "s/Regular User Pass/@/; s/Admin User Pass/Regular User Pass/; s/@/Admin User Pass/"
_SERVERS_AS_CLIENTS = " && ".join(
    f"cp {CA}/vpn-daemon.{one} {DAEMON_KEYS}/vpn-daemon-client.{one}" for one in ("crt", "key")
)
_ADMINS = f"$(sed -n 's/.*Admin User Pass: *//p' {CREDENTIALS})"
_CARELESS = f"systemd-run -q --unit=careless sh -c 'while sleep 60; do :; done' careless {_ADMINS}"
_WIPES = f"printf '\\nrm -f {CONFIG}\\n' >> {HOME}/{ARCHIVE}/convert_to_controller.sh"

_PORTAL, _CONTROLLER = "test_portal.py::", "test_controller.py::"
_LISTED = f"{_PORTAL}test_clients_are_listed_while_connected_and_seen_under_their_nodes_address"
_KEPT_OUT = f"{_PORTAL}test_who_is_disabled_or_deleted_is_disconnected_and_stays_out"

MUTANTS = (
    Mutant(
        "MN-02", f"{_PORTAL}test_the_portal_shows_a_certificate_for_its_name",
        "controller", "its certificate is for another name",
        (f"the certificate is for {OTHER_NAME}, not for",), of_site(certificate_of_another),
    ),
    Mutant(
        "MN-03", f"{_PORTAL}test_the_printed_credentials_log_in_and_no_others",
        "controller", "the printed credentials are swapped",
        ("demo, with the printed password, got 200",),
        InMachine("controller", f"sed -i '{_SWAPPED}' {CREDENTIALS}"),
    ),
    Mutant(
        "MN-09",
        f"{_CONTROLLER}test_certificates_are_made_by_vpn_ca_and_keys_are_nobody_elses",
        "controller", "the server certificate is used as the client's",
        ("vpn-daemon-client.crt speaks for serverAuth",),
        InMachine("controller", _SERVERS_AS_CLIENTS),
    ),
    Mutant(
        "MN-09",
        f"{_CONTROLLER}test_certificates_are_made_by_vpn_ca_and_keys_are_nobody_elses",
        "controller", "chmod 0640 *.crt *.key, as the guide prints it",
        (f"{CA}/ca.key may be read by others: 640",),
        InMachine("controller", f"cd {CA} && chmod 0640 *.crt *.key"), more="as-printed",
    ),
    Mutant(
        "MN-12", "test_nodes.py::test_a_node_deploys_the_profiles_of_its_list_and_no_others",
        "node-b", "its profileList is left out", ("node-b has no profileList",),
        of_site(without_a_list),
    ),
    Mutant(
        "MN-16", _LISTED, "node-b", "natRules are for `internet` only",
        ("an address inside the VPN, left node-b",), of_site(nat_for_internet_only),
    ),
    Mutant(
        "MN-17", _LISTED, "node-b", "its vpn-daemon's certificate has another name",
        ("it is not so that node-b-tcp4 stands under node-b",), of_site(daemon_named_as_printed),
    ),
    Mutant(
        "MN-18", _KEPT_OUT, "node-b", "its hook lets whoever was disconnected in again",
        ("the tunnel of disabled still works",), of_site(hook_that_lets_all_in), ("MN-19",),
    ),
    Mutant(
        "MN-19", _KEPT_OUT, "node-b", "its hook always exits 0",
        ("disabled by tcp over IPv4 to node-b got in",), of_site(hook_that_lets_all_in), ("MN-18",),
    ),
    Mutant(
        "MN-20",
        "test_load_balancing.py::test_merged_profiles_are_one_to_users_with_one_name_and_one_key",
        "controller", "ta.key is root's alone", ("a configuration of node-a was answered 500",),
        InMachine("controller", "chown root:root /var/lib/vpn-server-api/ta.key"),
    ),
    Mutant(
        "MN-31", "test_converting.py::test_an_installation_that_is_all_in_one_becomes_a_controller",
        "controller", "the conversion wipes the API's configuration",
        ("the API's configuration is gone",), InMachine("controller", _WIPES),
    ),
    Mutant(
        "MN-32", "test_secrecy.py::test_no_secret_stands_where_others_may_read_it",
        "controller", "the administrator's password is on a command line",
        ("admin's password stands in command lines of controller",),
        InMachine("controller", _CARELESS),
    ),
)  # fmt: skip
