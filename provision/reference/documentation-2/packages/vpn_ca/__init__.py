"""A drop-in for the ``vpn-ca`` 2.0.0 command: a CA in a directory of PEM files."""
