"""What home records of hosts: a name that is no plain directory's, or no digest, is no event."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evidence.events.hosts import (
    ClockAgainst,
    EvidenceArrived,
    FileArrived,
    HostClockMeasured,
    HostJoined,
    HostLost,
    HostMissing,
    ScenarioTaken,
)
from evidence.history import History, read_history

CLOCK = ClockAgainst(host="alpha", ahead_ns=-3_600_000_000_000, uncertainty_ns=2_000_000, at_ns=9)
JOINED: dict[str, Any] = {
    "source": "pytest",
    "host": "beta",
    "address": "root@192.0.2.7",
    "cores": 8,
    "memory_mib": 32768,
    "labs": 3,
}
FILE = FileArrived(size=4, sha256="a" * 64)


def test_a_host_and_what_became_of_it_are_read_as_they_were_recorded(tmp_path: Path) -> None:
    events = [
        HostJoined(**JOINED, clock=CLOCK),
        HostMissing(source="pytest", host="gamma", why="no route to host"),
        HostClockMeasured(source="pytest", host="beta", clock=CLOCK),
        HostLost(source="pytest", host="beta", why="the connection was cut", cut=("a.py::one",)),
        ScenarioTaken(source="pytest", cut="a.py::one", lost="beta", host="alpha"),
        EvidenceArrived(
            source="pytest", host="alpha", ended="a.py::one", files={"wire/a.pcapng": FILE}
        ),
    ]
    with History(tmp_path / "history.jsonl") as history:
        recorded = [history.record(event) for event in events]
    recording = read_history(tmp_path / "history.jsonl")
    assert list(recording) == recorded
    assert not recording.damage


@pytest.mark.parametrize("name", ["", ".", "..", ".beta", "a/b", "a\0b", "-beta", "a b", "b" * 64])
def test_a_host_is_named_as_a_plain_directory(name: str) -> None:
    with pytest.raises(ValidationError):
        HostJoined(**{**JOINED, "host": name})


@pytest.mark.parametrize("sha256", ["", "absent", "A" * 64, "a" * 63])
def test_what_is_no_digest_is_refused(sha256: str) -> None:
    with pytest.raises(ValidationError):
        FileArrived(size=4, sha256=sha256)
