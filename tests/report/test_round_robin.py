"""Draws among nodes are counted attempt by attempt, as far as there is something to draw."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import Verdicts, tables_of, write_tables
from evidence.events import read_event
from evidence.events.run import Judged, ScenarioEnded, ScenarioStarted
from evidence.history import History
from report.content import content_of
from report.page import page
from report.reading import read_run
from report.round_robin import Draw, draws
from tests.checks.multi_node import runs
from tests.checks.sites import GUIDE_DATA, site

SCENARIO = "scenarios/multi_node/test_clients.py::test_answers"
ONE_NODE = {
    **GUIDE_DATA,
    "machines": [one for one in GUIDE_DATA["machines"] if one["name"] != "node-b"],
    "profiles": {"node-a": GUIDE_DATA["profiles"]["node-a"]},
    "merged_profiles": {"node-a": GUIDE_DATA["merged_profiles"]["node-a"]},
}


def of(directory: Path) -> list[Draw]:
    return draws(read_run(directory))


def test_with_one_node_there_is_nothing_to_draw(tmp_path: Path) -> None:
    run = runs.run_mn_22(10, runs.cyclic(site(ONE_NODE)), site(ONE_NODE))
    run.write(tmp_path, SCENARIO)
    assert {one.outcome for one in of(tmp_path)} == {"not tested: one node"}
    assert "not tested: one node" in page(content_of(tmp_path))


def attempt(directory: Path, number: int, *nodes: str, judged: bool = True) -> None:
    """Record an attempt in which these nodes' addresses came first."""
    addresses = {"node-a": "145.0.6.72", "node-b": "145.0.6.73"}
    answers = [
        {"id": n, "status": "NOERROR", "name": "x", "type": "A", "addresses": [addresses[node]]}
        for n, node in enumerate(nodes)
    ]
    with History(directory / "history.jsonl", SCENARIO) as history:
        started = {"source": "pytest", "lab": "lab", "requirements": ("MN-22",)}
        history.record(ScenarioStarted(**started, attempt=number))
        plan = {"kind": "deployment.planned", "source": "topology", "at_ns": 1}
        history.record(read_event({**plan, **GUIDE_DATA}))
        asked = {"kind": "dns.answered", "source": "client", "at_ns": 1, "type": "A"}
        history.record(read_event({**asked, "answers": answers}))
        if judged:
            history.record(Judged(source="judge", requirement="MN-22"))
            history.record(ScenarioEnded(source="pytest", events=history.recorded))


def counts(directory: Path) -> list[tuple[int, list[int]]]:
    return [(one.attempt, [share.count for share in one.shares]) for one in of(directory)]


def test_an_attempt_that_was_made_again_is_not_counted_with_the_later(tmp_path: Path) -> None:
    attempt(tmp_path, 1, *["node-a"] * 30, judged=False)
    attempt(tmp_path, 2, "node-a", "node-b")
    verdicts = {1: Verdict(Status.UNKNOWN, ("late",)), 2: Verdict(Status.PASS, ("good",))}
    said = {"MN-22": {SCENARIO: verdicts}}
    write_tables(tmp_path, tables_of(Verdicts(said, frozenset(said))))
    assert counts(tmp_path) == [(2, [1, 1])]


@pytest.mark.parametrize("first", [Status.FAIL, Status.PASS])
def test_attempts_that_count_both_are_told_apart(tmp_path: Path, first: Status) -> None:
    attempt(tmp_path, 1, *["node-a"] * 3)
    attempt(tmp_path, 2, "node-a", "node-b")
    verdicts = {1: Verdict(first, ("as told",)), 2: Verdict(Status.PASS, ("good",))}
    said = {"MN-22": {SCENARIO: verdicts}}
    write_tables(tmp_path, tables_of(Verdicts(said, frozenset(said))))
    assert counts(tmp_path) == [(1, [3, 0]), (2, [1, 1])]
    assert "attempt 2" in page(content_of(tmp_path))
