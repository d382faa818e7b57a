"""Where the multi-node guide, followed to the letter, fails; and where the lab is not the world."""

from __future__ import annotations

from provision.erratum import Erratum

ARCHIVE = Erratum(
    name="archive",
    kind="deviation",
    guide="curl -L -O https://github.com/eduvpn/documentation/archive/v2.tar.gz",
    happens="no frame leaves the lab, so there is nothing to download from",
    fix="the lab puts v2.tar.gz there, with the same scripts for the drop-in software",
)

CERTIFICATE_AUTHORITY = Erratum(
    name="lab-certificate-authority",
    kind="deviation",
    guide="lets_encrypt_centos.sh gets a valid TLS certificate",
    happens="Let's Encrypt cannot reach the lab",
    fix="a certificate authority on the services machine signs it, and every machine trusts it",
)

DEBIAN_PATHS = Erratum(
    name="debian-paths",
    kind="deviation",
    guide="only CentOS 7's scripts, paths and services are named (/etc/httpd, yum, apache)",
    happens="none of them exists on Debian",
    fix="on Debian the same files are /etc/apache2/conf-available, www-data, apache2, apt-get, and "
    "deploy_debian_*.sh",
)

DAEMON_CERTIFICATE = Erratum(
    name="daemon-certificate-name",
    kind="erratum",
    guide="vpn-ca -server vpn-daemon-node-a, and -node-b",
    happens="the controller asks for the peer name vpn-daemon, whichever node it is; from PHP 5.6 "
    "on it refuses other names, and the Connections page stays empty",
    fix="one certificate named vpn-daemon for all nodes, as later revisions of the guide do",
)

CA_KEY_MODE = Erratum(
    name="ca-key-mode",
    kind="erratum",
    guide="chmod 0640 *.crt *.key",
    happens="the CA's own key becomes readable to its group as well",
    fix="the same, and ca.key goes back to 0600",
)

TA_KEY_OWNER = Erratum(
    name="ta-key-owner",
    kind="erratum",
    guide="cp tls-crypt-node-a.key ta.key",
    happens="the copy is root's alone; the web server cannot read it, so downloads and "
    "apply_changes.sh fail with HTTP 500",
    fix="the copy is given to the web server's user, as later revisions of the guide do",
)

WORKING_DIRECTORY = Erratum(
    name="working-directory",
    kind="erratum",
    guide="cd documentation-2, later: documentation-2/apply_changes.sh",
    happens="the deploy scripts work only inside documentation-2, apply_changes.sh is called from "
    "outside it",
    fix="each is called from where its own words work",
)

DAEMON_PACKAGE = Erratum(
    name="vpn-daemon-package",
    kind="deviation",
    guide="yum -y install vpn-daemon",
    happens="no frame leaves the lab, so there is no repository to install from",
    fix="the drop-in's is in the archive: packages/install vpn-daemon",
)

MISSING_COMMIT = Erratum(
    name="ip6tables-commit",
    kind="erratum",
    guide="/etc/sysconfig/ip6tables: the table nat ends without COMMIT",
    happens="ip6tables-restore stops at the line *filter, and no IPv6 rule is loaded at all",
    fix="COMMIT is added, as after the same table of IPv4",
)

FORWARD_IN = Erratum(
    name="forward-from-outside",
    kind="erratum",
    guide="-A FORWARD -i ens160 -o tun+ -j ACCEPT",
    happens="whoever can send a packet to the node reaches every client behind it, unasked",
    fix="only answers are let in: -m conntrack --ctstate RELATED,ESTABLISHED is added",
)

EXTERNAL_INTERFACE = Erratum(
    name="external-interface",
    kind="deviation",
    guide="ens160 is the external interface",
    happens="a lab's machines call theirs otherwise",
    fix="the rules name the interface that has the node's address",
)

NOTHING_TO_UPDATE_FROM = Erratum(
    name="nothing-to-update-from",
    kind="deviation",
    guide="update_controller.sh, update_node.sh: yum -y update",
    happens="no frame leaves the lab, so that no archive has anything newer",
    fix="the scripts ask what the guest knows: for the genuine software that is /srv/LC, with the "
    "same packages; the drop-in's put their own packages in place anew",
)
