"""Begins a run over hosts, before xdist reads what it is to do."""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path

import pytest

from evidence.parts import HOSTS
from lab.errors import ImageError, VpnproofError
from lab.hosts.file import read_hosts
from lab.image import choose as choose_image
from lab.image import debian
from lab.progress import Progress
from provision.deploy import GUIDES
from scenarios.arguments import NOTHING_RUNS, guides_of
from scenarios.over_hosts.asked import hosts_file
from scenarios.over_hosts.fleet import Fleet
from scenarios.over_hosts.plugin import NAME, OverHosts
from scenarios.side_by_side import SideBySide, wanted_labs
from scenarios.software import software_of

_SIDES = pytest.StashKey[dict[str, SideBySide]]()


def begin(config: pytest.Config, root: Path) -> OverHosts | None:
    """Make the hosts ready, and register what runs over them; None where no hosts are asked for.

    pytest.UsageError has a line for each thing that is wrong.
    """
    path = hosts_file(config)
    if path is None or hasattr(config, "workerinput"):
        return None
    if any(getattr(config.option, name, False) for name in NOTHING_RUNS):
        return None
    if not config.pluginmanager.hasplugin("xdist"):
        raise pytest.UsageError("--lab: a run over hosts needs pytest-xdist: no -p no:xdist")
    if config.option.numprocesses is not None or config.option.tx or config.option.dist != "no":
        raise pytest.UsageError(f"--lab: {path} says how many labs there are: no -n beside it")
    evidence = config.getoption("evidence")
    if evidence is not None and (Path(evidence) / HOSTS).exists():
        raise pytest.UsageError(
            f"--evidence: {evidence}: has evidence of hosts already: a run over hosts begins in a "
            "directory of its own"
        )
    wanted = wanted_labs(config)
    name = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{secrets.token_hex(2)}"
    try:
        fleet = Fleet(read_hosts(path), name, Progress())
        config.add_cleanup(fleet.end)
        fleet.gather(
            root,
            max((one.memory_mib for one in wanted), default=0),
            _setup(config),
            consent=config.getoption("set_up_hosts"),
            without_missing=config.getoption("allow_missing_hosts"),
        )
    except VpnproofError as error:
        raise pytest.UsageError(f"--lab: {error}") from error
    sides = {
        one.name: SideBySide.chosen(
            wanted, one.found.cores, one.found.memory_mib, labs=one.host.labs
        )
        for one in fleet.members.values()
    }
    config.stash[_SIDES] = sides
    if getattr(config.option, "image", "") is None:  # else each host might take another
        config.option.image = choose_image(None).name
    labs = {host: one.labs for host, one in sides.items()}
    plugin = OverHosts(fleet, labs, root, _archives(config))
    plugin.begin(config)
    config.pluginmanager.register(plugin, NAME)
    return plugin


def _archives(config: pytest.Config) -> dict[str, str]:
    """Tell hosts which archives home reaches, so that they call one guest the same."""
    if getattr(config.option, "image", None) != debian.NAME:
        return {}
    try:
        return {debian.ARCHIVES_OF_RUN: json.dumps(debian.archives())}
    except ImageError:  # nor could home build it: each host calls it by its own archives
        return {}


def _setup(config: pytest.Config) -> list[str]:
    """Return the options for `lab/setup` on the hosts: some build genuine software."""
    builds = "multi_node" in guides_of(config.args, GUIDES)
    return ["--genuine"] if builds and software_of(config, "multi_node").is_genuine else []


def header(config: pytest.Config) -> list[str]:
    """Return a line on each host of the run, none where there are no hosts."""
    plugin = config.pluginmanager.getplugin(NAME)
    if plugin is None:
        return []
    sides = config.stash[_SIDES]
    return [f"host {one.host}: labs: {sides[name]}" for name, one in plugin.fleet.members.items()]


def may_thaw_ahead(config: pytest.Config, host: str) -> bool:
    """Whether a host has room for the next lab of each worker beside those that run."""
    return host in config.stash.get(_SIDES, {}) and config.stash[_SIDES][host].ahead
