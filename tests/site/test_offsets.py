"""A machine's clock is measured again and again; one that was set is noticed."""

from __future__ import annotations

import pytest

from lab.clock import NS, ClockOffset
from lab.site.offsets import Offsets

MS = 1_000_000


def test_the_closest_measurement_counts_until_it_is_too_old() -> None:
    offsets = Offsets()
    offsets.add(0, ClockOffset(10 * MS, 1 * MS))
    offsets.add(5 * NS, ClockOffset(12 * MS, 3 * MS))
    assert offsets.at(1 * NS).behind_ns == 10 * MS
    assert offsets.at(60 * NS).behind_ns == 12 * MS


def test_a_clock_that_drifts_is_not_one_that_was_set() -> None:
    offsets = Offsets()
    assert offsets.add(0, ClockOffset(0, MS))
    assert offsets.add(10 * NS, ClockOffset(4 * MS, MS))
    assert not offsets.add(20 * NS, ClockOffset(NS, MS))
    assert offsets.at(20 * NS).behind_ns == NS


def test_nothing_is_known_before_the_first() -> None:
    with pytest.raises(LookupError):
        Offsets().at(0)
