"""What outlives a crash: everything up to the last sync; and how much was written since."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable

import pytest

from evidence.events.sync import (
    Kept,
    RunningCompared,
    SyncCompleted,
    WriteAcknowledged,
    WritesFound,
)
from evidence.moment import Moment
from lab.answers import understood
from lab.machine import Machine
from lab.probe import Probe
from lab.wait import pause
from scenarios.failover import faults, observe
from scenarios.failover.observe import LIVE, STAGED
from scenarios.failover.pair import Pair
from scenarios.failover.takeover import provoke

Judge = Callable[[str], object]

KEPT: tuple[Kept, ...] = ("licence", "session secret")
PERIOD_S = 20
WRITE_FOR_S = 90.0
WRITER = "writer"
LICENCE = "LAB-46-scenario-key"

_WRITES = (
    "SELECT CAST(substr(key, 8) AS INTEGER), value FROM properties "
    "WHERE user = 'writer' AND key LIKE 'serial_%' ORDER BY 1"
)


def writes(machine: Machine, place: str) -> dict[int, str]:
    """Return the value of each write in a node's configuration at `place`: LIVE or STAGED."""
    command = f"sqlite3 -readonly {place}/userprop.db {shlex.quote(_WRITES)}"
    said = machine.run(command).stdout
    with understood(machine.name, f"the writes in {place}"):
        lines = (line.partition("|") for line in said.splitlines())
        return {int(serial): value for serial, _, value in lines}


def write(pair: Pair, active: str, serial: int) -> None:
    """Write one more property on the active node; recorded once it was acknowledged."""
    key, value = f"serial_{serial}", f"written-{secrets.token_hex(4)}"
    pair.sacli(active, "--user", WRITER, "--key", key, "--value", value, "UserPropPut")
    pair.history.record(WriteAcknowledged(source=active, serial=serial, value=value))


def record_sync(pair: Pair, active: str, serial: int, since_ns: int) -> None:
    """Record that a sync was completed between `since_ns` and now, when it was seen."""
    half = (time.time_ns() - since_ns) // 2
    pair.history.record(
        SyncCompleted(
            source=active,
            at_ns=since_ns + half,
            uncertainty_ns=half,
            serial=serial,
            period_s=PERIOD_S,
        )
    )


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-46")
def test_what_the_last_sync_held_survives_and_the_rest_is_counted(
    pair: Pair, probe: Probe, judge: Judge
) -> None:
    active = pair.reconfigure({"failover.sync_period": str(PERIOD_S)})
    pair.record_configured(active)
    standby = pair.machine(pair.other(active))

    staged: dict[str, str] = {}

    def write_on() -> None:
        pair.sacli(active, "--value", LICENCE, "LoadSubscription")
        began_ns = time.time_ns()
        pair.sacli(active, "FailoverSync", timeout=120)
        record_sync(pair, active, 0, began_ns)
        staged.update(observe.hashes(standby, STAGED))
        end, serial, synced = time.monotonic() + WRITE_FOR_S, 0, 0
        looked_ns = time.time_ns()
        while time.monotonic() < end or serial == synced:
            serial += 1
            write(pair, active, serial)
            before_ns, looked_ns = looked_ns, time.time_ns()
            staged_to = max(writes(standby, STAGED), default=0)
            if staged_to > synced:
                synced = staged_to
                record_sync(pair, active, synced, before_ns)

    def survived(peer: str, _injected: Moment) -> None:
        pause(1)
        running = observe.hashes(pair.machine(peer), LIVE)
        for item in KEPT:
            pair.history.record(
                RunningCompared(source=peer, item=item, staged=staged[item], running=running[item])
            )
        found = writes(pair.machine(peer), LIVE)
        pair.history.record(WritesFound(source=peer, values=found))

    provoke(pair, faults.POWER_OFF, probe, survived, before=write_on)
    judge("FO-46")
