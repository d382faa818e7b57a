"""A run as large as a sign-off: every requirement, and every fault as often as by `--full`.

Its failovers are told by events and frames; its verdicts are made up, for the page shows verdicts
and makes none. Most are PASS, some are not, as on a busy host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

from checks.engine.collected import Collected
from checks.engine.requirements import catalogue
from checks.engine.seal import seal
from checks.engine.verdict import Status, Verdict
from checks.engine.verdicts import Verdicts, tables_of, write_tables
from checks.multi_node.steps import ORDER
from evidence.capture import Frame
from evidence.events import read_event
from evidence.events.run import ScenarioEnded
from evidence.history import History
from provision.erratum import Erratum
from provision.failover import errata as of_pairs
from provision.multi_node import errata as of_nodes
from provision.multi_node import genuine_errata
from tests.captures import capture
from tests.checks.failover import recording
from tests.checks.multi_node import maintained, runs
from tests.report.conftest import facts

FAULTS = (
    "power-off", "guest-crash", "pause", "link-cut", "carrier-loss", "service-stop",
    "service-restart", "kill-ucarp", "kill-openvpn", "vrrp-v2 power-off", "vrrp-v3 power-off",
)  # fmt: skip
SHOWN_BY_FAULTS = ("FO-24", "FO-25", "FO-26")
BROKEN, DARK = ("FO-26", "MN-17"), ("FO-15", "FO-25", "FO-39", "FO-42", "MN-16", "MN-23", "LAB-05")
APART_S = 60
WRONG_ORDERS = tuple(order for order in permutations(ORDER) if order != ORDER)
MAINTENANCE = "scenarios/multi_node/test_maintenance.py::test_the_guides_order"
CLIENTS = (("alice-udp", "udp"), ("bob-tcp", "tcp"), ("robot-udp", "udp"))


def sign_off(run: Path, repetitions: int = 20) -> Path:
    """Record the run, and seal it."""
    ids = [one.id for one in catalogue()]
    every = [
        MAINTENANCE,
        *(f"{MAINTENANCE}[{number}]" for number in range(1, 2 + len(WRONG_ORDERS))),
    ]
    every += [scenario(fault, n + 1, repetitions) for fault in FAULTS for n in range(repetitions)]
    collected = Collected.of(every, full=True, deselected=0).facts()
    said = {"command": "pytest scenarios/ --full", "seed": 0, "collected": collected}
    facts(run, requirements=ids, **said)
    runs.run_mn_22().write(run)
    for number, fault in enumerate(FAULTS):
        _series(run, fault, f"failover-{number}", number * repetitions * APART_S, repetitions)
    for number, order in enumerate((ORDER, ORDER, *WRONG_ORDERS)):
        name = f"{MAINTENANCE}[{number}]" if number else MAINTENANCE
        made = maintained.maintenance(order)
        if order != ORDER:  # nobody is connected while orders are tried
            made.events = [one for one in made.events if not one[0].startswith("tunnel.")]
        made.write(run, name, f"maintenance-{number}", ("MN-25",))
    for guide, module in (("failover", of_pairs), ("multi_node", of_nodes)):
        found = [vars(module), vars(genuine_errata) if module is of_nodes else {}]
        errata = [one for each in found for one in each.values() if isinstance(one, Erratum)]
        rows = [{name: getattr(one, name) for name in one.__annotations__} for one in errata]
        (run / f"errata-{guide}.json").write_text(json.dumps(rows))
    write_tables(run, tables_of(_verdicts(ids, repetitions)))
    seal(run)
    return run


def ten_thousand_verdicts(run: Path) -> Path:
    """Let every requirement be shown by so many scenarios, and nothing else be there."""
    ids = [one.id for one in catalogue()]
    verdict = Verdict(Status.PASS, ("as it should be",), ("history.jsonl:1",), 1, 1)
    each = -(-10_000 // len(ids))
    scenarios = {f"scenarios/test_it.py::test_{number}": {1: verdict} for number in range(each)}
    write_tables(run, tables_of(Verdicts(dict.fromkeys(ids, scenarios), frozenset(ids))))
    return run


def scenario(fault: str, number: int, of: int) -> str:
    case = fault.replace(" ", "-")
    return f"scenarios/failover/test_takeover.py::test_the_standby_takes_over[{case}-{number}/{of}]"


def _series(run: Path, fault: str, lab: str, from_s: float, repetitions: int) -> None:
    frames: list[Frame] = []
    for number in range(1, repetitions + 1):
        shift_ns = round((from_s + number * APART_S) * recording.NS)
        one = recording.takeover(run, fault.split()[-1], silence=3.2 + number % 7 / 10)
        for client, protocol in CLIENTS if fault == "power-off" else ():
            for at, kind in ((5, "tunnel.watched"), (20 + number / 8, "tunnel.carried")):
                one.event(at, kind, client, client="outside", protocol=protocol)
        frames += [
            Frame(recording.stamp(at) + shift_ns, port, raw, comment)
            for at, port, raw, comment in sorted(one.frames, key=lambda frame: frame[0])
        ]
        with History(run / "history.jsonl", scenario(fault, number, repetitions)) as history:
            start_ns = recording.EPOCH + shift_ns
            begun = {"kind": "scenario.started", "source": "pytest", "lab": lab}
            history.record(
                read_event({**begun, "at_ns": start_ns, "requirements": SHOWN_BY_FAULTS})
            )
            for at, kind, source, data, _ in sorted(one.events, key=lambda event: event[0]):
                fields = {"kind": kind, "source": source, "at_ns": recording.stamp(at) + shift_ns}
                history.record(read_event({**fields, **data}))
            end_ns = recording.stamp(one.seconds) + shift_ns
            history.record(ScenarioEnded(source="pytest", at_ns=end_ns, events=history.recorded))
    times = [one.at_ns for one in frames]
    octets = capture(frames, min(times) - recording.NS, max(times) + recording.NS)
    (run / "wire" / f"{lab}.pcapng").write_bytes(octets)


def _verdicts(ids: list[str], repetitions: int) -> Verdicts:
    attempts: dict[str, Mapping[str, Mapping[int, Verdict]]] = {}
    for one in ids:
        names = [
            f"scenarios/test_it.py::test_{one}",
            MAINTENANCE,
        ]
        if one in SHOWN_BY_FAULTS:
            names = [scenario(f, n + 1, repetitions) for f in FAULTS for n in range(repetitions)]
        elif one == "FO-30":
            names = [scenario("service-restart", n + 1, repetitions) for n in range(repetitions)]
        attempts[one] = {name: {1: _verdict(one)} for name in names}
    return Verdicts(attempts, frozenset(ids))


def _verdict(requirement: str) -> Verdict:
    status = Status.PASS
    if requirement in BROKEN + DARK:
        status = Status.FAIL if requirement in BROKEN else Status.UNKNOWN
    why = (
        "the standby advertised 5.103 s after the active node's last advertisement, and had 5.003 s"
    )
    reasons = tuple(f"{why}: history.jsonl:{line}" for line in range(1000, 1012))
    places = tuple(f"history.jsonl:{line}" for line in range(1000, 1012))
    digest = {places[0]: "6200d2b76700b1e3a622d1e3f3e0b3205e330a34292eb1ef29abbd0085899309"}
    return Verdict(status, reasons, places, 12, 12 if status is Status.PASS else 9, digests=digest)
