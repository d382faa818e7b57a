"""A scenario that another host took is its next attempt; nobody else begins it."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.cli import main
from checks.engine.integrity import integrity
from checks.engine.verdict import Status
from checks.engine.verdicts import read_verdicts
from tests.checks.engine.hosts import at_home, come_home, lost, taken, written_on
from tests.checks.engine.recorded import SAID, SCENARIO, attempt

pytestmark = pytest.mark.usefixtures("own_checks")


def test_a_scenario_that_another_host_took_is_its_next_attempt(run: Path) -> None:
    attempt(written_on(run, "beta"), judged=False)
    at_home(run, lost("beta", SCENARIO), taken(SCENARIO, "beta", "alpha"))
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    attempts = read_verdicts(run).attempts[SAID][SCENARIO]
    assert [(n, one.status) for n, one in sorted(attempts.items())] == [
        (1, Status.UNKNOWN),
        (2, Status.PASS),
    ]
    assert read_verdicts(run).of(SAID).status is Status.PASS
    assert main(["verify", str(run)]) == 0


def test_also_when_nothing_of_the_first_came_home(run: Path) -> None:
    at_home(run, lost("beta", SCENARIO), taken(SCENARIO, "beta", "alpha"))
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    assert set(read_verdicts(run).attempts[SAID][SCENARIO]) == {2}
    assert main(["verify", str(run)]) == 0


def test_a_failure_before_a_host_was_lost_is_not_undone_by_the_next(run: Path) -> None:
    attempt(written_on(run, "beta"), "bad")
    at_home(run, lost("beta", SCENARIO), taken(SCENARIO, "beta", "alpha"))
    attempt(written_on(run, "alpha"), "good")
    come_home(run)
    assert read_verdicts(run).of(SAID).status is Status.FAIL


def test_a_scenario_on_two_hosts_that_none_took_from_the_other_is_told(run: Path) -> None:
    for host in ("alpha", "beta"):
        attempt(written_on(run, host), "good")
    come_home(run)
    (told,) = integrity(run).altered
    assert told.startswith("hosts/beta/history.jsonl:1: ")
    assert "hosts/alpha/history.jsonl:1" in told
    assert main(["verify", str(run)]) == 2
