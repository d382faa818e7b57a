# Deploying a node, once the distribution's packages are there. Sourced, never run.
# Before: common.sh, platform.sh, and API_URL and API_SECRET from `ask_api`.

ask_api() {
    API_URL=$(ask "API URL" "http://localhost/vpn-server-api/api.php")
    printf 'API Secret: ' >&2
    read -r API_SECRET || API_SECRET=
    [ -n "$API_SECRET" ] || {
        echo "ERROR: the secret is wanted: apiConsumers, vpn-server-node in the controller's" \
            "/etc/vpn-server-api/config.php" >&2
        exit 1
    }
}

configure_node() {
    packages/install vpn-server-node
    printf '%s\n%s\n' "$API_URL" "$API_SECRET" |
        PYTHONPATH=/usr/share/vpn-drop-in python3 -m vpn_server_node.api_access
    cat >/etc/sysctl.d/70-vpn.conf <<SYSCTL
net.ipv4.ip_forward = 1
net.ipv6.conf.all.forwarding = 1
SYSCTL
    sysctl -q -p /etc/sysctl.d/70-vpn.conf
}

# With a controller that has other profiles than "internet" this fails, which the guide announces:
# apply_changes.sh puts it right.
start_node() {
    systemctl daemon-reload
    vpn-server-node-server-config || true
    for number in 0 1; do
        systemctl enable --now "openvpn-server@internet-$number" || true
    done
    vpn-server-node-generate-firewall --install && load_firewall || {
        echo "WARNING: the firewall is not loaded: apply_changes.sh tries again" >&2
    }
}
