"""What a scenario records, and what comes of it: a verdict, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import pytest

from checks.engine.judging import broke_off, judge_now, never_began, next_attempt
from checks.engine.lateness import only_late
from checks.engine.verdict import Status, Verdict
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.history import History
from evidence.secret import Secrets
from lab.errors import ConformanceFailure, LabError
from lab.lab import Lab
from lab.testbed import Testbed
from lab.timing import Kind, spending
from scenarios import sites, software
from scenarios.again import HostTooBusy, goes_again
from scenarios.ahead import guide_of
from scenarios.labs import Labs
from scenarios.lateness import Lateness, watched
from scenarios.limits import Limits
from scenarios.mutants import plugin as mutants
from scenarios.plugin.stash import RUN
from scenarios.printing import show_safely
from scenarios.requirements import requirements_of
from scenarios.sites import SiteLabs

Judge = Callable[[str], Verdict]


@pytest.fixture
def lateness(lab: Testbed) -> Iterator[Lateness]:
    """How late the lab's processes are while the scenario runs."""
    with watched(lab) as lateness:
        yield lateness


@pytest.fixture
def limits(guide: str, lab: Testbed, labs: Labs | SiteLabs) -> Limits:
    """What of this host the lab's guests took too much of."""
    return Limits(lab, labs.name(guide))


@pytest.fixture
def history(
    request: pytest.FixtureRequest,
    guide: str,
    lab: Testbed,
    labs: Labs | SiteLabs,
    lateness: Lateness,
    limits: Limits,
) -> Iterator[History]:
    """The run's history, on behalf of this scenario."""
    scenario, run = request.node.nodeid, request.config.stash[RUN]
    started = ScenarioStarted(
        source="pytest",
        lab=labs.name(guide),
        requirements=tuple(requirements_of(request.node)),
        attempt=next_attempt(run.directory, scenario),
        software=sites.software_of(request.config, guide),
    )
    with run.history(scenario) as history:
        history.record(started)
        yield history
        lateness.record(history)
        limits.record(history)
        sites.record_heard(history, lab, labs.name(guide))
        history.record(ScenarioEnded(source="pytest", events=history.recorded))
        lab.wire.flush()  # with a mark that it covers all of the scenario


@pytest.fixture
def judge(
    request: pytest.FixtureRequest,
    guide: str,
    lab: Testbed,
    labs: Labs | SiteLabs,
    history: History,
    lateness: Lateness,
    limits: Limits,
) -> Judge:
    """Judge a requirement by what this scenario has recorded so far; anything but PASS fails."""
    directory = request.config.stash[RUN].directory

    def judge(requirement: str) -> Verdict:
        with spending(Kind.JUDGE):
            lateness.record(history)
            limits.record(history)
            sites.record_heard(history, lab, labs.name(guide))
            verdict = judge_now(directory, history, requirement, lab.wire.flush)
        if (mutant := mutants.of_item(request.node)) is not None:
            return mutants.hold(mutant, requirement, verdict)
        if verdict.status is Status.FAIL:
            raise ConformanceFailure(f"{requirement}: {verdict.text}")
        if only_late(verdict):
            raise HostTooBusy(f"{requirement}: the host was too busy to tell: {verdict.text}")
        if verdict.status is Status.UNKNOWN:
            raise LabError(f"{requirement}: {verdict.text}")
        return verdict

    return judge


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    own = "labs" in getattr(item, "fixturenames", ())
    if own:
        show_safely(report)
    if own and report.failed and goes_again(item, call):
        _note_begun_again(item)
    elif own and report.failed:
        _note_failure(item, call)
        sites.in_one_line(item, call, report)
        software.tell_unknown(item, call, report)
    return report


def _note_begun_again(item: pytest.Item) -> None:
    """Let no requirement go unmentioned that an attempt had not judged yet: the next one may."""
    if isinstance(item.funcargs.get("history"), History):  # type: ignore[attr-defined]
        directory = item.config.stash[RUN].directory
        broke_off(directory, item.nodeid, "it was begun again before this was judged")


def _note_failure(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Keep the lab if asked to, and let no requirement of a broken scenario go unmentioned."""
    labs = item.funcargs.get("labs")  # type: ignore[attr-defined]  # pytest's functions have it
    if isinstance(labs, Labs) and isinstance(item.funcargs.get("lab"), Lab):  # type: ignore[attr-defined]
        labs.note_failure(guide_of(item), item.nodeid)
    directory = item.config.stash[RUN].directory
    if not directory.exists() or call.excinfo is None:
        return
    told = Secrets(directory).mask(call.excinfo.exconly())
    reason = sites.not_shown(call) or f"the scenario broke before it was judged: {told}"
    if isinstance(item.funcargs.get("history"), History):  # type: ignore[attr-defined]
        broke_off(directory, item.nodeid, reason)
    elif call.when == "setup":
        never_began(directory, item.nodeid, requirements_of(item), reason)
