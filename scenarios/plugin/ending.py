"""What a run comes to: series judged, evidence sealed, the report, the last lines."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

from checks.engine.mutants import Outcome
from checks.engine.requirements import catalogue
from checks.engine.seal import seal
from checks.engine.series import SeriesVerdict, judge_series
from checks.engine.verdict import Status
from checks.engine.verdicts import read_verdicts
from evidence.leaks import Search
from evidence.printable import visible
from lab.cli import collect_garbage
from report.making import report_at_end
from scenarios import sites
from scenarios.mutants import plugin as mutants
from scenarios.plugin.stash import A_WORKER_DIED, LEFT_UP, RUN
from scenarios.repetitions import fail_the_run, in_words
from scenarios.secrets_search import may_not_be_shared, searched, tell_of_secrets

_SERIES = pytest.StashKey[list[SeriesVerdict]]()
_SEAL = pytest.StashKey[str]()
_SEARCH = pytest.StashKey[Search | None]()
_REPORT = pytest.StashKey[list[str]]()
_KILLS = pytest.StashKey[list[Outcome]]()


@pytest.hookimpl(trylast=True)  # when no scenario, and no worker, writes any more
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Judge what was repeated over all repetitions, on behalf of all workers, and seal the run."""
    config = session.config
    if hasattr(config, "workerinput") or config.getoption("collectonly"):
        return
    if config.stash.get(A_WORKER_DIED, False):
        collect_garbage()  # its machines have ended with it
    directory = config.stash[RUN].directory
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
    directory = config.stash[RUN].directory
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
    for line in config.stash.get(LEFT_UP, []):
        terminalreporter.write_line(line)
    if sealed := config.stash.get(_SEAL, ""):
        terminalreporter.write_line(f"evidence sealed: {sealed}")
