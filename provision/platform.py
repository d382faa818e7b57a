"""Where the platforms differ: packages, paths, services, users. The only place that knows.

The guide was written for CentOS 7. Its paths stand here beside those of its successor and of
Debian; steps name what they need and never ask which platform they are on. CentOS was never
booted by this project on its own machines; its facts come from its documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

from provision.errors import PlanError


@dataclass(frozen=True)
class Platform:
    """What one operating system calls things."""

    name: str
    os_id: str
    """ID in /etc/os-release."""
    release: str
    """Major number of VERSION_ID in /etc/os-release."""
    install: str
    installed: str
    """A command that succeeds when the packages named after it are all installed."""

    deploy_controller: str
    deploy_node: str

    apache: str
    """The service."""
    apache_user: str
    apache_test: str
    """The command that reads the whole configuration and complains."""
    apache_conf: str
    """Where packages put their configuration snippets."""
    apache_sites: str
    """Where a virtual host is read from."""
    apache_log: str

    php_fpm: str
    """The service that runs PHP behind Apache; the drop-in software has none."""

    tls_certificates: str
    tls_keys: str
    trust_anchors: str
    trust_update: str

    bind_package: str
    bind: str
    """The service."""
    bind_conf: str
    bind_zones: str
    bind_cache: str
    bind_group: str

    openvpn_user: str
    openvpn_group: str
    hooks: str
    """Where OpenVPN's client-connect and client-disconnect live."""

    vpn_daemon_env: str
    vpn_daemon_ca: str
    vpn_daemon_certificate: str
    vpn_daemon_key: str

    firewall_ipv4: str
    firewall_ipv6: str
    firewall_service: str
    """What puts the rules of `firewall_ipv4` and `firewall_ipv6` into force, at boot too."""
    other_firewall: str | None
    """A service whose rules stand in the way of the guide's own; None where there is none."""

    sshd: str
    """The SSH server's service."""
    access_server: tuple[str, ...]
    """Packages that Access Server's drop-in stands on, but for the heartbeat."""

    @property
    def python(self) -> tuple[int, int]:
        """The Python 3 of its guests."""
        if self.os_id == "debian":
            return (3, 11)
        return (3, 6) if self.release == "7" else (3, 9)

    @property
    def makes_tls(self) -> str | None:
        """What makes the certificate that the web server's own files name; None: nothing has to.

        EL 9 makes it at httpd's first start, EL 7 when mod_ssl is installed.
        """
        return None if self.os_id == "debian" else "/usr/libexec/httpd-ssl-gencerts"

    @property
    def is_release(self) -> str:
        """A shell condition that holds on this platform only."""
        return (
            f'. /etc/os-release && [ "$ID" = {self.os_id} ] && '
            f'[ "${{VERSION_ID%%.*}}" = {self.release} ]'
        )

    def tls_certificate(self, fqdn: str) -> str:
        """Return where the web server's certificate for `fqdn` lies."""
        return f"{self.tls_certificates}/{fqdn}.crt"

    def tls_key(self, fqdn: str) -> str:
        """Return where the key of that certificate lies."""
        return f"{self.tls_keys}/{fqdn}.key"


DEBIAN_12 = Platform(
    name="debian-12",
    os_id="debian",
    release="12",
    install="DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends",
    installed="dpkg -s",
    deploy_controller="deploy_debian_controller.sh",
    deploy_node="deploy_debian_node.sh",
    apache="apache2",
    apache_user="www-data",
    apache_test="apache2ctl configtest",
    apache_conf="/etc/apache2/conf-available",
    apache_sites="/etc/apache2/sites-enabled",
    apache_log="/var/log/apache2",
    php_fpm="php8.2-fpm",
    tls_certificates="/etc/ssl/certs",
    tls_keys="/etc/ssl/private",
    trust_anchors="/usr/local/share/ca-certificates",
    trust_update="update-ca-certificates",
    bind_package="bind9",
    bind="named",
    bind_conf="/etc/bind/named.conf",
    bind_zones="/etc/bind",
    bind_cache="/var/cache/bind",
    bind_group="bind",
    openvpn_user="nobody",
    openvpn_group="nogroup",
    hooks="/usr/lib/vpn-server-node",
    vpn_daemon_env="/etc/default/vpn-daemon",
    vpn_daemon_ca="/etc/ssl/vpn-daemon/ca.crt",
    vpn_daemon_certificate="/etc/ssl/vpn-daemon/server.crt",
    vpn_daemon_key="/etc/ssl/vpn-daemon/private/server.key",
    firewall_ipv4="/etc/iptables/rules.v4",
    firewall_ipv6="/etc/iptables/rules.v6",
    firewall_service="netfilter-persistent",
    other_firewall=None,
    sshd="ssh",
    access_server=(
        "openvpn",
        "python3-flask",
        "python3-cryptography",
        "iproute2",
        "openssh-client",
        "openssl",
        "curl",
    ),
)


def _centos(name: str, release: str, install: str) -> Platform:
    return Platform(
        name=name,
        os_id="centos",
        release=release,
        install=install,
        installed="rpm -q",
        deploy_controller="deploy_centos_controller.sh",
        deploy_node="deploy_centos_node.sh",
        apache="httpd",
        apache_user="apache",
        apache_test="apachectl configtest",
        apache_conf="/etc/httpd/conf.d",
        apache_sites="/etc/httpd/conf.d",
        apache_log="/var/log/httpd",
        php_fpm="php-fpm",
        tls_certificates="/etc/pki/tls/certs",
        tls_keys="/etc/pki/tls/private",
        trust_anchors="/etc/pki/ca-trust/source/anchors",
        trust_update="update-ca-trust extract",
        bind_package="bind",
        bind="named",
        bind_conf="/etc/named.conf",
        bind_zones="/var/named",
        bind_cache="/var/named",
        bind_group="named",
        openvpn_user="openvpn",
        openvpn_group="openvpn",
        hooks="/usr/libexec/vpn-server-node",
        vpn_daemon_env="/etc/sysconfig/vpn-daemon",
        vpn_daemon_ca="/etc/pki/vpn-daemon/ca.crt",
        vpn_daemon_certificate="/etc/pki/vpn-daemon/server.crt",
        vpn_daemon_key="/etc/pki/vpn-daemon/private/server.key",
        firewall_ipv4="/etc/sysconfig/iptables",
        firewall_ipv6="/etc/sysconfig/ip6tables",
        firewall_service="iptables",
        other_firewall="firewalld",
        sshd="sshd",
        access_server=(
            "openvpn",
            "python3-flask",
            "python3-cryptography",
            "iproute",
            "openssh-clients",
            "openssl",
            "curl",
        ),
    )


CENTOS_STREAM_9 = _centos("centos-stream-9", "9", "dnf -y install")
CENTOS_7 = _centos("centos-7", "7", "yum -y install")

PLATFORMS = {platform.name: platform for platform in (DEBIAN_12, CENTOS_STREAM_9, CENTOS_7)}


def platform_of(image: str) -> Platform:
    """Return the platform of a guest image; PlanError names the known ones."""
    if image not in PLATFORMS:
        raise PlanError(
            f"no platform is known for the image {image!r}",
            hint=f"known: {', '.join(PLATFORMS)}",
        )
    return PLATFORMS[image]
