"""Runs made up for tests: a pair on a wire, its events, and what checks say of them.

Seconds count from the scenario's start. A run is good until a test changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from checks.engine import registry
from checks.engine.verdict import Status, Verdict
from checks.failover.serving import SERVICES
from evidence.capture import Frame
from evidence.events import read_event
from evidence.events.run import ScenarioEnded
from evidence.history import History
from evidence.scenario import Evidence
from tests.captures import capture
from tests.checks.protocols import encoder

NS = 10**9
EPOCH = 1_700_000_000 * NS
SCENARIO = "scenario"
ADDRESS = {"primary": "192.168.70.1", "secondary": "192.168.70.2"}
SAY = {"primary": "MASTER", "secondary": "BACKUP"}
SAY_OTHERWISE = {"primary": "BACKUP", "secondary": "MASTER"}
"""What both nodes say of themselves."""
MAC = {"primary": "02:00:00:00:00:01", "secondary": "02:00:00:00:00:02"}
CLIENT, CLIENT_MAC = "192.168.70.9", "02:00:00:00:00:09"
VIRTUAL_IP = encoder.VIRTUAL_IP
UCARP = {"engine": "ucarp", "advbase": 1, "advskew": 0, "deadratio": 3}


def node(name: str, **timers: object) -> dict[str, object]:
    """Return how a node is configured; timers of ucarp, unless others are given."""
    where = {"address": ADDRESS[name], "mac": MAC[name], "port": f"{name}/wire0"}
    return {**where, "timers": timers or UCARP}


class Run:
    """One scenario's evidence, collected in memory and judged from files."""

    def __init__(self, directory: Path, seconds: float, **pair: object) -> None:
        self.directory = directory
        self.seconds = seconds
        self.frames: list[tuple[float, str, bytes, str]] = []
        self.events: list[tuple[float, str, str, dict[str, object], float]] = []
        self.short: dict[float, int] = {}
        """How many octets are missing of frames, by when they came."""
        self.in_order = True
        self.started: dict[str, object] = {"lab": "lab"}
        self.pair = {
            "virtual_ip": VIRTUAL_IP,
            "vhid": 94,
            "engine": "ucarp",
            "password": encoder.PASSWORD,
            "nodes": {name: node(name) for name in ADDRESS},
            **pair,
        }
        self.event(0, "pair.configured", "scenario", **self.pair)

    def event(self, at: float, kind: str, source: str, uncertainty: float = 0, **data) -> None:
        self.events.append((at, kind, source, data, uncertainty))

    def without(self, kind: str) -> Run:
        self.events = [event for event in self.events if event[1] != kind]
        return self

    def but(self, **data: object) -> Run:
        """Leave out the events that hold these data."""
        self.events = [event for event in self.events if not data.items() <= event[3].items()]
        return self

    def changed(self, kind: str, **data) -> Run:
        """Overwrite some data of every event of a kind."""
        assert any(event[1] == kind for event in self.events)
        for event in self.events:
            if event[1] == kind:
                event[3].update(data)
        return self

    def frame(self, at: float, interface: str, raw: bytes, comment: str = "") -> None:
        self.frames.append((at, interface, raw, comment))

    def beats(
        self,
        node: str,
        start: float,
        end: float,
        *,
        counter: int = 1000,
        period: float = 1.0,
        comment: str = "",
        **fields,
    ) -> int:
        """Let a node advertise from start until before end; return the next counter."""
        at = start
        while at < end - 1e-9:
            raw = encoder.carp(ADDRESS[node], counter=counter, **fields)
            self.frame(at, f"{node}/wire0", raw, comment)
            at, counter = at + period, counter + 1
        return counter

    def announce(self, node: str, at: float, comment: str = "") -> None:
        for offset in (-0.0001, 2.0):
            self.frame(at + offset, f"{node}/wire0", encoder.gratuitous(MAC[node]), comment)

    def answer(self, at: float, port: int, *, protocol: str = "tcp", **data: object) -> None:
        """Let a service be asked for on the virtual IP, and answer."""
        asked = {"address": VIRTUAL_IP, "protocol": protocol, "port": port, "answered": True}
        self.event(at, "service.probed", "client", **{**asked, **data})

    def asked(
        self, at: float, *answering: str, address: str = VIRTUAL_IP, by: str = CLIENT_MAC
    ) -> None:
        """Ask who has the virtual IP, or another address, as a client; these nodes answer."""
        self.frame(at, "client/wire0", encoder.arp(1, by, CLIENT, address))
        for node in answering:
            reply = encoder.arp(2, MAC[node], address, CLIENT, to=by)
            self.frame(at + 0.001, f"{node}/wire0", reply)

    def mapped(self, change: Callable[[float, str, bytes], Iterable[tuple[float, bytes]]]) -> Run:
        """Replace every frame by what `change` makes of it."""
        self.frames = [
            (new_at, interface, new_raw, comment)
            for at, interface, raw, comment in self.frames
            for new_at, new_raw in change(at, interface, raw)
        ]
        return self

    def judge(self, requirement: str) -> Verdict:
        self.write()
        return registry.judge(requirement, Evidence(self.directory, SCENARIO, requirement))

    def write(self) -> None:
        wire = self.directory / "wire"
        wire.mkdir(exist_ok=True)
        frames = [
            Frame(stamp(at), interface, raw, comment, self.short.get(at, 0))
            for at, interface, raw, comment in sorted(self.frames, key=lambda frame: frame[0])
        ]
        times = [EPOCH, stamp(self.seconds), *(frame.at_ns for frame in frames)]
        (wire / "lab.pcapng").write_bytes(capture(frames, min(times) - NS, max(times) + NS))
        path = self.directory / "history.jsonl"
        path.unlink(missing_ok=True)
        with History(path, SCENARIO) as history:
            start = {"kind": "scenario.started", "source": "pytest", "at_ns": EPOCH}
            history.record(read_event({**start, **self.started}))
            if self.in_order:
                self.events.sort(key=lambda event: event[0])
            for at, kind, source, data, uncertainty in self.events:
                fields = {"kind": kind, "source": source, "at_ns": stamp(at), **data}
                history.record(read_event({"uncertainty_ns": int(uncertainty * NS), **fields}))
            ended_ns = stamp(self.seconds)
            history.record(ScenarioEnded(source="pytest", at_ns=ended_ns, events=history.recorded))


def stamp(at: float) -> int:
    return EPOCH + round(at * NS)


def steady(directory: Path, **pair: object) -> Run:
    """Keep the primary active for 32 s, nothing provoked."""
    run = Run(directory, 40, **pair)
    run.beats("primary", 0.5, 40)
    run.event(2, "steady.began", "scenario", active="primary")
    run.event(34, "steady.ended", "scenario", active="primary", says=SAY)
    return run


def takeover(directory: Path, fault: str = "power-off", silence: float = 3.2, **pair) -> Run:
    """Let the primary fail at 10.3 s; all that follows is as it should be."""
    run = Run(directory, 40, **pair)
    counter = run.beats("primary", 0.0, 10.2)
    first = 10.0 + silence
    run.event(10.3, "fault.injected", "scenario", fault=fault, node="primary")
    run.beats("secondary", first, 40, counter=counter)
    run.announce("secondary", first)
    for protocol, port in SERVICES:
        for at, mac in ((9, "primary"), (first + 1, "secondary"), (38, "secondary")):
            run.answer(at, port, mac=MAC[mac], protocol=protocol)
    run.event(first + 3, "neighbour.seen", "client", address=VIRTUAL_IP, mac=MAC["secondary"])
    run.event(
        first + 0.1,
        "log.line",
        "secondary",
        file="openvpnas.log",
        text="Switching to state: MASTER",
    )
    run.event(first + 0.2, "log.line", "secondary", file="openvpnas-node.log", text="starting")
    run.event(39, "fault.watched", "scenario", node="primary")
    return run


def stopped(directory: Path, **pair) -> Run:
    """Stop the primary's service at 10.3 s; it lets go, and the secondary takes over."""
    run = takeover(directory, fault="service-stop", **pair)
    run.event(10.9, "service.stopped", "primary")
    run.event(10.5, "addresses.held", "primary", held=[ADDRESS["primary"], VIRTUAL_IP])
    run.event(10.95, "addresses.held", "primary", held=[ADDRESS["primary"]])
    run.event(15, "addresses.held", "primary", held=[ADDRESS["primary"]])
    return run


def rejects(verdict: Verdict, *words: str) -> None:
    assert verdict.status is Status.FAIL, verdict.text
    for word in words:
        assert word in verdict.text


def passes(verdict: Verdict) -> None:
    assert verdict.status is Status.PASS, verdict.text


def unsure(verdict: Verdict, *words: str) -> None:
    assert verdict.status is Status.UNKNOWN, verdict.text
    assert "crashed" not in verdict.text
    for word in words:
        assert word in verdict.text
