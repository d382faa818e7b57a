#!/bin/sh
# Makes a controller of a machine that has been all in one: OpenVPN and the node's software go,
# portal, API, users and certificates stay. The web server is not touched.
set -eu
cd "$(dirname "$0")"
. resources/common.sh
. resources/platform.sh

as_root
packages/install --check vpn-server-api || {
    echo "ERROR: there is no vpn-server-api here: only an all-in-one machine can be converted." \
        "For a new controller run deploy_*_controller.sh" >&2
    exit 1
}
for unit in $(systemctl list-units --all --plain --no-legend 'openvpn-server@*' | awk '{ print $1 }'); do
    systemctl disable --now "$unit"
done
rm -f /etc/openvpn/server/*
packages/install --remove vpn-server-node
rm -f /etc/sysctl.d/70-vpn.conf
sysctl -q --system
if [ -e /etc/debian_version ]; then
    DEBIAN_FRONTEND=noninteractive apt-get -y remove openvpn
else
    for range in "tcp 11940-16036" "tcp 1195-5290" "udp 1195-5290"; do
        semanage port -d -t openvpn_port_t -p ${range} || true # one that was never set
    done
    yum -y remove openvpn
fi
controller_firewall
load_firewall
