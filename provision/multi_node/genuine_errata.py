"""Where the guide's own scripts and the genuine software do not work on today's systems."""

from __future__ import annotations

from provision.erratum import Erratum

ARCHIVE = Erratum(
    name="archive",
    kind="deviation",
    guide="curl -L -O https://github.com/eduvpn/documentation/archive/v2.tar.gz",
    happens="no frame leaves the lab, so there is nothing to download from",
    fix="the lab puts v2.tar.gz there: the scripts of that repository as they stood on 2020-04-10",
)

REPOSITORY = Erratum(
    name="package-repository",
    kind="deviation",
    guide="the deploy scripts add https://repo.letsconnect-vpn.org/2 and its key",
    happens="no frame leaves the lab; and what is there today is another release",
    fix="/srv/LC holds packages that this project built of the published sources, by commit",
)

DEPLOY_ON_DEBIAN = Erratum(
    name="deploy-on-debian",
    kind="deviation",
    guide="./deploy_centos_controller.sh, ./deploy_centos_node.sh",
    happens="they use yum, SELinux and httpd; their twins for Debian came on 2020-10-29",
    fix="deploy_debian_controller.sh is made of deploy_debian.sh, without its sections LOCALES, "
    "NETWORK, OPENVPN SERVER CONFIG and FIREWALL; deploy_debian_node.sh of deploy_centos_node.sh, "
    "without SYSTEM, SOFTWARE and SELINUX, with apt and netfilter-persistent",
)

PHP_RELEASE = Erratum(
    name="php-release",
    kind="erratum",
    guide="a2enconf php7.0-fpm, /etc/php/7.0, systemctl restart php7.0-fpm",
    happens="Debian 12 has PHP 8.2, so that Apache would hand no page to PHP",
    fix="7.0 is read as 8.2",
)

EASY_RSA = Erratum(
    name="easy-rsa",
    kind="erratum",
    guide="vpn-server-api-init makes the CA",
    happens="without vpnCaPath it is that of easy-rsa, which is unsafe when two nodes ask at once",
    fix="vpnCaPath is set before, as from vpn-server-api 2.2.0",
)

CONTROLLER_FIREWALL = Erratum(
    name="controller-firewall",
    kind="erratum",
    guide="deploy_debian.sh: vpn-server-node-generate-firewall --install",
    happens="a controller has no vpn-server-node",
    fix="the rules that deploy_centos_controller.sh installs, where Debian has them",
)

UNITS_NOT_STOPPED = Erratum(
    name="units-not-stopped",
    kind="erratum",
    guide='apply_changes.sh: systemctl list-units "openvpn-server@*" --no-legend | cut -d " " -f 1',
    happens="systemd 246 and later indents those lines, so that no process is stopped: node-b "
    "keeps its old tls-crypt key, and clients land on node-a only",
    fix="--plain is added; the published script stays beside it",
)

NAMES_COLLIDE = Erratum(
    name="certificate-names-collide",
    kind="erratum",
    guide="Ideally you perform these steps in parallel on both machines",
    happens="both nodes ask for certificates of both profiles, named by the second: "
    "vpn-ca refuses the later one (file exists)",
    fix="none is needed: the deploy script goes on, and apply_changes.sh asks for the node's own",
)

OLD_CONFIGURATION = Erratum(
    name="old-configuration",
    kind="erratum",
    guide="sudo systemctl restart httpd",
    happens="OPcache serves an old config.php for up to 3 s, and php-fpm is another service",
    fix="php-fpm is restarted when config.php was changed",
)

DAEMON_UNREACHABLE = Erratum(
    name="daemon-unreachable",
    kind="erratum",
    guide="PHP 5.4 of CentOS 7",
    happens="under PHP 8 the API ends with an empty 500 when a vpn-daemon cannot be reached and "
    "one before it in the list has answered",
    fix="none: vpn-daemon runs on both nodes before anybody asks",
)

PASSWORDS_LOGGED = Erratum(
    name="passwords-logged",
    kind="erratum",
    guide="sudo -u www-data vpn-user-portal-add-user --user admin --pass ...",
    happens="sudo logs each command with all of its words: the passwords of demo and admin, which "
    "the script prints, stand in the controller's journal, and MN-32 is FAIL",
    fix="none: a user who deploys by that script has them there, too",
)

CONVERT_NOT_EXECUTABLE = Erratum(
    name="convert-not-executable",
    kind="erratum",
    guide="you can use the convert_to_controller.sh script",
    happens="the archive has it without the right to be executed: Permission denied",
    fix="chmod +x",
)

CONVERT_ON_DEBIAN = Erratum(
    name="convert-on-debian",
    kind="deviation",
    guide="convert_to_controller.sh: yum, semanage, /etc/sysconfig/iptables",
    happens="none of them exists on Debian: OpenVPN and the node's software stay",
    fix="they are read as apt-get, nothing and /etc/iptables/rules.v4; the published script stays "
    "beside it",
)

CONVERT_MARKED_UNITS = Erratum(
    name="convert-marked-units",
    kind="erratum",
    guide="convert_to_controller.sh: systemctl -a --no-legend",
    happens="systemd 246 and later, as Debian 12 and CentOS Stream 9 have it, puts a dot before "
    "units that failed, so that these stay enabled",
    fix="--plain is added; the published script stays beside it",
)

MAINTENANCE_ON_DEBIAN = Erratum(
    name="maintenance-on-debian",
    kind="deviation",
    guide="update_controller.sh, update_node.sh: yum, httpd, php-fpm, iptables, ip6tables",
    happens="none of them exists on Debian: Apache goes on while the controller is to be updated, "
    "nothing is updated, and the firewall is not loaded",
    fix="they are read as apt-get, apache2, php8.2-fpm and netfilter-persistent; the published "
    "scripts stay beside them",
)
