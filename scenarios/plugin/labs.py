"""What a scenario acts on: a lab of its guide, or the machines of a site."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from checks.engine.collected import KEY
from lab.accelerator import choose
from lab.cli import collect_garbage
from lab.progress import Progress
from lab.site import Site
from lab.testbed import Testbed
from provision.deploy import GUIDES, Deployer
from scenarios import sites, software
from scenarios.ahead import NEXT, guide_of, needed_next
from scenarios.arguments import guides_of
from scenarios.durations import LAB_S
from scenarios.harness import machines
from scenarios.labs import LabFailedBefore, Labs
from scenarios.limits import stopped_recording
from scenarios.mutants import plugin as mutants
from scenarios.plugin.stash import (
    COLLECTED,
    LABS,
    LEFT_UP,
    LEFT_UP_BY_WORKER,
    MAY_THAW_AHEAD,
    RUN,
    TERMINAL,
    TO_BE_JUDGED,
)
from scenarios.side_by_side import in_chosen_topology
from scenarios.sites import SiteLabs


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    item.stash[NEXT] = nextitem


@pytest.fixture(scope="session")
def labs(request: pytest.FixtureRequest) -> Iterator[Labs | SiteLabs]:
    """The labs of this run, or its site, and its evidence directory, made now."""
    config = request.config
    progress = Progress(Console(file=config.stash[TERMINAL], highlight=False))
    site = sites.chosen(config)
    labs = _labs(config, progress) if site is None else _on_site(config, site, progress)
    try:
        yield labs
    finally:
        left_up = labs.end()
        if hasattr(config, "workeroutput"):  # of a worker of xdist: the controller prints it
            config.workeroutput[LEFT_UP_BY_WORKER] = left_up
        config.stash[LEFT_UP] = left_up


def _asked(config: pytest.Config, **facts: object) -> dict[str, Any]:
    """Return facts for `run.json` with what is asked of the run, which each worker collects."""
    wanted = config.stash.get(TO_BE_JUDGED, frozenset[str]())
    asked: dict[str, Any] = {"requirements": wanted, **facts}
    if (found := config.stash.get(COLLECTED, None)) is not None:
        asked[KEY] = found.facts()
    return asked


def _on_site(config: pytest.Config, site: Site, progress: Progress) -> SiteLabs:
    run = config.stash[RUN]
    run.open(**_asked(config, **sites.facts(site)))
    return SiteLabs(site, run.directory, progress, run.note_lab)


def _labs(config: pytest.Config, progress: Progress) -> Labs:
    collect_garbage()
    accelerator = choose(config.getoption("accel"))
    heartbeat = config.getoption("heartbeat")
    first = next(iter(guides_of(config.args, GUIDES)), "failover")
    image = software.prepared(config, first, heartbeat, progress)[1]
    run = config.stash[RUN]
    run.open(
        **_asked(config),
        image=str(image),
        image_source=image.source,
        accelerator=str(accelerator),
        software=software.facts(config),
        mutants=mutants.are_wanted(config),
    )

    def deployer(guide: str) -> Deployer:
        own = (machines.GUIDE, image) if guide == machines.NAME else None
        return Deployer(
            *(own or software.prepared(config, guide, heartbeat, progress)),
            accelerator,
            progress=progress,
            fresh=config.getoption("fresh"),
            uri=config.getoption("libvirt_uri"),
        )

    return Labs(
        run.directory,
        in_chosen_topology(config, deployer),
        config.getoption("keep"),
        worker=getattr(config, "workerinput", {}).get("workerid", ""),
        ahead=_may_thaw_ahead(config),
        on_start=run.note_lab,
    )


def _may_thaw_ahead(config: pytest.Config) -> bool:
    if hasattr(config, "workerinput"):
        return bool(config.workerinput[MAY_THAW_AHEAD])
    labs = config.stash.get(LABS, None)
    return labs is not None and labs.ahead


@pytest.fixture
def guide(request: pytest.FixtureRequest) -> str:
    """The guide a scenario belongs to."""
    return guide_of(request.node)


@pytest.fixture
def lab(request: pytest.FixtureRequest, guide: str, labs: Labs | SiteLabs) -> Iterator[Testbed]:
    """The lab of the scenario's guide, as fresh as the scenario's marker wants it."""
    mutant = mutants.of_item(request.node) is not None
    pristine = mutant or request.node.get_closest_marker("pristine") is not None
    spoiled = mutant or request.node.get_closest_marker("destructive") is not None
    if isinstance(labs, SiteLabs):
        labs.admit(request.node)
        spoiled = True  # what it did is undone, if it did anything
    try:
        since = time.monotonic()
        lab = labs.get(guide, pristine=pristine)
        request.node.user_properties.append((LAB_S, time.monotonic() - since))
        if following := needed_next(request.node):
            labs.make_ahead(following)
        yield lab
        spoiled |= stopped_recording(lab) or (isinstance(labs, Labs) and labs.has_failed(guide))
    except LabFailedBefore as error:
        pytest.skip(str(error))  # the scenario that first needed it has failed, with the reason
    finally:
        if spoiled:
            labs.discard(guide)
