"""A drop-in for vpn-daemon 1.0.1: lists and ends a node's OpenVPN connections for a controller."""
