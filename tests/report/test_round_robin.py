"""Draws among nodes are counted attempt by attempt, as far as there is something to draw."""

from __future__ import annotations

from pathlib import Path

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
