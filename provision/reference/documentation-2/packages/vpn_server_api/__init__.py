"""A drop-in for vpn-server-api 2.1.5: the controller's HTTP API and its commands."""
