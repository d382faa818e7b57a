"""The score's own tests: a small sample of its cases, and that a wrong verdict would be seen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from checks.engine import registry
from checks.engine.obligations import Obligations
from checks.engine.verdict import Status
from evidence.scenario import Evidence
from tests.score.__main__ import main
from tests.score.case import Case
from tests.score.excused import EXCUSES, excuse
from tests.score.healthy import WRITERS, healthy
from tests.score.scoring import CLASSES, cases, is_right, judged, score

SAMPLE = ("FO-05", "FO-17", "FO-24", "FO-40", "MN-15")
EVERY = 23


def sample() -> list[Case]:
    return [case for _, case in islice(cases(SAMPLE), 5, None, EVERY)]


def test_every_check_has_a_good_run() -> None:
    assert registry.checks().keys() == WRITERS.keys()


@pytest.mark.parametrize("case", sample(), ids=lambda case: case.name)
def test_a_sample_of_the_cases_is_judged_rightly(case: Case) -> None:
    verdict = judged(case)
    assert is_right(case, verdict), verdict.text


@pytest.mark.parametrize("requirement", SAMPLE)
def test_every_class_of_rules_makes_cases(requirement: str) -> None:
    assert {name for name, _ in cases([requirement])} == set(CLASSES)


def test_the_cases_are_the_same_each_time() -> None:
    first, again = ([case.name for _, case in cases(["FO-24"])] for _ in range(2))
    assert first == again


def test_every_excuse_excuses_something() -> None:
    left = list(EXCUSES)
    for case in _violations():
        found = excuse(case)
        if found in left:
            left.remove(found)
    assert left == []


def _violations() -> Iterator[Case]:
    for requirement in WRITERS:
        for rule in CLASSES["violation"]:
            yield from rule(healthy(requirement))


def test_a_check_that_lets_everything_pass_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(evidence: Evidence, owed: Obligations) -> None:
        owed.owe("anything").met("history.jsonl:1")

    monkeypatch.setattr(registry, "_checks", {**registry.checks(), "FO-05": lenient})
    (tally,) = score(
        (name, case) for name, case in cases(["FO-05"]) if case.rule == "one left out"
    ).values()
    assert list(tally.wrong) == [Status.PASS]
    assert len(tally.wrong[Status.PASS]) == tally.cases > 0


def test_the_table_names_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.score.__main__.cases", lambda _: [("violation", sample()[0])])
    monkeypatch.setattr("tests.score.__main__.every_sentence", lambda *_: None)
    monkeypatch.setattr("tests.score.__main__._of_kills", lambda *_, **__: ())
    assert main(["FO-05"]) == 0
    assert "1 cases, 0 wrong" in capsys.readouterr().out
    monkeypatch.setattr("tests.score.scoring.is_right", lambda *_: False)
    assert main(["FO-05"]) == 1
    assert f": {sample()[0].name}" in capsys.readouterr().out.replace("\n", "")


def test_a_requirement_without_a_good_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["FO-24", "FO-99"]) == 2
    assert "no good run of FO-99" in capsys.readouterr().out
