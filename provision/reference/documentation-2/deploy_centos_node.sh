#!/bin/sh
# Makes this Enterprise Linux machine a node. Asks for the controller's API URL and secret.
set -eu
cd "$(dirname "$0")"
. resources/common.sh
. resources/platform.sh
. resources/node.sh

as_root
selinuxenabled || { echo "ERROR: SELinux must be enabled before this script runs" >&2 && exit 1; }
ask_api
install_rpms openvpn curl iptables-services php-cli policycoreutils-python-utils python3
configure_node
# Management ports of 64 profiles, and the ports OpenVPN may listen on. A port that has its
# type already is one that a deploy before this one has set.
for range in "tcp 11940-16036" "tcp 1195-5290" "udp 1195-5290"; do
    semanage port -a -t openvpn_port_t -p ${range} 2>/dev/null ||
        semanage port -m -t openvpn_port_t -p ${range}
done
systemctl enable ${FIREWALL_SERVICES}
start_node
