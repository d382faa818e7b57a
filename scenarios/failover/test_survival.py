"""What outlives a crash: everything up to the last sync; and how much was written since."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from lab.machine import Machine
from lab.probe import Probe
from lab.wait import pause
from scenarios.failover import faults
from scenarios.failover.faults import Moment
from scenarios.failover.observe import LIVE, STAGED
from scenarios.failover.pair import Pair
from scenarios.failover.takeover import provoke

Judge = Callable[[str], object]

PERIOD_S = 20
WRITE_FOR_S = 90.0
WRITER = "writer"

_SERIALS = """\
import json, sqlite3, sys
query = "SELECT key FROM properties WHERE user = 'writer' AND key LIKE 'serial_%'"
rows = sqlite3.connect("file:" + sys.argv[1] + "/userprop.db?mode=ro", uri=True).execute(query)
print(json.dumps(sorted(int(key[7:]) for key, in rows)))
"""


def serials(machine: Machine, place: str) -> list[int]:
    """Return which writes are in a node's configuration at `place`: LIVE or STAGED."""
    found: list[int] = json.loads(machine.run(f"python3 - {place}", stdin=_SERIALS).stdout)
    return found


def write(pair: Pair, active: str, serial: int) -> None:
    """Write one more property on the active node; recorded once it was acknowledged."""
    key = f"serial_{serial}"
    pair.sacli(active, "--user", WRITER, "--key", key, "--value", "written", "UserPropPut")
    pair.history.record("write.acknowledged", active, serial=serial)


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-46")
def test_what_the_last_sync_held_survives_and_the_rest_is_counted(
    pair: Pair, probe: Probe, judge: Judge
) -> None:
    active = pair.reconfigure({"failover.sync_period": str(PERIOD_S)})
    pair.record_configured(active)
    standby = pair.machine(pair.other(active))

    def write_on() -> None:
        end, serial, synced = time.monotonic() + WRITE_FOR_S, 0, 0
        while time.monotonic() < end or serial == synced:
            serial += 1
            write(pair, active, serial)
            staged = serials(standby, STAGED)
            if staged and staged[-1] > synced:
                synced = staged[-1]
                pair.history.record("sync.completed", active, serial=synced)

    def survived(peer: str, _struck: Moment) -> None:
        pause(1)
        pair.history.record("write.survived", peer, serials=serials(pair.machine(peer), LIVE))

    provoke(pair, faults.POWER_OFF, probe, survived, before=write_on)
    judge("FO-46")
