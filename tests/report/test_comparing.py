"""Two reports: which requirement turned, which figure moved out of its noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evidence.errors import BadEvidence
from report.cli import show
from report.comparing import Comparison, Turned, compare, read_report
from report.tables import FORMAT

SLOW, FAST = [5.0 + n / 10 for n in range(20)], [2.0 + n / 10 for n in range(20)]


def report(
    verdicts: dict[str, str], figures: dict[str, list[float]], whole: str = "PASS", **tested: str
) -> Any:
    return {
        "format": FORMAT,
        "verdict": whole,
        "requirements": {name: {"verdict": one} for name, one in verdicts.items()},
        "figures": {name: {"values": values} for name, values in figures.items()},
        "tested": tested,
    }


def of(before: dict[str, list[float]], after: dict[str, list[float]]) -> Comparison:
    return compare(report({}, before), report({}, after))


def test_a_requirement_that_turned_is_named() -> None:
    before = report({"FO-01": "PASS", "FO-02": "FAIL", "FO-03": "PASS"}, {})
    after = report({"FO-01": "FAIL", "FO-02": "UNKNOWN", "FO-04": "PASS"}, {})
    found = compare(before, after)
    assert found.turned == (
        Turned("FO-01", "PASS", "FAIL"),
        Turned("FO-02", "FAIL", "UNKNOWN"),
        Turned("FO-03", "PASS", "absent"),
        Turned("FO-04", "absent", "PASS"),
    )
    assert [one.worse for one in found.turned] == [True, False, True, False]
    assert not found.same


def test_the_verdict_on_the_whole_run_may_turn_alone() -> None:
    """The evidence of one was altered, say, and every requirement is what it was."""
    one = {"FO-01": "PASS"}
    found = compare(report(one, {}), report(one, {}, whole="UNKNOWN"))
    assert found.turned == (Turned("the whole run", "PASS", "UNKNOWN"),)
    assert found.turned[0].worse


def test_where_figures_have_too_few_values_nothing_can_be_told(capsys) -> None:
    few, moved = of({"x": FAST[:3]}, {"x": FAST[:3]}), of({"x": FAST}, {"x": SLOW})
    assert show(few, Console()) == 2
    assert "x: median 2.100 -> 2.100 s, n 3 and 3: too few to tell" in capsys.readouterr().out
    assert show(moved, Console()) == 1
    assert show(of({"x": FAST}, {"x": FAST}), Console()) == 0
    turned = compare(report({}, {"x": FAST[:3]}), report({}, {"x": FAST[:3]}, whole="FAIL"))
    assert show(turned, Console()) == 1


def test_the_same_is_the_same() -> None:
    one = report({"FO-01": "PASS"}, {"x": SLOW}, Image="debian")
    assert compare(one, one).same


def test_a_figure_that_moved_is_told_from_noise() -> None:
    found = of({"x": FAST, "y": SLOW}, {"x": SLOW, "y": [*SLOW[10:], *SLOW[:10]]})
    assert {one.figure: one.moved for one in found.figures} == {"x": True, "y": False}
    assert not found.same


def test_of_three_values_nothing_can_be_told() -> None:
    (one,) = of({"x": FAST[:3]}, {"x": SLOW[:3]}).figures
    assert (one.p, one.moved) == (None, False)


def test_of_three_and_twenty_values_nothing_can_be_told_among_ten_figures() -> None:
    """One alone moves: 3 and 20 that do not mix come about by chance in 2 of 1771 choices."""
    few, many = [1.0, 2.0, 3.0], [100.0 + n for n in range(20)]
    names = [f"n{number}" for number in range(10)]
    assert [one.moved for one in of({"x": few}, {"x": many}).figures] == [True]
    among = of(dict.fromkeys(names, few), dict.fromkeys(names, many)).figures
    assert [one.p for one in among] == [None] * 10


def test_figures_of_too_few_values_keep_no_other_from_moving() -> None:
    few = {f"n{number}": FAST[:3] for number in range(10)}
    found = of({"x": FAST, **few}, {"x": SLOW, **dict.fromkeys(few, SLOW)}).figures
    assert [one.figure for one in found if one.p is not None] == ["x"]
    assert [one.figure for one in found if one.moved] == ["x"]


def test_many_figures_make_each_harder_to_believe() -> None:
    """One of 20 and 20 that would be said to move alone is not, among a hundred."""
    shifted = [value + 0.62 for value in FAST]
    alone = of({"x": FAST}, {"x": shifted}).figures[0]
    noise = {f"n{number}": SLOW for number in range(100)}
    among = next(
        one
        for one in of({"x": FAST, **noise}, {"x": shifted, **noise}).figures
        if one.figure == "x"
    )
    assert alone.moved
    assert not among.moved


def test_what_was_measured_once_only_is_named() -> None:
    assert of({"x": FAST, "y": FAST}, {"x": FAST, "z": FAST}).only_one == ("y", "z")


def test_what_else_differs_is_named() -> None:
    before, after = report({}, {}, Image="a", Started="1"), report({}, {}, Image="b", Started="2")
    assert compare(before, after).differs == (("Image", "a", "b"),)


def test_a_run_is_read_as_its_report(good_run: Path, tmp_path: Path) -> None:
    from report.making import make_report

    made = make_report(good_run, tmp_path / "out.html")
    told = read_report(made.page.with_suffix(".json"))
    assert told == json.loads(json.dumps(read_report(good_run)))
    assert compare(told, read_report(good_run)).same


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}'])
def test_what_is_no_report_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(BadEvidence, match=r"report\.json"):
        read_report(path)


def test_a_report_that_holds_something_else_is_refused() -> None:
    with pytest.raises(BadEvidence, match="something else"):
        compare({"format": FORMAT}, report({}, {}))
