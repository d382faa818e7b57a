"""Every promise of the failover guide has a check."""

from __future__ import annotations

from checks.engine import registry
from checks.engine.requirements import catalogue


def test_every_failover_requirement_is_judged() -> None:
    promised = {entry.id for entry in catalogue() if entry.guide == "failover"}
    assert len(promised) == 49
    assert promised <= registry.checks().keys()
