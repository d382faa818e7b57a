"""MN-03, 18, 19, 20, 31: an answer of the portal that did not come says nothing if the host slept.

One that curl was refused, and one that came, say what they say, however busy the host was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Data, Run
from tests.checks.multi_node.installed_runs import run_mn_20, run_mn_31
from tests.checks.multi_node.lateness import is_late, kept
from tests.checks.multi_node.maintained import at
from tests.checks.multi_node.portal_runs import run_mn_03, run_mn_19
from tests.checks.multi_node.runs import judge_mutant

SILENT: Data = {"status": 0, "detail": "curl: (28) Operation timed out", "waited_s": 60.0}


@dataclass(frozen=True)
class Unanswered:
    """An answer that does not come: of which run, which event, and what that shows as it is."""

    requirement: str
    make: Callable[[], Run]
    kind: str
    which: Data
    shows: Data

    def run(self, **said: Any) -> Run:
        run = self.make()
        run.seconds = 200
        of_it = [one for one in run.all(self.kind) if self.which.items() <= one.items()]
        assert of_it
        of_it[-1].update({**SILENT, **self.shows, "at_ns": at(150), **said})
        run.events.sort(key=lambda one: one[2].get("at_ns", 0))
        return run


CASES = {
    "login": Unanswered(
        "MN-03",
        run_mn_03,
        "portal.login",
        {"user": "demo", "credentials": "printed"},
        {"sees": "else"},
    ),
    "login by a wrong password": Unanswered(
        "MN-03",
        run_mn_03,
        "portal.login",
        {"user": "admin", "credentials": "wrong"},
        {"sees": "else"},
    ),
    "page after the login": Unanswered(
        "MN-03",
        run_mn_03,
        "portal.login",
        {"user": "admin", "credentials": "printed"},
        {"status": 302, "sees": "else"},
    ),
    "merged profiles": Unanswered(
        "MN-20", run_mn_20, "configurations.shown", {"user": "demo"}, {"offered": [], "kept": []}
    ),
    "configuration": Unanswered(
        "MN-20", run_mn_20, "configuration.asked", {"status": 200}, {"hosts": [], "key": ""}
    ),
    "hidden configuration": Unanswered(
        "MN-20", run_mn_20, "configuration.asked", {"status": 400}, {}
    ),
    "login after a conversion": Unanswered(
        "MN-31", run_mn_31, "portal.login", {"user": "admin"}, {"sees": "else"}
    ),
    "certificates after a conversion": Unanswered(
        "MN-31", run_mn_31, "configurations.shown", {"user": "demo"}, {"offered": [], "kept": []}
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("of", ["controller", "client", "services", "wire"])
def test_an_answer_that_a_stalled_machine_could_not_give_is_late(
    name: str, of: str, tmp_path: Path
) -> None:
    case = CASES[name]
    is_late(case.run, case.requirement, tmp_path, of, (92, 148))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("of", "until_s"), [("node-a", 148), ("controller", 110)])
def test_who_was_not_asked_or_soon_ran_again_is_no_excuse(
    name: str, of: str, until_s: float, tmp_path: Path
) -> None:
    case = CASES[name]
    judge_mutant(kept(case.run(), of, 92, until_s), case.requirement, tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_is_an_answer(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    run = kept(case.run(detail="curl: (7) Connection refused"), "controller", 92, 148)
    judge_mutant(run, case.requirement, tmp_path)


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if "status" not in case.shows]
)
def test_an_answer_that_did_not_come_for_no_known_reason_is_neither(
    name: str, tmp_path: Path
) -> None:
    """As in evidence of before curl's words were recorded."""
    case = CASES[name]
    verdict = case.run(detail=None).judge(case.requirement, tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert "why no answer came was not recorded" in verdict.text


def test_a_name_that_nobody_has_is_no_silence_of_a_moment(tmp_path: Path) -> None:
    """A resolver asks for seconds before it gives up: what it says at once it was told."""
    case = CASES["login"]
    run = case.run(detail="curl: (6) Could not resolve host", waited_s=0.1)
    judge_mutant(kept(run, "services", 92, 150), "MN-03", tmp_path)


def unanswered_act(action: str) -> Run:
    run = run_mn_19()
    for one in run.all("account.acted"):
        if one["action"] == action:
            one.update(status=0, detail="curl: (28) timed out", waited_s=0.9)
    return run


@pytest.mark.parametrize(
    ("requirement", "action"), [("MN-18", "disable"), ("MN-19", "disable"), ("MN-19", "delete")]
)
def test_a_deed_that_nobody_answered_is_late(requirement: str, action: str, tmp_path: Path) -> None:
    is_late(lambda: unanswered_act(action), requirement, tmp_path, "controller", (17, 18))
