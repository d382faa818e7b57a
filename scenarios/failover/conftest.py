"""What scenarios of the failover guide share: the pair, a host on its LAN, clients outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evidence.history import History
from lab.probe import Probe
from lab.testbed import Testbed
from scenarios.failover.observe import PROBE
from scenarios.failover.pair import Pair
from scenarios.failover.services import PROBE_ADDRESS, PROBE_MAC
from scenarios.failover.tunnels import Outside


@pytest.fixture
def pair(lab: Testbed, history: History) -> Iterator[Pair]:
    """The pair, its configuration recorded. One that was frozen ready is ready when it is thawed.

    A scenario that shares a lab leaves it as it was.
    """
    with Pair(lab, history) as pair:
        pair.record_configured(pair.active())
        yield pair


@pytest.fixture
def probe(lab: Testbed) -> Iterator[Probe]:
    """A host on the pair's network."""
    with Probe(lab.wire, "lan", PROBE, PROBE_MAC, PROBE_ADDRESS) as host:
        yield host


@pytest.fixture
def outside(pair: Pair) -> Iterator[Outside]:
    """Clients outside; those that a scenario connects are gone when it ends."""
    clients = Outside(pair)
    try:
        yield clients
    finally:
        clients.leave()
