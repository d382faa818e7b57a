"""A good recording for each promise of the harness, for tests to judge and to mutate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.engine import registry
from checks.engine.verdict import Verdict
from checks.harness.killing import KINDS
from checks.harness.refusing import CASES
from evidence.capture import Frame
from evidence.events import read_event
from evidence.events.run import ScenarioEnded, ScenarioStarted
from evidence.history import History
from evidence.mark import Mark
from evidence.scenario import Evidence
from tests.captures import capture
from tests.checks.protocols import encoder

NS = 10**9
START_NS = 1_700_000_000 * NS
SECONDS = 30
SCENARIO = "scenarios/harness/test_it.py::test_it"
NONCE, OWN, OTHER = "5eed5eed", "0wn0wn0w", "0th3r0th"
COUNT, DROPPED = 20, 5


@dataclass
class Run:
    """Events (kind, source, data) and frames of one scenario; captures of other labs by name.

    marks: of a capture by name, where they are others than of one that covers all.
    """

    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    others: dict[str, list[Frame]] = field(default_factory=dict)
    marks: dict[str, list[Mark]] = field(default_factory=dict)

    def find(self, kind: str, number: int = 0) -> dict[str, Any]:
        """Return the data of an event, to be changed in place."""
        return [data for name, _, data in self.events if name == kind][number]

    def write(self, directory: Path) -> None:
        (directory / "wire").mkdir(exist_ok=True)
        end_ns = START_NS + SECONDS * NS
        for name, frames in {"lab": self.frames, **self.others}.items():
            content = capture(frames, START_NS - NS, end_ns + NS, marks=self.marks.get(name))
            (directory / "wire" / f"{name}.pcapng").write_bytes(content)
        with History(directory / "history.jsonl", SCENARIO) as history:
            history.record(ScenarioStarted(source="pytest", at_ns=START_NS, lab="lab"))
            for number, (kind, source, data) in enumerate(self.events, start=1):
                at_ns = START_NS + 5 * NS + number * 1000
                history.record(read_event({"kind": kind, "source": source, "at_ns": at_ns, **data}))
            history.record(ScenarioEnded(source="pytest", at_ns=end_ns, events=history.recorded))

    def judge(self, requirement: str, directory: Path) -> Verdict:
        self.write(directory)
        return registry.judge(requirement, Evidence(directory, SCENARIO, requirement))


def said(text: str, second: float, comment: str = "") -> Frame:
    packet = encoder.ipv4(bytes(8) + text.encode(), "192.0.2.1", "192.0.2.2", protocol=17)
    raw = encoder.octets("02:00:00:00:00:02") + encoder.octets("02:00:00:00:00:01") + b"\x08\x00"
    return Frame(START_NS + round(second * NS), "one/wire0", raw + packet, comment)


def visited(**data: Any) -> dict[str, Any]:
    told = {"uid": 1000, "capabilities": 0, "processes": 5}
    return {**told, "during": [], "after": [], "reachable": [], **data}


def lab_01() -> Run:
    return Run([("host.visited", "host", visited())])


def lab_02() -> Run:
    frames = [
        said(f"{NONCE}:{number};", 2 + number / 10, "dropped by rule 1" * (number < DROPPED))
        for number in range(COUNT)
    ]
    passed = COUNT - DROPPED
    port = {"nonce": NONCE, "port": "two/wire0"}
    given = {"requirement": "LAB-06", "by": "another", "status": "UNKNOWN"}
    reasons = ["the fault x hit no frame (history.jsonl:9)", "it would be PASS", "refused"]
    events = [
        ("frames.sent", "one", {"nonce": NONCE, "port": "one/wire0", "count": COUNT}),
        ("frames.dropped", "wire", {"nonce": NONCE, "hits": DROPPED}),
        ("frames.received", "two", {**port, "different": passed, "count": passed}),
        ("verdict.given", "scenario", {**given, "reasons": reasons}),
    ]
    return Run(events, frames)


def lab_03() -> Run:
    events: list[tuple[str, str, dict[str, Any]]] = []
    for number, kind in enumerate(KINDS):
        told = {"kinds": [kind], "after_s": 1.5 + number, "gone_s": 0.4, "left": [], "whole": True}
        events.append(("processes.killed", "scenario", told))
        events.append(("run.followed", "scenario", {"status": 0, "left": []}))
    return Run(events)


def lab_04() -> Run:
    events = [
        (
            "said.on.wire",
            "one",
            {"lab": lab, "capture": f"wire/{lab}.pcapng", "address": "192.0.2.1", "nonce": nonce},
        )
        for lab, nonce in (("lab", OWN), ("twin", OTHER))
    ]
    return Run(events, [said(OWN, 3)], {"twin": [said(OTHER, 4)]})


def lab_05() -> Run:
    events: list[tuple[str, str, dict[str, Any]]] = []
    for machine in ("one", "two"):
        held = {part: f"{part} of {machine}" for part in ("memory", "disk", "boot", "process")}
        events.append(("nonces.left", machine, held))
        for lab in ("lab", "twin"):
            events.append(("nonces.found", machine, {**held, "lab": lab, "answers": True}))
    return Run(events)


def lab_06() -> Run:
    return Run([("lab.refused", "scenario", refused(case)) for case in CASES])


def refused(case: str) -> dict[str, Any]:
    wanted = {"file": "wrong.toml", "key": "machines.one.nics.0", "value": "8.8.8.8", "right": "in"}
    text = f"{case}: wrong.toml: machines.one.nics.0: 8.8.8.8, expected one in 192.0.2.0/24"
    return {"case": case, "wanted": wanted, "status": 1, "said": text, "started": []}


def lab_07() -> Run:
    return Run([("judged.again", "scenario", {"compared": 9, "on_capture": 4, "differ": []})])


def lab_08() -> Run:
    told = {"checks": ["FO-24", "MN-15"], "failed": {"FO-24": 30, "MN-15": 7}}
    return Run([("kills.shipped", "scenario", told)])


GOOD: dict[str, Callable[[], Run]] = {
    "LAB-01": lab_01,
    "LAB-02": lab_02,
    "LAB-03": lab_03,
    "LAB-04": lab_04,
    "LAB-05": lab_05,
    "LAB-06": lab_06,
    "LAB-07": lab_07,
    "LAB-08": lab_08,
}
