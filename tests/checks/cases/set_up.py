"""Violations that had PASS: how the pair was set up, what it serves, and what Validate shows."""

from __future__ import annotations

from pathlib import Path

from tests.checks.cases.row import FAIL, UNKNOWN, row
from tests.checks.failover.parted import split
from tests.checks.failover.recording import ADDRESS, VIRTUAL_IP, Run
from tests.checks.failover.test_serving import serving
from tests.checks.failover.test_setup import BOTH, OUTSIDE, OWN, prepared, read_at
from tests.checks.failover.test_validating import replaced, rows, validated


@row(
    "FO-01", "without rsync the wrong row turns bad (SSH), the rsync row reads GOOD",
    FAIL, "with no-rsync these read GOOD: rsync on secondary",
)  # fmt: skip
def _(at: Path) -> Run:
    return replaced(validated(at), "no-rsync", rows=rows("ssh on secondary"))


# Neither direction between the two nodes was tried.
@row(
    "FO-05", "root ssh tried between gateway and client only, both ways",
    UNKNOWN, "root on primary reaches root on secondary",
)  # fmt: skip
def _(at: Path) -> Run:
    run = prepared(at).without("ssh.attempted")
    for origin, target in (("gateway", "client"), ("client", "gateway")):
        ssh = {"origin": origin, "target": target, "user": "root", "status": 0}
        run.event(5, "ssh.attempted", origin, **ssh)
    return run


@row(
    "FO-07", "four rows, but one of them is shown twice and one is missing", FAIL, "more than once"
)
def _(at: Path) -> Run:
    return replaced(validated(at), "", rows=[*rows()[:3], rows()[0]])


@row(
    "FO-10", "virtual IP outside the subnet refused with an error, but configured all the same",
    FAIL, "primary holds it all the same",
)  # fmt: skip
def _(at: Path) -> Run:
    run = prepared(at)
    run.event(15, "addresses.held", "primary", held=[ADDRESS["primary"], OUTSIDE])
    return run


@row("FO-11", "VIP up, then gone again 2 s later, within the 10 s", FAIL, "and then no more")
def _(at: Path) -> Run:
    return read_at(at, (24, BOTH), (26, OWN))


@row("FO-12", "TCP 443 on the virtual IP answers 1 of 20 probes", FAIL, "tcp 443 does not answer")
def _(at: Path) -> Run:
    return once_of_twenty(serving(at), VIRTUAL_IP)


@row("FO-14", "active node's own address answers 1 of 20 probes", FAIL, "tcp 443 does not answer")
def _(at: Path) -> Run:
    return once_of_twenty(serving(at), ADDRESS["primary"])


def once_of_twenty(run: Run, address: str) -> Run:
    asked = {"address": address, "protocol": "tcp", "port": 443, "answered": False}
    for second in range(19):
        run.event(8 + second, "service.probed", "client", **asked)
    return run


@row(
    "FO-45", "Validate does not see the isolation: the one bad row was bad before too",
    FAIL, "but what was bad before",
)  # fmt: skip
def _(at: Path) -> Run:
    shown = [{"name": "rsync", "good": False}, {"name": "heartbeat", "good": True}]
    return split(at, "isolation").changed("validate.shown", rows=shown)
