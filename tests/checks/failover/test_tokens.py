"""FO-36 to 38: sessions resumed by token or certificate, and tokens refused for their cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.failover.crashes import crashed, crashed_twice, never_left, unheard
from tests.checks.failover.recording import Run, passes, rejects, unsure
from tests.checks.failover.tunnels import served

REQUIREMENTS = ["FO-36", "FO-37", "FO-38"]
EXPIRED = "--auth-gen-token: auth-token from client expired"
NOT_NOW = "Timestamp (1700000120) of auth-token is out of the renewal window"
REFUSED = {"lifetime-over": (EXPIRED,), "clock-behind": (NOT_NOW, EXPIRED)}
"""What OpenVPN 2.6 logs; the second line stands below whatever made a token expire."""
WRONG_SECRET = "--auth-gen-token: HMAC on token from client failed (alice)"
ANY_FAILURE = "TLS: Username/auth-token authentication failed for username 'alice'"


def logged(*texts: str, client: str = "alice") -> list[dict[str, str]]:
    return [{"client": client, "text": text} for text in texts]


def resumed(directory: Path, source: str = "secondary") -> Run:
    """Two clients that are back after a crash, and two tokens that were refused."""
    run = crashed(directory)
    run.event(
        80, "session.resumed", source, client="alice", method="token", connected=True,
        verify_calls=0, password_spent=True, user_name_sent=True,
    )  # fmt: skip
    run.event(
        80, "session.resumed", source, client="bob_AUTOLOGIN", method="certificate",
        connected=True, verify_calls=1, password_spent=True, user_name_sent=False,
    )  # fmt: skip
    return tried(run, source=source)


def tried(run: Run, source: str = "secondary", **said: tuple[str, ...]) -> Run:
    """Try the two tokens; `said` is what the log says instead of what it should."""
    changed = {key.replace("_", "-"): texts for key, texts in said.items()}
    for case, texts in (REFUSED | changed).items():
        answer = {"case": case, "accepted": False, "age_s": 80, "logged": logged(*texts)}
        run.event(90, "token.tried", source, client="alice", **answer)
    return run


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_sessions_resumed_as_they_should_be_pass(tmp_path: Path, requirement: str) -> None:
    passes(resumed(tmp_path).judge(requirement))


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_no_takeover_at_all_the_client_never_left_the_old_node(
    tmp_path: Path, requirement: str
) -> None:
    unsure(never_left(resumed(tmp_path)).judge(requirement), "no fault was recorded")


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_fault_after_which_the_client_never_had_to_leave_the_old_node(
    tmp_path: Path, requirement: str
) -> None:
    unsure(never_left(resumed(tmp_path), fault=True).judge(requirement), "hit nothing")


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_fault_after_which_nobody_took_over_is_rejected(tmp_path: Path, requirement: str) -> None:
    rejects(unheard(resumed(tmp_path)).judge(requirement), "secondary did not take over")


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_what_was_seen_on_the_old_node_shows_nothing_about_the_new_one(
    tmp_path: Path, requirement: str
) -> None:
    unsure(resumed(tmp_path, source="primary").judge(requirement))


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_what_was_seen_before_the_takeover_shows_nothing_about_what_comes_after_it(
    tmp_path: Path, requirement: str
) -> None:
    run = resumed(tmp_path)
    run.events = [
        (5, *event[1:]) if event[1] in ("session.resumed", "token.tried") else event
        for event in run.events
    ]
    unsure(run.judge(requirement))


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_what_was_seen_once_the_old_node_was_active_again_shows_nothing(
    tmp_path: Path, requirement: str
) -> None:
    run = resumed(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 60]
    run.beats("primary", 60, 100, counter=2000)
    unsure(run.judge(requirement))


@pytest.mark.parametrize(
    ("requirement", "kind", "change", "reason"),
    [
        ("FO-36", "session.resumed", {"verify_calls": 1}, "1 verify call(s)"),
        ("FO-36", "session.resumed", {"connected": False}, "alice was not connected"),
        ("FO-37", "token.tried", {"accepted": True}, "although lifetime-over"),
        ("FO-37", "token.tried", {"logged": []}, "without a reason"),
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


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_sessions_not_watched_are_unknown(tmp_path: Path, requirement: str) -> None:
    unsure(crashed(tmp_path).judge(requirement))


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_a_case_that_was_not_tried_is_missed(tmp_path: Path, case: str) -> None:
    unsure(resumed(tmp_path).but(case=case).judge("FO-37"), f"a token is refused: {case}")


def test_a_client_of_each_two_that_is_not_back_is_rejected(tmp_path: Path) -> None:
    run = resumed(tmp_path)
    lost = {**run.events[-4][3], "client": "carol", "connected": False}
    run.event(81, "session.resumed", "secondary", **lost)
    rejects(run.judge("FO-36"), "carol was not connected")


def test_a_token_refused_for_another_cause_shows_nothing(tmp_path: Path) -> None:
    for case in REFUSED:
        run = tried(crashed(tmp_path), **{case.replace("-", "_"): (ANY_FAILURE,)})
        unsure(run.judge("FO-37"), case, ANY_FAILURE)


def test_another_clients_reason_is_none_of_this_one(tmp_path: Path) -> None:
    run = tried(crashed(tmp_path)).changed("token.tried", logged=logged(EXPIRED, client="bob"))
    rejects(run.judge("FO-37"), "alice was refused without a reason of its own")


def test_another_clients_forged_token_does_not_fail_this_one(tmp_path: Path) -> None:
    run = tried(crashed(tmp_path))
    for event in run.events[-2:]:
        event[3]["logged"] += logged(WRONG_SECRET.replace("alice", "bob"), client="bob")
    passes(run.judge("FO-37"))


def test_a_lifetime_that_is_over_does_not_show_what_a_slow_clock_does(tmp_path: Path) -> None:
    run = tried(crashed(tmp_path), clock_behind=(EXPIRED,))
    unsure(run.judge("FO-37"), "clock-behind", EXPIRED)


def test_a_slow_clock_does_not_show_what_a_lifetime_that_is_over_does(tmp_path: Path) -> None:
    run = tried(crashed(tmp_path), lifetime_over=(NOT_NOW, EXPIRED))
    unsure(run.judge("FO-37"), "lifetime-over")


def test_a_token_past_its_lifetime_whose_cached_password_is_refused_too_passes(
    tmp_path: Path,
) -> None:
    passes(tried(crashed(tmp_path), lifetime_over=(EXPIRED, ANY_FAILURE)).judge("FO-37"))


def accepted_by_a_slow_clock(directory: Path, age_s: float) -> Run:
    run = tried(crashed(directory))
    run.events[-1][3].update(accepted=True, logged=[], age_s=age_s)
    assert run.events[-1][3]["case"] == "clock-behind"
    return run


def test_a_token_from_the_future_that_is_accepted_is_rejected(tmp_path: Path) -> None:
    rejects(accepted_by_a_slow_clock(tmp_path, 119).judge("FO-37"), "although clock-behind")


def test_a_token_that_grew_older_than_the_clock_is_behind_shows_nothing(tmp_path: Path) -> None:
    unsure(accepted_by_a_slow_clock(tmp_path, 121).judge("FO-37"), "not from the future any more")


def test_a_token_that_was_two_renewals_old_is_not_from_the_future(tmp_path: Path) -> None:
    past = "Timestamp (1699992700) of auth-token is out of the renewal window"
    run = tried(crashed(tmp_path), clock_behind=(past, EXPIRED))
    assert run.events[-1][3]["case"] == "clock-behind"
    run.events[-1][3].update(age_s=7400)
    unsure(run.judge("FO-37"), "clock-behind", "7400.0 s old")


def test_a_token_too_young_to_be_two_renewals_old_is_from_the_future(tmp_path: Path) -> None:
    passes(tried(crashed(tmp_path)).changed("token.tried", age_s=359).judge("FO-37"))


@pytest.mark.parametrize("requirement", ["FO-36", "FO-38"])
def test_a_client_that_the_old_node_goes_on_serving_never_came_to_the_new_one(
    tmp_path: Path, requirement: str
) -> None:
    run = resumed(tmp_path).changed("fault.injected", fault="kill-ucarp")
    for second in range(11, 99):
        served(run, second + 0.5, "primary")
    unsure(run.judge(requirement), "only primary sent from the virtual IP")


@pytest.mark.parametrize("requirement", ["FO-36", "FO-38"])
@pytest.mark.parametrize("until", [16, 99])
def test_what_the_old_node_still_sends_beside_the_new_one_is_no_matter_of_tokens(
    tmp_path: Path, requirement: str, until: int
) -> None:
    run = resumed(tmp_path)
    for second in range(11, until):
        served(run, second, "primary")
    if until > 16:
        served(run, 70, "secondary")
    passes(run.judge(requirement))


def once_more(run: Run, at: float, **changed: object) -> Run:
    """Let each client be looked at once more, at another time."""
    run.events += [
        (at, kind, source, {**data, **changed}, 0)
        for _, kind, source, data, _ in run.events
        if kind == "session.resumed"
    ]
    return run


@pytest.mark.parametrize("requirement", ["FO-36", "FO-38"])
def test_a_client_that_was_down_and_then_up_is_back(tmp_path: Path, requirement: str) -> None:
    passes(once_more(resumed(tmp_path), 75, connected=False).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-36", "FO-38"])
def test_a_client_that_was_up_and_then_down_is_not_back(tmp_path: Path, requirement: str) -> None:
    rejects(once_more(resumed(tmp_path), 85, connected=False).judge(requirement), "not connected")


@pytest.mark.parametrize(
    ("requirement", "changed", "reason"),
    [
        ("FO-36", {"verify_calls": 1}, "1 verify call(s)"),
        ("FO-38", {"user_name_sent": True}, "sent a user name"),
    ],
)
def test_what_a_first_attempt_asked_for_is_counted_too(
    tmp_path: Path, requirement: str, changed: dict, reason: str
) -> None:
    run = once_more(resumed(tmp_path), 75, connected=False, **changed)
    rejects(run.judge(requirement), reason)


@pytest.mark.parametrize("requirement", ["FO-36", "FO-38"])
def test_two_crashes_and_only_after_the_first_were_clients_watched(
    tmp_path: Path, requirement: str
) -> None:
    run = once_more(resumed(tmp_path), 45).without("fault.injected").without("fault.watched")
    run.events = [event for event in run.events if event[0] != 80]
    twice = crashed_twice(tmp_path)
    run.frames = twice.frames
    run.events += [event for event in twice.events if event[1] != "pair.configured"]
    unsure(run.judge(requirement), "no client with a ")
    passes(once_more(run, 90).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-36", "FO-38"])
def test_a_client_that_nobody_looked_at_for_a_minute_may_yet_come_back(
    tmp_path: Path, requirement: str
) -> None:
    run = resumed(tmp_path).changed("session.resumed", connected=False)
    rejects(run.judge(requirement), "was not connected again")
    run.events = [
        (15, *event[1:]) if event[1] == "session.resumed" else event for event in run.events
    ]
    unsure(run.judge(requirement), "was not connected 4.8 s after power-off of primary")


@pytest.mark.parametrize(
    ("requirement", "changed", "reason"),
    [
        ("FO-36", {"verify_calls": 1}, "1 verify call(s)"),
        ("FO-38", {"user_name_sent": True}, "sent a user name"),
    ],
)
def test_what_a_client_asked_for_is_counted_before_it_is_back(
    tmp_path: Path, requirement: str, changed: dict, reason: str
) -> None:
    run = resumed(tmp_path).changed("session.resumed", connected=False, **changed)
    run.events = [
        (15, *event[1:]) if event[1] == "session.resumed" else event for event in run.events
    ]
    rejects(run.judge(requirement), reason)


def test_a_log_that_holds_no_check_of_an_auto_login_does_not_show_what_it_sent(
    tmp_path: Path,
) -> None:
    run = resumed(tmp_path).changed("session.resumed", verify_calls=0)
    unsure(run.judge("FO-38"), "no verify call of bob_AUTOLOGIN on secondary was logged")
    passes(run.judge("FO-36"))
