#!/bin/sh
# Stops every OpenVPN server process of this node. Each tells its clients to reconnect, and the
# controller who has gone: so the controller has to be up. The units stay enabled.
set -eu
. "$(dirname "$0")/../resources/common.sh"

as_root
systemctl stop --all 'openvpn-server@*'
