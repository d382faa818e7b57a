"""Hosts that carry labs for one run; most tests reach a genuine SSH server in this process."""
