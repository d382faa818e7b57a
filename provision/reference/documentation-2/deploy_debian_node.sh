#!/bin/sh
# Makes this Debian machine a node. Asks for the controller's API URL and secret.
set -eu
cd "$(dirname "$0")"
. resources/common.sh
. resources/platform.sh
. resources/node.sh

as_root
ask_api
install_debs openvpn curl iptables-persistent php-cli python3
configure_node
start_node
