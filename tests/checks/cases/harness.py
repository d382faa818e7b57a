"""Promises of the harness that are broken: each is FAIL, for the reason it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.checks.cases.row import FAIL, row
from tests.checks.harness.changes import Change, frames, says_more, setting, visited_twice
from tests.checks.harness.runs import GOOD, NONCE, OWN, Run, said

FILE = "file /etc/x: new"
ROUTE = "route 192.0.2.0/24: new"
BROKEN: dict[str, tuple[str, Change, str]] = {
    "a privilege is used": (
        "LAB-01",
        setting("host.visited", uid=0, capabilities=0x3000),
        "capabilities 3000",
    ),
    "an ordinary user has what only root needs": (
        "LAB-01",
        setting("host.visited", capabilities=1 << 31),
        "user 1000 made it with capabilities 80000000",
    ),
    "a socket can be reached": (
        "LAB-01",
        setting("host.visited", reachable=["qemu (7): 0.0.0.0:22"]),
        "0.0.0.0:22",
    ),
    "a route is there while a lab runs": (
        "LAB-01",
        setting("host.visited", during=[ROUTE]),
        f"while a lab runs: {ROUTE}",
    ),
    "a file is left, each time": (
        "LAB-01",
        visited_twice({"after": [FILE, "file /run/y: new"]}, {"after": [FILE]}),
        "after a lab: file /etc/x: new",
    ),
    "a frame is not recorded": ("LAB-02", frames(lambda run: run.frames[:-1]), "1 of 20 frames"),
    "a frame is recorded as another": (
        "LAB-02",
        lambda run: run.frames.__setitem__(7, said(f"{NONCE}:27;", 2.7)),
        "1 recorded frames were never sent",
    ),
    "a frame is recorded twice": (
        "LAB-02",
        frames(lambda run: [*run.frames, run.frames[-1]]),
        "1 frames are recorded more than once",
    ),
    "frames are recorded where they go out as well": (
        "LAB-02",
        frames(lambda run: [*run.frames, *(replace(x, interface="two/wire0") for x in run.frames)]),
        "20 of them are recorded at two/wire0 as well",
    ),
    "the rule counts otherwise": ("LAB-02", setting("frames.dropped", hits=4), "counted 4 frames"),
    "a frame arrives twice": ("LAB-02", setting("frames.received", count=16), "received 16, 15"),
    "a frame that passed never arrives": (
        "LAB-02",
        setting("frames.received", different=14, count=14),
        "received 14, 14",
    ),
    "a fault without frames is good enough": (
        "LAB-02",
        setting("verdict.given", status="PASS", reasons=["it would be PASS"]),
        "LAB-06 is PASS all the same",
    ),
    "a process runs on": (
        "LAB-03",
        setting("processes.killed", 2, gone_s=None, left=["77: qemu"]),
        "still there: 77: qemu",
    ),
    "it takes 11 s": ("LAB-03", setting("processes.killed", gone_s=11.0), "gone after 11.0 s"),
    "a line is torn": ("LAB-03", setting("processes.killed", whole=False), "history is torn"),
    "the next run fails": ("LAB-03", setting("run.followed", 3, status=1), "it ended with 1"),
    "a lab hears the other": (
        "LAB-04",
        lambda run: run.others["twin"].append(said(OWN, 5)),
        "what was said in lab is in wire/twin.pcapng",
    ),
    "a lab hears the first word of the other": (
        "LAB-04",
        says_more,
        "what was said in lab is in wire/twin.pcapng",
    ),
    "memory is another": ("LAB-05", setting("nonces.found", 3, memory="x"), "memory of two in tw"),
    "a machine was booted": ("LAB-05", setting("nonces.found", boot="x"), "boot of one in lab"),
    "a machine does not go on": ("LAB-05", setting("nonces.found", answers=False), "no command"),
    "a wrong file is taken": ("LAB-06", setting("lab.refused", status=0), "taken, with status 0"),
    "a lab is begun": ("LAB-06", setting("lab.refused", 4, started=["x-12ab"]), "x-12ab"),
    "the key is not named": ("LAB-06", setting("lab.refused", 1, said="no"), "'machines.one."),
    "a verdict is another": (
        "LAB-07",
        setting("judged.again", differ=["FO-24: was PASS, is FAIL"]),
        "1 of 9 differ: FO-24",
    ),
    "a check has killed nothing": (
        "LAB-08",
        setting("kills.shipped", failed={"FO-24": 30}),
        "the check of MN-15 has killed nothing",
    ),
}  # fmt: skip


def _made(requirement: str, change: Change) -> Callable[[Path], Run]:
    def make(_: Path) -> Run:
        run = GOOD[requirement]()
        change(run)
        return run

    return make


for sentence, (requirement, change, words) in BROKEN.items():
    row(requirement, sentence, FAIL, words)(_made(requirement, change))
