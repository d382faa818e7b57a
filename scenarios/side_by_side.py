"""How many labs run side by side: as many as there are cores, and as their memory allows.

Each lab has a worker of pytest-xdist. One lab needs no workers: pytest runs it itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from lab.errors import ImageError, VpnproofError
from lab.image import choose as choose_image
from lab.topology import Topology, free_memory_mib, read_topology
from provision.deploy import GUIDES, Deployer, guide_of, in_topology
from scenarios.arguments import NOTHING_RUNS, ask_for_scenarios, at_most, guides_of

_NO_RUN = (*NOTHING_RUNS, "usepdb", "looponfail", "distload", "tx", "setuponly")
"""Of pytest's options: with these nothing runs, or only in pytest's own process."""


@dataclass(frozen=True)
class SideBySide:
    """Labs that run at once; `ahead`: each may have its next one thawed meanwhile."""

    labs: int
    ahead: bool
    cores: int
    free_mib: int
    lab_mib: int

    @classmethod
    def chosen(
        cls,
        topologies: Iterable[Topology],
        cores: int,
        free_mib: int,
        *,
        scenarios: int | None = None,
        labs: int | None = None,
    ) -> SideBySide:
        """Choose how many labs there are to be, unless `labs` says so; one at least.

        No more than there are `scenarios`, if that is known. The largest lab must fit everywhere.
        """
        lab_mib = max((one.memory_mib for one in topologies), default=0)
        fit = free_mib // lab_mib if lab_mib else cores
        most = min(cores, fit) if scenarios is None else min(cores, fit, scenarios)
        count = max(1, most) if labs is None else labs
        return cls(count, fit >= 2 * count, cores, free_mib, lab_mib)

    def __str__(self) -> str:
        ahead = ", each with the next one thawed ahead" if self.ahead else ""
        why = f"{self.cores} cores, {self.free_mib} MiB free, a lab needs {self.lab_mib} MiB"
        return f"{self.labs} side by side{ahead} ({why})"


def side_by_side(config: pytest.Config, labs: int | None = None) -> SideBySide:
    """Return how many labs a run of pytest has at once, by what this host has free now."""
    return SideBySide.chosen(
        wanted_labs(config),
        len(os.sched_getaffinity(0)),
        free_memory_mib(),
        scenarios=at_most(config.args, full=config.getoption("full")),
        labs=labs,
    )


def wanted_labs(config: pytest.Config) -> list[Topology]:
    """Return what labs a run of pytest asks for, one of each guide, as its guests need them.

    pytest.UsageError for an image that cannot be had.
    """
    own = topologies(config)
    guides = guides_of(config.args, GUIDES)
    wanted = [read_topology(own.get(guide, GUIDES[guide].topology)) for guide in guides]
    try:
        family = choose_image(config.getoption("image", None)).family
    except ImageError as error:
        raise pytest.UsageError(str(error)) from error
    return [topology.fit_for(family) for topology in wanted]


def topologies(config: pytest.Config) -> dict[str, str]:
    """Return by guide the topology that was chosen for it; pytest.UsageError for no such one."""
    found: dict[str, str] = {}
    for name in config.getoption("topology") or ():
        try:
            guide = guide_of(name)
        except VpnproofError as error:
            raise pytest.UsageError(f"--topology: {error}") from error
        if guide in found:
            raise pytest.UsageError(f"--topology: {found[guide]} and {name} are both of {guide}")
        found[guide] = name
    return found


def in_chosen_topology(
    config: pytest.Config, deployer: Callable[[str], Deployer]
) -> Callable[[str], Deployer]:
    """Let what deploys a guide do so in the topology that was chosen for it, if one was."""
    chosen = topologies(config)

    def made(guide: str) -> Deployer:
        one = deployer(guide)
        one.guide = in_topology(one.guide, chosen.get(guide))
        return one

    return made


def workers(config: pytest.Config) -> int:
    """Return how many workers there are now, 0 when pytest runs everything itself."""
    tx = config.getoption("tx", None) or []
    return len(tx) if config.getoption("dist", "no") != "no" else 0


def let_them_be_chosen(config: pytest.Config) -> None:
    """Ask xdist to choose the number of workers, if scenarios are to run and nobody chose it."""
    option = config.option
    if (
        config.pluginmanager.hasplugin("xdist")
        and not hasattr(config, "workerinput")
        and ask_for_scenarios(config.args)
        and option.numprocesses is None
        and option.dist == "no"
        and not any(getattr(option, name, False) for name in _NO_RUN)
    ):
        option.numprocesses = "auto"


def automatic(config: pytest.Config) -> int | None:
    """Return how many workers xdist is to start: none for one lab; None to let xdist choose."""
    if not ask_for_scenarios(config.args) or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    labs = side_by_side(config).labs
    return labs if labs > 1 else 0
