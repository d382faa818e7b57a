"""Hosts that carry labs for one run: what they are, the way there, what they need, their end.

    pytest scenarios/ --lab=hosts.toml

`file` reads what the hosts file says; `look` finds out, before anything starts, whether it is so
and how many labs each carries; `connection` is the one SSH connection to a host that everything
goes through, and `watched` what ends a command there with it. `checkout` brings this checkout there
by its content, and `ready` lets `lab/setup` bring the rest. A `tether` runs on the host while the
run goes on: when it is cut, from whichever side, nothing of the run is left there. By `sharing`
they have images and checkpoints from each other. `sending` and `evidence` bring home what a host
has recorded. What scenarios are given to which host is for `scenarios.over_hosts` to say.
"""
