"""The benchmark of continuity joins what was seen of each thaw into one figure each."""

from __future__ import annotations

from bench.continuity import _figures, _Seen

CALM = _Seen(0.05, 1.003, 0, 0, 0, 0, 4150.1, 0.002)
DISTURBED = _Seen(1.4, 3.2, 2, 1, 1, 1, 4160.3, 0.001)


def test_one_disturbance_of_many_shows() -> None:
    assert _figures("thaw", [CALM, DISTURBED, CALM]) == {
        "thaw_first_advertisement_s": 1.4,
        "thaw_longest_gap_s": 3.2,
        "thaw_standby_advertisements": 2,
        "thaw_lost_pings": 1,
        "thaw_handshakes": 1,
        "thaw_restarts": 1,
        "thaw_behind_s": 4150.1,
        "thaw_uncertainty_s": 0.002,
    }
