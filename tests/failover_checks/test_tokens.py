"""FO-37: a refused token shows something only with the cause that its case is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.failover_checks.recording import Run, passes, rejects, unsure
from tests.failover_checks.test_setup import EXPIRED, NOT_NOW, REFUSED

WRONG_SECRET = "--auth-gen-token: HMAC on token from client failed (alice)"
ANY_FAILURE = "TLS: Username/auth-token authentication failed for username 'alice'"


def tried(directory: Path, **reasons: str) -> Run:
    run = Run(directory, 100)
    for case, reason in (
        REFUSED | {key.replace("_", "-"): reasons[key] for key in reasons}
    ).items():
        run.event(90, "token.tried", "client", case=case, accepted=False, reason=reason)
    return run


def test_each_case_refused_for_its_own_cause_passes(tmp_path: Path) -> None:
    passes(tried(tmp_path).judge("FO-37"))


@pytest.mark.parametrize("reason", [WRONG_SECRET, ANY_FAILURE])
@pytest.mark.parametrize("case", sorted(REFUSED))
def test_a_token_refused_for_another_cause_shows_nothing(
    tmp_path: Path, case: str, reason: str
) -> None:
    verdict = tried(tmp_path, **{case.replace("-", "_"): reason}).judge("FO-37")
    unsure(verdict, case, reason)


def test_a_lifetime_that_is_over_does_not_show_what_a_slow_clock_does(tmp_path: Path) -> None:
    unsure(tried(tmp_path, clock_behind=EXPIRED).judge("FO-37"), "clock-behind", EXPIRED)


def test_a_slow_clock_does_not_show_what_a_lifetime_that_is_over_does(tmp_path: Path) -> None:
    unsure(tried(tmp_path, lifetime_over=f"{NOT_NOW}; {EXPIRED}").judge("FO-37"), "lifetime-over")


def test_a_token_past_its_lifetime_whose_cached_password_is_refused_too_passes(
    tmp_path: Path,
) -> None:
    passes(tried(tmp_path, lifetime_over=f"{EXPIRED}; {ANY_FAILURE}").judge("FO-37"))


def accepted_by_a_slow_clock(directory: Path, age_s: float) -> Run:
    run = tried(directory)
    run.events[-1][3].update(accepted=True, reason="", age_s=age_s)
    assert run.events[-1][3]["case"] == "clock-behind"
    return run


def test_a_token_from_the_future_that_is_accepted_is_rejected(tmp_path: Path) -> None:
    rejects(accepted_by_a_slow_clock(tmp_path, 119).judge("FO-37"), "although clock-behind")


def test_a_token_that_grew_older_than_the_clock_is_behind_shows_nothing(tmp_path: Path) -> None:
    unsure(accepted_by_a_slow_clock(tmp_path, 121).judge("FO-37"), "not from the future any more")
