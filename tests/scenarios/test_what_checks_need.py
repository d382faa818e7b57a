"""Scenarios record each thing that the checks speak of: no service, item or row is left out."""

from __future__ import annotations

from typing import get_args

from checks.failover.data_loss import KEPT
from checks.failover.serving import SERVICES
from checks.failover.syncing import SYNCED
from evidence.events.setup import Broken
from scenarios.failover import services, test_logs_and_sync, test_survival, validation


def test_every_service_is_asked_for() -> None:
    assert {(one.protocol, one.port) for one in services.SERVICES} == set(SERVICES)


def test_every_item_that_is_synced_or_kept_is_compared() -> None:
    assert set(test_logs_and_sync.SYNCED) >= set(SYNCED)
    assert set(test_survival.KEPT) == set(KEPT)


def test_every_prerequisite_is_broken_alone() -> None:
    apart = {"", "isolation"}
    assert validation.PREREQUISITES.keys() == set(get_args(Broken)) - apart
