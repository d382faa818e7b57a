#!/bin/sh
# Starts the OpenVPN server processes that stop_node.sh has stopped. After a reboot there is nothing
# left for it to do.
set -eu
. "$(dirname "$0")/../resources/common.sh"

as_root
[ -n "$(systemctl list-units --all --plain --no-legend 'openvpn-server@*')" ] || {
    echo "ERROR: this node has no OpenVPN unit to start: run apply_changes.sh first" >&2
    exit 1
}
systemctl start --all 'openvpn-server@*'
