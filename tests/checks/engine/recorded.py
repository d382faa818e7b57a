"""Recorded runs made up for tests of judging, by checks that are none of the guides'.

What the controller logs is what the check will say: "good", "bad" (a violation), "late" (a limit
missed because of the host) or "dark" (not shown).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from checks.engine import registry
from checks.engine.judging import judge_now
from checks.engine.obligations import Obligations
from checks.engine.repetition import identity
from checks.engine.seal import seal
from checks.engine.verdict import Status, Verdict
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.events.takeover import LogLine
from evidence.history import History
from evidence.moment import NS
from evidence.pcapng import Frame
from evidence.scenario import Evidence
from tests import captures

SCENARIO = "scenarios/test_it.py::test_it"
OTHER = "scenarios/test_it.py::test_other"
SERIES = "scenarios/test_it.py::test_often"
SAID, SEEN = "MN-05", "FO-24"
"""Requirements: judged by what the controller said, and by what the wire saw."""


def by_word(evidence: Evidence, owed: Obligations) -> None:
    for line in evidence.need(LogLine):
        one = owed.owe("the controller is good")
        match line.text:
            case "good":
                one.met(line.place)
            case "bad":
                one.broken("the controller is bad", line.place)
            case "late":
                one.late("the host was too busy to tell", line.place)


def by_wire(evidence: Evidence, owed: Obligations) -> None:
    owed.at_least(3, list(evidence.frames()), "frames", evidence.capture_place)


@pytest.fixture
def own_checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, registry.Check]:
    """Let no check of a guide be registered, but these; a test may put others in their place."""
    checks: dict[str, registry.Check] = {SAID: by_word, SEEN: by_wire}
    monkeypatch.setattr(registry, "_load", lambda: None)
    monkeypatch.setattr(registry, "_checks", checks)
    monkeypatch.setattr(registry, "_measures", {})
    return checks


def name(number: int, of: int = 3) -> str:
    """Return what a repetition of the series is called."""
    return f"{SERIES}[{identity(number, of)}]"


def history(directory: Path, scenario: str = SCENARIO) -> History:
    return History(directory / "history.jsonl", scenario)


def started(attempt: int = 1, requirements: tuple[str, ...] = (SAID,)) -> ScenarioStarted:
    return ScenarioStarted(source="pytest", lab="lab", requirements=requirements, attempt=attempt)


def logged(said: str) -> LogLine:
    return LogLine(source="controller", file="log", text=said)


def attempt(
    directory: Path,
    *said: str,
    number: int = 1,
    scenario: str = SCENARIO,
    judged: bool = True,
) -> Verdict | None:
    """Record an attempt of a scenario, from its beginning to its end, or to where it broke off."""
    with history(directory, scenario) as written:
        written.record(started(number))
        for one in said:
            written.record(logged(one))
        if not judged:
            return None
        verdict = judge_now(directory, written, SAID)
        written.record(ScenarioEnded(source="pytest", events=written.recorded))
    return verdict


def status(verdict: Verdict | None) -> Status | None:
    return None if verdict is None else verdict.status


def capture(directory: Path, from_ns: int, *frames: bytes, covered_ns: int = 5 * NS) -> None:
    """Write the capture of the lab: covered from a second before `from_ns` on."""
    (directory / "wire").mkdir(exist_ok=True)
    made = [Frame(from_ns + n, "client/wire0", data) for n, data in enumerate(frames, start=1)]
    octets = captures.capture(made, from_ns - NS, from_ns + covered_ns)
    (directory / "wire" / "lab.pcapng").write_bytes(octets)


def good_run(directory: Path) -> str:
    """Record a run in which both requirements pass, and seal it; return the seal."""
    with history(directory) as written:
        begun = written.record(started(requirements=(SAID, SEEN)))
        for _ in range(2):
            written.record(logged("good"))
        capture(directory, begun.at_ns, *(bytes([n]) * 60 for n in range(1, 5)))
        for requirement in (SAID, SEEN):
            judge_now(directory, written, requirement)
        written.record(ScenarioEnded(source="pytest", events=written.recorded))
    return seal(directory)


def lines_of(directory: Path) -> list[bytes]:
    return (directory / "history.jsonl").read_bytes().splitlines()


def rewrite(directory: Path, lines: list[bytes]) -> None:
    (directory / "history.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def chain_again(lines: list[bytes]) -> list[bytes]:
    """Give lines the numbers and hashes that they would have had."""
    previous, made = "0" * 64, []
    for number, line in enumerate(lines, start=1):
        fields = {**json.loads(line), "number": number, "previous": previous}
        made.append(json.dumps(fields, separators=(",", ":")).encode())
        previous = hashlib.sha256(made[-1]).hexdigest()
    return made
