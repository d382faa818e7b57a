"""A drop-in for vpn-server-node 2.1.4: OpenVPN's configuration and hooks on a node."""
