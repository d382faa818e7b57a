#!/bin/sh
# Applies the controller's profiles and this node's configuration: stops every OpenVPN server
# process, writes all configurations anew, starts one process for each. Run again without a change
# it does all of it again: clients are disconnected, the same processes come back.
set -u
configs=/etc/openvpn/server

# --plain: newer systemd marks failed units with a dot, and those are to be stopped as well.
for unit in $(systemctl list-units --all --plain --no-legend 'openvpn-server@*' | awk '{ print $1 }'); do
    systemctl disable --now "$unit"
done
rm -f "$configs"/*

vpn-server-node-server-config || {
    echo "ERROR: no OpenVPN configuration was written and no OpenVPN process runs." \
        "Put right what stands above, then run this script again." >&2
    exit 1
}

vpn-server-node-generate-firewall --install || {
    echo "ERROR: the firewall could not be generated and no OpenVPN process runs." >&2
    exit 1
}
services="iptables ip6tables"
[ ! -e /etc/debian_version ] || services=netfilter-persistent
systemctl restart $services ||
    echo "WARNING: the firewall is not loaded: systemctl status $services" >&2

failed=0
for config in "$configs"/*.conf; do
    [ -e "$config" ] || {
        echo "No profile is deployed here: see profileList in /etc/vpn-server-node/config.php" >&2
        break
    }
    systemctl enable --now "openvpn-server@$(basename "$config" .conf)" || failed=1
done
exit "$failed"
