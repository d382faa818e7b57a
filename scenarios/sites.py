"""Scenarios on machines that are already there: `--lab=site.toml`, instead of a lab of ours.

What is allowed there stands in a scenario's marker: one that `observes` runs; one that `disrupts`
needs `--allow-disruption`; one without the marker leaves behind what only a lab can undo, and never
runs there. Whatever cannot be shown is UNKNOWN, with the reason, and the run is no success.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evidence.events.run import SiteHeard
from evidence.history import History
from evidence.run import RunDirectory
from lab.errors import LabError, NotHere, VpnproofError
from lab.progress import Progress
from lab.site import Site, SiteFile, read_site
from lab.testbed import Testbed
from lab.topology import Role, Topology
from provision.errors import PlanError
from provision.failover import site as failover_cast
from provision.multi_node import site as multi_node_cast
from scenarios import software
from scenarios.ahead import guide_of
from scenarios.failover.whole import make_whole, require_whole

LOCAL = "local"
OBSERVES, DISRUPTS = "observes", "disrupts"
_SITE = pytest.StashKey[Site]()
_NOT_SHOWN = pytest.StashKey[list[str]]()
_CASTS: Mapping[str, Callable[[Topology], object]] = {
    "failover": failover_cast.Site.of,
    "multi_node": multi_node_cast.Site.of,
}
_PAIR: tuple[Role, ...] = ("primary", "secondary")
_OF_LABS = ("topology", "image", "accel", "libvirt_uri", "fresh", "mutants")
_WHOLE: Mapping[str, Callable[[Site], None]] = {"failover": make_whole}
_MAY_BE_DISTURBED: Mapping[str, Callable[[Site], None]] = {"failover": require_whole}
_ENDS = (signal.SIGTERM, signal.SIGHUP)


def add_options(group: pytest.OptionGroup) -> None:
    """Declare --lab and --allow-disruption."""
    group.addoption(
        "--lab",
        default=LOCAL,
        metavar="local|SITE.toml|HOSTS.toml",
        help="where scenarios run: in labs made here, on the machines of a site file, or in labs "
        "on the hosts of a hosts file",
    )
    group.addoption(
        "--allow-disruption",
        action="store_true",
        help="on the machines of a site: scenarios that stop, reset or change them, too",
    )


def prepare(config: pytest.Config, directory: Path, workers: int) -> None:
    """Read the site file, if the run is on one; pytest.UsageError has a line for each fault."""
    chosen = config.getoption("lab")
    if chosen == LOCAL:
        if config.getoption("allow_disruption"):
            raise pytest.UsageError("--allow-disruption: is for --lab=SITE.toml")
        return
    if not chosen.endswith(".toml"):
        raise pytest.UsageError(f"--lab: {chosen!r} is neither {LOCAL} nor a site file (.toml)")
    if workers:
        raise pytest.UsageError("--lab: a site is one: no -n beside it")
    for name in _OF_LABS:
        if config.getoption(name):
            raise pytest.UsageError(f"--{name.replace('_', '-')}: is for labs, not for a site")
    try:
        file = read_site(Path(chosen))
        _check_roles(file)
    except VpnproofError as error:
        raise pytest.UsageError(f"--lab: {error}") from error
    allowed = config.getoption("allow_disruption")
    config.stash[_SITE] = Site(file, directory, allowed=allowed)


def _check_roles(file: SiteFile) -> None:
    guide = (file.topology.guide or "").replace("-", "_")
    if guide not in _CASTS:
        raise PlanError(
            f"{file.path}: its topology does not say which guide it is for",
            hint='set `guide`: "multi-node" or "failover"',
        )
    _CASTS[guide](file.topology)
    pair = [one.name for role in _PAIR for one in file.topology.with_role(role)]
    if file.probe in pair:
        raise PlanError(
            f"{file.path}: probe: {file.probe} is a node of the pair: it never hears what is sent"
            " by its own NIC",
            hint="name a machine beside the pair, such as its gateway",
        )


def chosen(config: pytest.Config) -> Site | None:
    """Return the site that scenarios run on; None where they run in labs."""
    return config.stash.get(_SITE, None)


def header(site: Site) -> list[str]:
    """Look at every machine, and say what the run is about; pytest.UsageError as `prepare`."""
    try:
        site.look()
    except VpnproofError as error:
        raise pytest.UsageError(f"--lab: {error}") from error
    allowed = "allowed, each is announced" if site.allowed else "not allowed"
    return [f"site: {site.file.path}, {len(site.machines)} machines; disruptions: {allowed}"]


def facts(site: Site) -> dict[str, object]:
    """Return what `run.json` says of a site, where it says what labs are made of."""
    return {
        "image": "none of ours: what the machines run",
        "accelerator": "none of ours: machines that are already there",
        "site": {name: str(access) for name, access in site.file.access.items()},
        "disruptions": site.allowed,
    }


def software_of(config: pytest.Config, guide: str) -> str:
    """Return what a guide is followed with; on a site nobody has told."""
    return "" if chosen(config) is not None else software.name_of(config, guide)


class SiteLabs:
    """A site in the place of labs: it is always the same one, made whole where that is possible."""

    def __init__(
        self,
        site: Site,
        directory: Path,
        progress: Progress,
        on_start: Callable[[str, Site], None],
    ) -> None:
        self.files = RunDirectory(directory)
        self._site = site
        site.say = progress.say
        self._progress = progress
        self._on_start = on_start
        self._guide = (site.topology.guide or "").replace("-", "_")
        self._name = f"site-{site.topology.name}-{time.strftime('%H%M%S')}"
        self._open = self._spoiled = False
        self._failure = ""
        self._handlers: dict[signal.Signals, Any] = {}

    def admit(self, item: pytest.Item) -> None:
        """Raise NotHere unless a scenario may run here; announce one that disrupts.

        On a site that failed none may any more: there is no other one.
        """
        guide = guide_of(item)
        if guide != self._guide:
            raise NotHere(f"{self._site.file.path} is a site of {self._guide}, not of {guide}")
        marker = item.get_closest_marker("on_site")
        if marker is None:
            raise NotHere("leaves behind what only a lab can undo: never run on a site")
        if self._failure:
            raise NotHere(self._failure)
        if marker.args == (DISRUPTS,):
            if guide in _MAY_BE_DISTURBED and self._site.allowed:
                _MAY_BE_DISTURBED[guide](self._site)
            self._site.announce(f"by {item.name}")
            self._end_in_order()
            self._spoiled = True

    def _end_in_order(self) -> None:
        """Let a lost terminal and CI's way to end a job be Ctrl-C: what was disturbed is undone."""
        if not self._handlers and threading.current_thread() is threading.main_thread():
            for number in _ENDS:  # but of nohup
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._handlers[number] = signal.signal(number, signal.default_int_handler)

    def get(self, guide: str, *, pristine: bool = False) -> Site:
        """Return the site, listened to; never `pristine`, but whole after what was done to it."""
        del guide, pristine  # there is one site, and it cannot be thawed anew
        try:
            if not self._open:
                with self._progress.task(f"listening to {len(self._site.machines)} machines"):
                    self._site.open(self.files.capture(self._name))
                self._open = True
                self._on_start(self._name, self._site)
        except LabError as error:
            self._failure = f"{self._site.topology.name} was not listened to: {_line(error)}"
            raise
        self._site.wire.begin()
        return self._site

    def make_ahead(self, guide: str) -> None:
        """Do nothing: there is one site only."""

    def name(self, guide: str) -> str:
        """Return the name that the site's evidence bears; of another guide it has none."""
        if guide != self._guide:
            raise LabError(f"no site of {guide}")
        return self._name

    def discard(self, guide: str) -> None:
        """Make the site whole, if something was done to it: there is no other one."""
        if not self._spoiled or guide not in _WHOLE:
            return
        self._spoiled = False
        name, before = self._site.topology.name, self._failure
        self._site.is_whole = False  # until it was seen to be: Ctrl-C may come in between
        self._failure = f"{name} was not seen to be whole after what was done to it"
        try:
            with self._progress.task(f"waiting until {name} is whole"):
                _WHOLE[guide](self._site)
        except LabError as error:
            self._failure = f"{name} is not whole: {_line(error)}"
            self._progress.say(self._failure)
        else:
            self._site.is_whole, self._failure = True, before

    def note_failure(self, guide: str, scenario: str) -> None:
        """Do nothing: the site stays up anyway."""

    def end(self) -> list[str]:
        """Let go of the site, which runs on; return a line if it was left not whole."""
        self._site.close()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}
        return [] if self._site.is_whole else [f"{self._failure}; see to it before another run"]


def record_heard(history: History, lab: Testbed, name: str) -> None:
    """Record how exactly frames were dated, and what keeps verdicts from resting on them."""
    if isinstance(lab, Site):
        history.record(
            SiteHeard(
                source="site",
                lab=name,
                uncertainty_ns=lab.wire.unsure_ns,
                troubles=tuple(lab.wire.troubles),
            )
        )


def not_shown(call: pytest.CallInfo[None]) -> str:
    """Return why a scenario could not be carried out on a site; "" for any other failure."""
    error = call.excinfo.value if call.excinfo is not None else None
    return error.message if isinstance(error, NotHere) else ""


def in_one_line(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Tell what failed on a site without a trace of our own; what cannot be there is left out."""
    if chosen(item.config) is None or call.excinfo is None:
        return
    if why := not_shown(call):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"UNKNOWN: {why}")
        item.config.stash.setdefault(_NOT_SHOWN, []).append(item.nodeid)
    elif told := _told(call.excinfo.value):
        report.longrepr = told


def _line(error: VpnproofError) -> str:
    return " ".join(error.message.split())


def _told(error: BaseException) -> str:
    if isinstance(error, ExceptionGroup):
        return "\n".join(filter(None, map(_told, error.exceptions)))
    return str(error) if isinstance(error, VpnproofError) else ""


def left_open(config: pytest.Config) -> bool:
    """Whether something could not be shown, or the site is not whole: the run is no success."""
    site = chosen(config)
    return bool(config.stash.get(_NOT_SHOWN, [])) or (site is not None and not site.is_whole)
