"""A drop-in stand-in for OpenVPN Access Server's LAN model failover pair.

It offers the commands, paths, ports and protocols that the failover guide types and promises,
on real OpenVPN, ucarp or keepalived, rsync and SSH. README.md tells what is documented of the
genuine product and what had to be invented. It does not serve as a VPN product.
"""
