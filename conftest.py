"""pytest meets the lab: options, fixtures, outcomes. Wiring only."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest
from _pytest.terminal import TerminalReporter
from rich.console import Console

from checks.engine.judging import broke_off, judge_now, never_began, next_attempt
from checks.engine.lateness import only_late
from checks.engine.mutants import Outcome
from checks.engine.requirements import catalogue
from checks.engine.seal import seal
from checks.engine.series import SeriesVerdict, judge_series
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import read_verdicts
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.history import History
from evidence.leaks import Search
from evidence.printable import visible
from evidence.secret import Secrets
from lab.accelerator import choose
from lab.cli import collect_garbage
from lab.errors import ConformanceFailure, LabError
from lab.lab import Lab
from lab.progress import Progress
from lab.site import Site
from lab.timing import Kind, spending
from provision.deploy import GUIDES, Deployer
from report.making import report_at_end
from scenarios import sites, software
from scenarios.again import HostTooBusy, OnceMore, goes_again
from scenarios.ahead import NEXT, guide_of, needed_next
from scenarios.arguments import ask_for_scenarios, guides_of
from scenarios.durations import Durations, Stopwatch
from scenarios.harness import machines
from scenarios.labs import LabFailedBefore, Labs
from scenarios.lateness import Lateness, watched
from scenarios.limits import Limits, stopped_recording
from scenarios.mutants import plugin as mutants
from scenarios.printing import show_safely
from scenarios.repetitions import fail_the_run, in_words, repeat
from scenarios.requirements import requirements_of, to_be_judged
from scenarios.run import (
    COMMAND_OF_RUN,
    EVIDENCE_OF_RUN,
    TERMINAL_OF_RUN,
    Run,
    command_line,
    forget_run,
    terminal_of_run,
)
from scenarios.secrets_search import may_not_be_shared, searched, tell_of_secrets
from scenarios.side_by_side import (
    SideBySide,
    automatic,
    in_chosen_topology,
    let_them_be_chosen,
    side_by_side,
    workers,
)
from scenarios.sites import SiteLabs
from scenarios.timing_plugin import TimingPlugin

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

ROOT = Path(__file__).parent
_RUN = pytest.StashKey[Run]()
_SERIES = pytest.StashKey[list[SeriesVerdict]]()
_LEFT_UP = pytest.StashKey[list[str]]()
_LEFT_UP_BY_WORKER = "vpnproof_left_up"
_LABS = pytest.StashKey[SideBySide]()
_A_WORKER_DIED = pytest.StashKey[bool]()
_MAY_THAW_AHEAD = "vpnproof_may_thaw_ahead"
_TERMINAL = pytest.StashKey[TextIO]()
_SEAL = pytest.StashKey[str]()
_SEARCH = pytest.StashKey[Search | None]()
_REPORT = pytest.StashKey[list[str]]()
_KILLS = pytest.StashKey[list[Outcome]]()
_TO_BE_JUDGED = pytest.StashKey[frozenset[str]]()

Judge = Callable[[str], Verdict]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vpnproof", "labs of real virtual machines")
    sites.add_options(group)
    group.addoption("--image", help="guest image; see lab/image/catalogue.toml")
    group.addoption("--accel", choices=("kvm", "tcg"), help="instead of what was found to work")
    group.addoption("--libvirt-uri", help="another libvirt than the lab's own")
    group.addoption(
        "--topology",
        action="append",
        help="instead of a guide's own: a name in lab/topologies, or a .toml file",
    )
    group.addoption("--evidence", type=Path, help="directory of the run's evidence")
    group.addoption(
        "--keep",
        choices=("never", "failed", "always"),
        default="never",
        help="leave labs up at the end (default: %(default)s)",
    )
    group.addoption("--fresh", action="store_true", help="ignore all checkpoints")
    group.addoption(
        "--full",
        action="store_true",
        help="a sign-off run: long scenarios too, each fault 20 times",
    )
    group.addoption(
        "--timings", action="store_true", help="print the scenarios that took longest, and why"
    )
    software.add_option(group)
    mutants.add_option(group)
    group.addoption(
        "--heartbeat",
        choices=("ucarp", "keepalived"),
        default="ucarp",
        help="the failover pair's engine (default: %(default)s)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    let_them_be_chosen(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    return automatic(config) if config.getoption("lab") == sites.LOCAL else 0


def pytest_configure(config: pytest.Config) -> None:
    chosen = os.environ.get(EVIDENCE_OF_RUN) or config.getoption("evidence")
    directory = Path(chosen) if chosen else Run.fresh_directory(ROOT)
    config.stash[_RUN] = Run(directory.absolute(), ROOT)
    # Taken before pytest captures it: a lab takes minutes, and silence looks like death.
    terminal = terminal_of_run(in_worker=hasattr(config, "workerinput"))
    config.stash[_TERMINAL] = terminal
    config.add_cleanup(terminal.close)
    timings = TimingPlugin(
        config.stash[_RUN].directory,
        shown=config.getoption("timings"),
        collects=not hasattr(config, "workerinput"),
    )
    config.pluginmanager.register(timings)
    config.pluginmanager.register(OnceMore(), "vpnproof-once-more")
    if hasattr(config, "workerinput"):
        return
    os.environ[EVIDENCE_OF_RUN] = str(config.stash[_RUN].directory)
    os.environ[COMMAND_OF_RUN] = command_line()
    os.environ[TERMINAL_OF_RUN] = f"/proc/{os.getpid()}/fd/{terminal.fileno()}"
    config.add_cleanup(forget_run)
    if ask_for_scenarios(config.args):
        sites.prepare(config, config.stash[_RUN].directory, workers(config))
        config.pluginmanager.register(Stopwatch(), "vpnproof-stopwatch")
        if sites.chosen(config) is not None:
            return
        config.stash[_LABS] = side_by_side(config, max(1, workers(config)))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Tell a worker of xdist what it may do beside the others."""
    labs = node.config.stash.get(_LABS, None)
    node.workerinput[_MAY_THAW_AHEAD] = labs is not None and labs.ahead
    if labs is not None:
        software.tell(node)


def pytest_report_header(config: pytest.Config) -> list[str]:
    if (site := sites.chosen(config)) is not None and not config.getoption("collectonly"):
        return [*sites.header(site), f"evidence: {config.stash[_RUN].directory}"]
    if (labs := config.stash.get(_LABS, None)) is None:
        return []
    images, lines = software.header(config)
    accelerator = choose(config.getoption("accel"))
    return [
        f"lab: {sites.LOCAL}, image {', '.join(images)}, accelerator {accelerator}",
        *lines,
        f"labs: {labs}",
        f"evidence: {config.stash[_RUN].directory}",
    ]


@pytest.hookimpl(trylast=True)  # after what parametrizes a scenario by itself
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if mutants.are_wanted(metafunc.config):
        mutants.multiply(metafunc)
    else:
        repeat(metafunc, metafunc.config.getoption("full"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if mutants.are_wanted(config):
        mutants.leave_out_others(config, items)
    else:
        _leave_for_sign_off(config, items)
    for item in items:
        for requirement in requirements_of(item):
            catalogue().get(requirement)
        for marker in item.iter_markers("engine"):
            if marker.args[0] != (chosen := config.getoption("heartbeat")):
                reason = f"about {marker.args[0]}, and the pair runs {chosen}"
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what is to be judged, now that nothing more is left out."""
    session.config.stash[_TO_BE_JUDGED] = to_be_judged(session.items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Let any worker take the next scenario, long ones first, whatever --dist says."""
    if not ask_for_scenarios(config.args):
        return None
    from scenarios.workers import LongestFirst  # needs xdist, which need not be there

    return LongestFirst(config, log, Durations.remembered())


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str) -> None:
    """Let no requirement go unmentioned of a scenario whose worker died."""
    # The hook has no config; the run's directory is known to all of its processes.
    broke_off(Path(os.environ[EVIDENCE_OF_RUN]), crashitem)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    item.stash[NEXT] = nextitem


def _leave_for_sign_off(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --full, leave out what takes many minutes, unless it is asked for by its name."""
    if config.getoption("full"):
        return
    named = tuple(argument for argument in config.args if "::" in argument)
    left = [
        item for item in items if item.get_closest_marker("sign_off") and not _is_named(item, named)
    ]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


def _is_named(item: pytest.Item, arguments: tuple[str, ...]) -> bool:
    """Whether one of the arguments is this test's own, with its parameters or without."""
    path, _, name = item.nodeid.partition("::")
    wanted = {(Path(a.partition("::")[0]).resolve(), a.partition("::")[2]) for a in arguments}
    place = (ROOT / path).resolve()
    return not wanted.isdisjoint({(place, name), (place, name.partition("[")[0])})


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether this is a sign-off run."""
    return bool(request.config.getoption("full"))


@pytest.fixture(scope="session")
def labs(request: pytest.FixtureRequest) -> Iterator[Labs | SiteLabs]:
    """The labs of this run, or its site, and its evidence directory, made now."""
    config = request.config
    progress = Progress(Console(file=config.stash[_TERMINAL], highlight=False))
    if (site := sites.chosen(config)) is not None:
        run = config.stash[_RUN]
        wanted = config.stash.get(_TO_BE_JUDGED, frozenset[str]())
        run.open(requirements=wanted, **sites.facts(site))
        on_site = SiteLabs(site, run.directory, progress, run.note_lab)
        try:
            yield on_site
        finally:
            on_site.end()
        return
    collect_garbage()
    accelerator = choose(config.getoption("accel"))
    heartbeat = config.getoption("heartbeat")
    first = next(iter(guides_of(config.args, GUIDES)), "failover")
    image = software.prepared(config, first, heartbeat, progress)[1]
    run = config.stash[_RUN]
    to_be_judged = config.stash.get(_TO_BE_JUDGED, frozenset[str]())
    run.open(
        requirements=to_be_judged,
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

    worker = getattr(config, "workerinput", {})
    labs = Labs(
        run.directory,
        in_chosen_topology(config, deployer),
        config.getoption("keep"),
        worker=worker.get("workerid", ""),
        ahead=_may_thaw_ahead(config),
        on_start=run.note_lab,
    )
    try:
        yield labs
    finally:
        left_up = labs.end()
        if hasattr(config, "workeroutput"):  # of a worker of xdist: the controller prints it
            config.workeroutput[_LEFT_UP_BY_WORKER] = left_up
        config.stash[_LEFT_UP] = left_up


def _may_thaw_ahead(config: pytest.Config) -> bool:
    if hasattr(config, "workerinput"):
        return bool(config.workerinput[_MAY_THAW_AHEAD])
    labs = config.stash.get(_LABS, None)
    return labs is not None and labs.ahead


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController, error: object) -> None:
    """Take from a worker of xdist what it left up; one that crashed has nothing to say."""
    if error:
        node.config.stash[_A_WORKER_DIED] = True
    said = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(_LEFT_UP, []).extend(said.get(_LEFT_UP_BY_WORKER, []))


@pytest.fixture
def guide(request: pytest.FixtureRequest) -> str:
    """The guide a scenario belongs to."""
    return guide_of(request.node)


@pytest.fixture
def lab(request: pytest.FixtureRequest, guide: str, labs: Labs | SiteLabs) -> Iterator[Lab | Site]:
    """The lab of the scenario's guide, as fresh as the scenario's marker wants it."""
    mutant = mutants.of_item(request.node) is not None
    pristine = mutant or request.node.get_closest_marker("pristine") is not None
    spoiled = mutant or request.node.get_closest_marker("destructive") is not None
    if isinstance(labs, SiteLabs):
        labs.admit(request.node)
        spoiled = True  # what it did is undone, if it did anything
    try:
        lab = labs.get(guide, pristine=pristine)
        if following := needed_next(request.node):
            labs.make_ahead(following)
        yield lab
        spoiled |= stopped_recording(lab)
    except LabFailedBefore as error:
        pytest.skip(str(error))  # the scenario that first needed it has failed, with the reason
    finally:
        if spoiled:
            labs.discard(guide)


@pytest.fixture
def lateness(lab: Lab | Site) -> Iterator[Lateness]:
    """How late the lab's processes are while the scenario runs."""
    with watched(lab) as lateness:
        yield lateness


@pytest.fixture
def limits(guide: str, lab: Lab | Site, labs: Labs | SiteLabs) -> Limits:
    """What of this host the lab's guests took too much of."""
    return Limits(lab, labs.name(guide))


@pytest.fixture
def history(
    request: pytest.FixtureRequest,
    guide: str,
    lab: Lab | Site,
    labs: Labs | SiteLabs,
    lateness: Lateness,
    limits: Limits,
) -> Iterator[History]:
    """The run's history, on behalf of this scenario."""
    scenario, run = request.node.nodeid, request.config.stash[_RUN]
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
    lab: Lab | Site,
    labs: Labs | SiteLabs,
    history: History,
    lateness: Lateness,
    limits: Limits,
) -> Judge:
    """Judge a requirement by what this scenario has recorded so far; anything but PASS fails."""
    directory = request.config.stash[_RUN].directory

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
    if own and report.failed and not goes_again(item, call):  # then it may yet be judged
        _note_failure(item, call)
        sites.in_one_line(item, call, report)
        software.tell_unknown(item, call, report)
    return report


def _note_failure(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Keep the lab if asked to, and let no requirement of a broken scenario go unmentioned."""
    labs = item.funcargs.get("labs")  # type: ignore[attr-defined]  # pytest's functions have it
    if isinstance(labs, Labs) and isinstance(item.funcargs.get("lab"), Lab):  # type: ignore[attr-defined]
        labs.note_failure(guide_of(item), item.nodeid)
    directory = item.config.stash[_RUN].directory
    if not directory.exists() or call.excinfo is None:
        return
    told = Secrets(directory).mask(call.excinfo.exconly())
    reason = sites.not_shown(call) or f"the scenario broke before it was judged: {told}"
    if isinstance(item.funcargs.get("history"), History):  # type: ignore[attr-defined]
        broke_off(directory, item.nodeid, reason)
    elif call.when == "setup":
        never_began(directory, item.nodeid, requirements_of(item), reason)


@pytest.hookimpl(trylast=True)  # when no scenario, and no worker, writes any more
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Judge what was repeated over all repetitions, on behalf of all workers, and seal the run."""
    config = session.config
    if hasattr(config, "workerinput") or config.getoption("collectonly"):
        return
    if config.stash.get(_A_WORKER_DIED, False):
        collect_garbage()  # its machines have ended with it
    directory = config.stash[_RUN].directory
    verdicts = judge_series(directory)
    config.stash[_SERIES] = verdicts
    config.stash[_KILLS] = mutants.kill_table(directory) if mutants.are_wanted(config) else []
    config.stash[_SEARCH] = searched(directory)
    config.stash[_SEAL] = seal(directory)
    config.stash[_REPORT] = report_at_end(directory)
    bad = fail_the_run(verdicts, config.args) or may_not_be_shared(config.stash[_SEARCH])
    bad = bad or sites.left_open(config)
    if session.exitstatus == pytest.ExitCode.OK and bad:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    directory = config.stash[_RUN].directory
    for line in config.stash.get(_REPORT, []):
        terminalreporter.write_line(line)
    verdicts = read_verdicts(directory)
    if not verdicts.by_requirement:
        return
    series = config.stash.get(_SERIES, [])
    terminalreporter.section("verdicts")
    for requirement in sorted(verdicts.by_requirement):
        verdict = verdicts.of(requirement)
        statement = catalogue().get(requirement).statement
        terminalreporter.write_line(
            f"{requirement}  {verdict.status:7}  {statement}",
            green=verdict.status is Status.PASS,
            red=verdict.status is Status.FAIL,
            yellow=verdict.status is Status.UNKNOWN,
        )
        for line in in_words(series, requirement):
            terminalreporter.write_line(f"       {visible(line)}")
    for outcome in config.stash.get(_KILLS, []):
        line = visible(str(outcome))
        terminalreporter.write_line(line, green=outcome.killed, red=not outcome.killed)
    if verdicts.never_judged:
        left = ", ".join(verdicts.never_judged)
        terminalreporter.write_line(f"never judged: {left}", yellow=True)
    terminalreporter.write_line(f"evidence: {directory}")
    terminalreporter.write_line(f"judge it again: python -m checks verify {directory}")
    tell_of_secrets(terminalreporter, config.stash.get(_SEARCH, None))
    for line in config.stash.get(_LEFT_UP, []):
        terminalreporter.write_line(line)
    if sealed := config.stash.get(_SEAL, ""):
        terminalreporter.write_line(f"evidence sealed: {sealed}")
