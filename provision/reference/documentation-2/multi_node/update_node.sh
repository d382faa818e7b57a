#!/bin/sh
# Updates this node, asks the controller for its configuration anew, and loads the firewall. It
# neither stops nor starts OpenVPN: stop_node.sh before, start_node.sh or a reboot afterwards.
set -eu
cd "$(dirname "$0")/.."
. resources/common.sh
. resources/platform.sh

as_root
failed=0
update_system || failed=1
packages/install vpn-server-node || failed=1
if systemctl cat vpn-daemon >/dev/null 2>&1; then
    packages/install vpn-daemon || failed=1
    systemctl try-restart vpn-daemon || failed=1
fi
vpn-server-node-server-config || failed=1
vpn-server-node-generate-firewall --install || failed=1
load_firewall || failed=1
[ "$failed" -eq 0 ] || echo "WARNING: not everything was updated: see above" >&2
exit "$failed"
