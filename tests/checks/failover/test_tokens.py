"""FO-36 to 38: sessions resumed by token or certificate, and tokens refused for their cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.recording import (
    Run,
    passes,
    rejects,
    unsure,
)

EXPIRED = "--auth-gen-token: auth-token from client expired"
NOT_NOW = "Timestamp (1700000120) of auth-token is out of the renewal window"
REFUSED = {"lifetime-over": EXPIRED, "clock-behind": f"{NOT_NOW}; {EXPIRED}"}
"""What OpenVPN 2.6 logs; the second line stands below whatever made a token expire."""
WRONG_SECRET = "--auth-gen-token: HMAC on token from client failed (alice)"
ANY_FAILURE = "TLS: Username/auth-token authentication failed for username 'alice'"


def resumed(directory: Path) -> Run:
    run = Run(directory, 100)
    run.event(
        80, "session.resumed", "client", client="alice", method="token", connected=True,
        verify_calls=0, password_spent=True, user_name_sent=True,
    )  # fmt: skip
    run.event(
        80, "session.resumed", "client", client="bob_AUTOLOGIN", method="certificate",
        connected=True, verify_calls=0, password_spent=True, user_name_sent=False,
    )  # fmt: skip
    for case, reason in REFUSED.items():
        answer = {"accepted": False, "reason": reason, "age_s": 80}
        run.event(90, "token.tried", "client", case=case, **answer)
    return run


@pytest.mark.parametrize("requirement", ["FO-36", "FO-37", "FO-38"])
def test_sessions_resumed_as_they_should_be_pass(tmp_path: Path, requirement: str) -> None:
    passes(resumed(tmp_path).judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "kind", "change", "reason"),
    [
        ("FO-36", "session.resumed", {"verify_calls": 1}, "1 verify call(s)"),
        ("FO-36", "session.resumed", {"connected": False}, "alice was not connected"),
        ("FO-37", "token.tried", {"accepted": True}, "although lifetime-over"),
        ("FO-37", "token.tried", {"reason": ""}, "without a reason"),
        ("FO-38", "session.resumed", {"connected": False}, "bob_AUTOLOGIN was not connected"),
        ("FO-38", "session.resumed", {"user_name_sent": True}, "sent a user name"),
    ],
)
def test_sessions_resumed_wrongly_are_rejected(
    tmp_path: Path, requirement: str, kind: str, change: dict, reason: str
) -> None:
    rejects(resumed(tmp_path).changed(kind, **change).judge(requirement), reason)


def test_a_password_that_still_works_shows_nothing_about_tokens(tmp_path: Path) -> None:
    unsure(resumed(tmp_path).changed("session.resumed", password_spent=False).judge("FO-36"))


@pytest.mark.parametrize("requirement", ["FO-36", "FO-37", "FO-38"])
def test_sessions_not_watched_are_unknown(tmp_path: Path, requirement: str) -> None:
    unsure(Run(tmp_path, 100).judge(requirement))


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
