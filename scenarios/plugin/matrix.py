"""A run of a matrix: many runs in the place of one, then one seal and one report over all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.console import Console
from rich.markup import escape

from checks.engine.joint import sealing
from evidence.combinations import Combination, Outcome, combined
from evidence.errors import EvidenceError
from evidence.printable import visible
from report.joint import make_joint
from report.making import report_at_end
from scenarios.arguments import NOTHING_RUNS
from scenarios.combinations import WHY, Breaking, WhyNot, exit_status, keep, run_all
from scenarios.matrix import EVIDENCE, OPTION, Plan, planned
from scenarios.plugin.stash import ROOT
from scenarios.run import Run


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.getgroup("vpnproof").addoption(
        OPTION,
        action="append",
        metavar="KEY=VALUE,VALUE",
        help="run each combination of these, with one report; of the keys heartbeat, image and "
        "software more may follow",
    )
    if WHY in os.environ:
        pluginmanager.register(WhyNot(Path(os.environ[WHY])), "vpnproof-why-not")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    words = config.getoption("matrix")
    if not words:
        return None
    plan = planned(config.invocation_params.args, words, config.args)
    if any(getattr(config.option, name, False) for name in NOTHING_RUNS):
        config.args[:] = plan.paths
        return None
    directory = config.getoption("evidence") or Run.fresh_directory(ROOT)
    return _run(plan, directory.absolute())


def _run(plan: Plan, directory: Path) -> int:
    if directory.exists() and any(directory.iterdir()):
        raise pytest.UsageError(
            f"{EVIDENCE}: {directory}: holds something already: a matrix begins in a directory of "
            "its own"
        )
    run = Run(directory, ROOT)
    combinations = combined(directory, plan.settings)
    run.open(matrix={one.name: dict(one.settings) for one in combinations})
    run.files.wire.rmdir()  # each combination has its own
    breaking = Breaking()
    with breaking.heeded():
        became = run_all(directory, combinations, plan.arguments, breaking, _say)
    try:
        is_sealed = _end(directory, combinations, became)
    except KeyboardInterrupt:
        _say(f"broken off before its report was made: python -m report {directory}")
        return pytest.ExitCode.INTERRUPTED
    status = exit_status(became, broken_off=breaking.asked)
    return status if is_sealed or status != pytest.ExitCode.OK else pytest.ExitCode.INTERRUPTED


def _end(
    directory: Path, combinations: tuple[Combination, ...], became: dict[str, Outcome]
) -> bool:
    """Seal all of them, make their report, and say what came of each; return whether it is sealed.

    What cannot be sealed has no report: it would be of outcomes that were not kept.
    """
    try:
        outcomes = sealing(directory, became)
        keep(directory, outcomes)
    except (EvidenceError, OSError) as error:
        _say(f"the run could not be sealed: {error}")
        return False
    for one in combinations:
        outcome = became[one.name]
        _say(f"{one.title}: {outcome.why or f'ended with status {outcome.status}'}")
    for line in report_at_end(directory, make_joint):
        _say(line)
    _say(f"evidence: {directory}")
    _say(f"judge it again: python -m checks verify {directory}")
    _say(f"evidence sealed: {outcomes.seal}")
    return True


def _say(line: str) -> None:
    Console(highlight=False).print(escape(visible(line)), soft_wrap=True)
