"""Controller: deploy it, describe the nodes' profiles, let the nodes ask, and make the CA."""

from __future__ import annotations

from provision.action import Action, Check, Command, Remember, Service
from provision.apache import ApacheSection
from provision.files import WriteFile
from provision.multi_node import errata, genuine_errata, published
from provision.multi_node.profiles import merged, separate
from provision.multi_node.requirements import ARCHIVE, ARCHIVE_FILE, HOME
from provision.multi_node.services import CERTIFICATE_NOTE, KEY_NOTE
from provision.multi_node.site import Host, Site
from provision.notes import placeholder
from provision.php_config import Copy, Edit, PhpConfig, Rename, Set
from provision.platform import Platform
from provision.step import Step

SECTION = "Controller"
CONFIG = "/etc/vpn-server-api/config.php"
CA = f"{HOME}/ca"
DAEMON_KEYS = "/etc/vpn-server-api/vpn-daemon"

NODE_NOTE = "vpn-server-node secret"
DAEMON_NOTES = {"ca.crt": False, "vpn-daemon.crt": False, "vpn-daemon.key": True}
PASSWORD_NOTES = {"demo's password": "Regular User", "admin's password": "Admin User"}

#: The deploy script's last lines hold passwords: it is readable to root alone.
CREDENTIALS = f"{HOME}/deploy_controller.log"


def steps(site: Site, platform: Platform, *, genuine: bool = False) -> list[Step]:
    """Return the steps of the section."""
    return [
        _deploy(site, platform, genuine=genuine),
        _certificate(site, platform),
        _profiles(site, platform, genuine=genuine),
        _allow_nodes(site, platform),
        _authority(site, platform),
        _client_certificate(site, platform),
        _copies(site),
        _secret(site),
    ]


def daemon_note(file: str) -> str:
    """Return under which name a file of the CA is noted for the nodes."""
    return f"CA file {file}"


def config_read_anew(platform: Platform, *, genuine: bool) -> tuple[Action, ...]:
    """Return what makes the API read its configuration anew; the drop-in always does."""
    return (Service(platform.php_fpm, after=(CONFIG,)),) if genuine else ()


def _deploy(site: Site, platform: Platform, *, genuine: bool) -> Step:
    fqdn = site.controller.fqdn
    # The passwords are printed at the very end: only a failed run is shown.
    run = (
        f"cd {HOME}/{ARCHIVE}\n"
        "umask 077\n"
        f"if ! ( umask 022; ./{platform.deploy_controller} ) > {CREDENTIALS} 2>&1; then "
        f"cat {CREDENTIALS}; exit 1; fi"
    )
    return Step(
        name="deploy the controller",
        section=SECTION,
        machine=site.controller.name,
        changes="the API and the portal are installed",
        actions=(
            *(_deployable(platform) if genuine else ()),
            Command(
                run,
                once="deploy-controller",
                after=(ARCHIVE_FILE,),
                stdin=f"{fqdn}\n{fqdn}\n",
                timeout=900,
            ),
            *(_deployed(platform) if genuine else ()),
            *(
                Remember(note, f"sed -n 's/.*{label} Pass: *//p' {CREDENTIALS} | tr -d '\\n'")
                for note, label in PASSWORD_NOTES.items()
            ),
        ),
        errata=(
            errata.WORKING_DIRECTORY,
            errata.DEBIAN_PATHS,
            *(_ERRATA_OF_DEPLOYING if genuine and platform.os_id == "debian" else ()),
        ),
        module=__name__,
    )


_ERRATA_OF_DEPLOYING = (
    genuine_errata.DEPLOY_ON_DEBIAN,
    genuine_errata.PHP_RELEASE,
    genuine_errata.EASY_RSA,
    genuine_errata.CONTROLLER_FIREWALL,
)


def _deployable(platform: Platform) -> tuple[Action, ...]:
    return published.deploy_script("controller", platform, f"{HOME}/{ARCHIVE}")


def _deployed(platform: Platform) -> tuple[Action, ...]:
    """Return what is left after the published script, which goes on whatever fails in it."""
    rules = (
        f"cd {HOME}/{ARCHIVE}/resources/centos\n"
        f"cp iptables {platform.firewall_ipv4}\n"
        f"cp ip6tables {platform.firewall_ipv6}"
    )
    files = (platform.firewall_ipv4, platform.firewall_ipv6)
    firewall = (
        Command(rules, once="controller-firewall"),
        Service(platform.firewall_service, files),
    )
    made = "[ -s /var/lib/vpn-server-api/db.sqlite ] && [ -s /var/lib/vpn-user-portal/db.sqlite ]"
    return (
        *(firewall if platform.os_id == "debian" else ()),
        Check(f"{made} && systemctl is-active {platform.php_fpm} {platform.apache}"),
    )


def _certificate(site: Site, platform: Platform) -> Step:
    fqdn = site.controller.fqdn
    certificate, key = platform.tls_certificate(fqdn), platform.tls_key(fqdn)
    return Step(
        name="TLS certificate",
        section=SECTION,
        machine=site.controller.name,
        changes=f"https://{fqdn}/ shows a certificate that is accepted",
        actions=(
            WriteFile(key, placeholder(KEY_NOTE), mode=0o600),
            WriteFile(certificate, placeholder(CERTIFICATE_NOTE)),
            Service(platform.apache, after=_apache_files(site, platform)),
            Check(f"curl -sS -o /dev/null https://{fqdn}/"),
        ),
        needs=("certificate authority", "name server"),
        errata=(errata.CERTIFICATE_AUTHORITY,),
        module=__name__,
    )


def _profiles(site: Site, platform: Platform, *, genuine: bool) -> Step:
    first, *others = site.nodes
    profiles = ("vpnProfiles",)
    edits: list[Edit] = [
        Set(("useVpnDaemon",), True),
        Rename(profiles, "internet", first.name),
        *(Copy(profiles, first.name, node.name) for node in others),
        *(edit for node in site.nodes for edit in _profile(node, site)),
    ]
    return Step(
        name="profiles",
        section=SECTION,
        machine=site.controller.name,
        changes="each node has a profile of its own",
        actions=(PhpConfig(CONFIG, tuple(edits)), *config_read_anew(platform, genuine=genuine)),
        errata=(genuine_errata.OLD_CONFIGURATION,) if genuine else (),
        module=__name__,
    )


def _profile(node: Host, site: Site) -> list[Edit]:
    """Return the rows of the guide's table that are about `node`; what merging changed stays."""
    after = merged(site)[node.name]
    return [
        Set(
            ("vpnProfiles", node.name, option),
            value,
            later=() if after[option] == value else (after[option],),
        )
        for option, value in separate(site)[node.name].items()
    ]


def _api_conf(platform: Platform) -> str:
    return f"{platform.apache_conf}/vpn-server-api.conf"


def _apache_files(site: Site, platform: Platform) -> tuple[str, ...]:
    fqdn = site.controller.fqdn
    return (platform.tls_certificate(fqdn), platform.tls_key(fqdn), _api_conf(platform))


def _allow_nodes(site: Site, platform: Platform) -> Step:
    lines = ["Require local"]
    for node in site.nodes:
        lines += [f"Require ip {node.ipv4}", f"Require ip {node.ipv6}"]
    section = ApacheSection(_api_conf(platform), "RequireAny", tuple(lines), platform.apache_test)
    return Step(
        name="nodes may ask the API",
        section=SECTION,
        machine=site.controller.name,
        changes="the nodes' addresses stand in the RequireAny section",
        actions=(section, Service(platform.apache, after=_apache_files(site, platform))),
        errata=(errata.DEBIAN_PATHS,),
        module=__name__,
    )


def _authority(site: Site, platform: Platform) -> Step:
    def certify(arguments: str, file: str) -> Command:
        # vpn-ca writes the key first and never over one: a run that broke off between leaves one.
        orphan = file.replace(".crt", ".key")
        text = (
            f"cd {CA}\nrm -f {orphan}\nvpn-ca {arguments}\n"
            "chmod 0640 *.crt *.key\nchmod 0600 ca.key"
        )
        return Command(text, creates=f"{CA}/{file}")

    return Step(
        name="certificate authority of controller and nodes",
        section=SECTION,
        machine=site.controller.name,
        changes="a client certificate for the controller and a server certificate for the nodes",
        actions=(
            Command(f"{platform.install} vpn-ca", unless="command -v vpn-ca"),
            Command(f"mkdir -p {CA}", creates=CA),
            certify("-init", "ca.crt"),
            certify("-client vpn-daemon-client -not-after CA", "vpn-daemon-client.crt"),
            certify("-server vpn-daemon -not-after CA", "vpn-daemon.crt"),
        ),
        errata=(errata.DAEMON_CERTIFICATE, errata.CA_KEY_MODE),
        module=__name__,
    )


def _client_certificate(site: Site, platform: Platform) -> Step:
    files = ("ca.crt", "vpn-daemon-client.crt", "vpn-daemon-client.key")
    install = (
        f"mkdir -p {DAEMON_KEYS}\n"
        f"chmod 0710 {DAEMON_KEYS}\n"
        f"cd {CA}\n"
        f"cp {' '.join(files)} {DAEMON_KEYS}\n"
        f"chgrp -R {platform.apache_user} {DAEMON_KEYS}"
    )
    sources = tuple(f"{CA}/{file}" for file in files)
    return Step(
        name="vpn-daemon-client certificate",
        section=SECTION,
        machine=site.controller.name,
        changes="the API can show the nodes who it is",
        actions=(Command(install, once="vpn-daemon-client", after=sources),),
        module=__name__,
    )


def _copies(site: Site) -> Step:
    return Step(
        name="certificates for the nodes",
        section=SECTION,
        machine=site.controller.name,
        changes="nothing; what has to be copied to the nodes is at hand",
        actions=tuple(
            Remember(daemon_note(file), f"cat {CA}/{file}", secret=secret)
            for file, secret in DAEMON_NOTES.items()
        ),
        module=__name__,
    )


def _secret(site: Site) -> Step:
    php = f'$c = require "{CONFIG}"; echo $c["apiConsumers"]["vpn-server-node"];'
    return Step(
        name="secret of the nodes",
        section=SECTION,
        machine=site.controller.name,
        changes="nothing; the vpn-server-node secret is noted",
        actions=(Remember(NODE_NOTE, f"php -r '{php}'"),),
        module=__name__,
    )
