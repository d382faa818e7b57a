"""Scenarios on many hosts: `--lab=hosts.toml`. Workers of pytest-xdist run there, started over SSH.

    asked.py    what the command line says of it, and what a worker's says instead
    fleet.py    the hosts of a run from their first look to their end; knows nothing of pytest
    nodes.py    workers that do not begin, or break down, are for xdist such that died
    notes.py    what home records of them: its own history, and the table in `run.json`
    plugin.py   pytest and xdist: who runs what, and what becomes of a host that is lost
    unfit.py    on a host: a scenario that met a full disk, or got no lab, takes its worker along
    worker.py   what a worker does on its host before xdist's own program

Any worker takes any scenario, and a lab is whole on one host. Each host writes a whole directory of
a run, which comes home to `hosts/NAME` as each of its scenarios ends.
"""
