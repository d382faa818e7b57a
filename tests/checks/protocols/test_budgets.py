"""Budgets come from the configuration: other timers, other limits."""

from __future__ import annotations

import pytest

from checks.protocols import budgets


def test_ucarps_defaults_give_two_to_five_seconds_after_a_crash() -> None:
    budget = budgets.Ucarp(advbase=1).fault_to_takeover()
    assert (budget.minimum_s, budget.maximum_s) == (2.0, 5.0)


@pytest.mark.parametrize(
    ("engine", "measured"),
    [
        (budgets.Ucarp(1), (2.069, 3.222)),
        (budgets.Ucarp(1, deadratio=1), (0.192, 0.941)),
        (budgets.Ucarp(1, deadratio=2), (1.186, 1.924)),
        (budgets.Ucarp(2), (4.120, 4.999)),
        (budgets.Ucarp(1, 100), (4.259 - 1.39, 4.445)),
        (budgets.Keepalived(1, 100), (2.670, 3.368)),
        (budgets.Keepalived(1, 150), (2.490, 3.139)),
        (budgets.Keepalived(0.1, 100, version=3), (0.263, 0.357)),
    ],
)
def test_what_was_measured_on_genuine_engines_lies_within(engine, measured) -> None:
    budget = engine.fault_to_takeover()
    assert budget.minimum_s <= measured[0]
    assert measured[1] <= budget.maximum_s


def test_ucarps_skew_is_not_multiplied_by_the_dead_ratio() -> None:
    assert budgets.Ucarp(1, advskew=128, deadratio=3).dead_s == 3.5


def test_a_slower_active_node_widens_how_soon_the_takeover_may_come() -> None:
    engine = budgets.Ucarp(1, active_advbase=2)
    assert engine.fault_to_takeover().minimum_s == 1.0


def test_keepaliveds_clean_stop_is_its_skew_only() -> None:
    budget = budgets.Keepalived(1, 100).clean_stop_to_takeover()
    assert 0.615 <= budget.maximum_s <= 0.85


def test_a_clean_stop_of_ucarp_is_as_slow_as_a_crash() -> None:
    engine = budgets.Ucarp(1)
    assert engine.clean_stop_to_takeover() == engine.fault_to_takeover()


def test_version_3_scales_its_skew_with_the_interval() -> None:
    assert budgets.Keepalived(0.5, 128, version=3).skew_s == 0.25


def test_healing_within_the_three_seconds_that_the_defaults_allow() -> None:
    assert budgets.Ucarp(1).healing().maximum_s == 3.0


@pytest.mark.parametrize(("advbase", "advskew", "deadratio"), [(0, 10, 3), (1, 256, 3), (1, 0, 0)])
def test_timers_that_ucarp_cannot_have_are_refused(advbase, advskew, deadratio) -> None:
    with pytest.raises(ValueError, match="advbase"):
        budgets.Ucarp(advbase, advskew, deadratio)


def test_timers_that_keepalived_cannot_have_are_refused() -> None:
    with pytest.raises(ValueError, match="priority"):
        budgets.Keepalived(1, 256)


def test_the_clients_budget_is_its_ping_restart_unless_the_service_takes_longer() -> None:
    fast = budgets.Budget(2, 10, "", "")
    slow = budgets.Budget(2, 100, "", "")
    terms = {"ping_restart_s": 50.0, "restart_pause_s": 1.0, "handshake_s": 5.0}
    assert budgets.tunnel_after_fault(fast, **terms).maximum_s == 56
    assert budgets.tunnel_after_fault(slow, **terms).maximum_s == 106
