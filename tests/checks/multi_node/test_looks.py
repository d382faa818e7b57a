"""MN-18 and MN-20: what holds at one look has to hold at each later one; before it need not."""

from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Data, Run, good_config
from tests.checks.multi_node.installed_runs import run_mn_20
from tests.checks.multi_node.portal_runs import at, page, run_mn_19
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE

CLIENT, CONTROLLER = GUIDE.client.name, GUIDE.controller.name
OTHER_NAME = "node-b.frkovpn.tuxed.net"


def passes(run: Run, requirement: str, directory: Path) -> None:
    verdict = run.judge(requirement, directory)
    assert verdict.status is Status.PASS, verdict.text


# MN-20


def looked_before(config: Data) -> Run:
    """Let the controller's configuration have been looked at once before it is good."""
    run = run_mn_20()
    run.events.insert(0, ("controller.config", CONTROLLER, config))
    return run


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("hideProfile", False, "node-b: hideProfile is False, not True"),
        ("hostName", OTHER_NAME, f"node-b: hostName is {OTHER_NAME!r}, not"),
    ],
)
def test_profiles_that_were_merged_otherwise_at_first_are_named(
    option: str, value: object, why: str, tmp_path: Path
) -> None:
    config = good_config()
    config["profiles"]["node-b"][option] = value
    assert why in judge_mutant(looked_before(config), "MN-20", tmp_path)


def test_profiles_need_not_be_merged_before_they_are(tmp_path: Path) -> None:
    config = good_config() | {"merged": False}
    config["profiles"]["node-b"].update(hideProfile=False, hostName=OTHER_NAME)
    passes(looked_before(config), "MN-20", tmp_path)


def test_a_shared_key_that_is_taken_away_again_is_missed(tmp_path: Path) -> None:
    run = run_mn_20()
    run.events.append(("controller.config", CONTROLLER, good_config() | {"merged": False}))
    assert "the controller has no ta.key" in judge_mutant(run, "MN-20", tmp_path)


def keys_before(*digests: str) -> Run:
    """Let the controller's shared keys have been looked at once before they are good."""
    run = run_mn_20()
    keys = [{"path": "/var/lib/vpn-server-api/ta.key", "digest": one} for one in digests]
    run.events.insert(0, ("tls-crypt.shown", CONTROLLER, {"keys": keys}))
    return run


@pytest.mark.parametrize("digest", ["cd" * 32, ""])
def test_a_shared_key_that_was_another_or_unreadable_at_first_is_named(
    digest: str, tmp_path: Path
) -> None:
    judge_mutant(keys_before(digest), "MN-20", tmp_path)


def test_there_need_be_no_shared_key_before_there_is_one(tmp_path: Path) -> None:
    passes(keys_before(), "MN-20", tmp_path)


def apart() -> Data:
    """Return the controller's configuration before merging."""
    config = good_config() | {"merged": False}
    config["profiles"]["node-b"].update(hideProfile=False, hostName=OTHER_NAME)
    return config


PAGE = {"user": "demo", "status": 200, "offered": ["node-a", "node-b"], "kept": []}
ASKED = {
    "user": "demo",
    "profile": "node-b",
    "status": 200,
    "hosts": [OTHER_NAME],
    "key": "cd" * 32,
}
KEYS = {"keys": [{"path": "node-b-0.conf", "digest": "cd" * 32}]}
BEFORE = [
    ("configurations.shown", CLIENT, PAGE),
    ("configuration.asked", CLIENT, ASKED),
    ("tls-crypt.shown", "node-b", KEYS),
]


@pytest.mark.parametrize("look", BEFORE, ids=lambda look: look[0])
def test_what_is_offered_and_served_before_profiles_are_merged_is_no_matter(
    look: tuple[str, str, Data], tmp_path: Path
) -> None:
    run = looked_before(apart())
    run.events.insert(1, look)
    passes(run, "MN-20", tmp_path)


@pytest.mark.parametrize("look", BEFORE, ids=lambda look: look[0])
def test_what_is_offered_and_served_so_once_they_are_merged_is_named(
    look: tuple[str, str, Data], tmp_path: Path
) -> None:
    run = looked_before(apart())
    run.events.insert(2, look)
    assert "node-b" in judge_mutant(run, "MN-20", tmp_path)


@pytest.mark.parametrize("look", BEFORE, ids=lambda look: look[0])
def test_without_a_look_that_shows_them_apart_all_of_it_is_of_merged_profiles(
    look: tuple[str, str, Data], tmp_path: Path
) -> None:
    run = run_mn_20()
    run.events.insert(0, look)
    assert "node-b" in judge_mutant(run, "MN-20", tmp_path)


def test_what_was_offered_before_alone_shows_nothing_of_merged_profiles(tmp_path: Path) -> None:
    run = looked_before(apart())
    (page,) = run.all("configurations.shown")
    run.events.remove(("configurations.shown", CLIENT, page))
    run.events.insert(1, ("configurations.shown", CLIENT, page))
    verdict = run.judge("MN-20", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text


# MN-18


def probe(run: Run, asked: float, came: float, **how: bool) -> None:
    """Look at the tunnel of the client that was disabled at 18 s, and has none at 21 s."""
    data = {"client": "client-1", "asked_ns": at(asked), "at_ns": at(came), **how}
    run.events.append(("tunnel.probed", CLIENT, data))


@pytest.mark.parametrize("how", [{"answered": True, "up": True}, {"answered": False, "up": True}])
def test_a_tunnel_that_is_there_once_more_has_not_ended(
    how: dict[str, bool], tmp_path: Path
) -> None:
    run = run_mn_19()
    probe(run, 22.5, 23, **how)
    probe(run, 23.5, 24, answered=False, up=False)
    assert "the tunnel of client-1 still works" in judge_mutant(run, "MN-18", tmp_path)


def test_a_tunnel_may_be_there_until_it_has_ended(tmp_path: Path) -> None:
    run = run_mn_19()
    probe(run, 18.5, 19, answered=True, up=True)
    passes(run, "MN-18", tmp_path)


def shown(run: Run, asked: float, came: float) -> None:
    """Let the page list the client that was disabled at 18 s, and is gone at 22 s."""
    (client,) = [
        one for one in run.all("tunnel.tried") if one["client"] == "client-1" and one["up"]
    ]
    run.events.append(("connections.shown", CLIENT, page(GUIDE, asked, came, [("node-b", client)])))


def test_a_client_that_stands_on_the_page_once_more_is_not_gone(tmp_path: Path) -> None:
    run = run_mn_19()
    shown(run, 23, 24)
    run.events.append(("connections.shown", CLIENT, page(GUIDE, 24.1, 24.5, [])))
    assert "client-1 is still on the page" in judge_mutant(run, "MN-18", tmp_path)


def test_a_client_may_stand_on_the_page_until_it_is_gone(tmp_path: Path) -> None:
    run = run_mn_19()
    shown(run, 18.5, 19)
    passes(run, "MN-18", tmp_path)
