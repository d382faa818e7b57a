"""Who got no answer of a machine that did not run was not refused, whatever asked: that is late."""

from collections.abc import Callable
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Run
from tests.checks.multi_node.access_runs import run_mn_10
from tests.checks.multi_node.lateness import is_late, kept
from tests.checks.multi_node.maintained import at, controller_lost, node_lost
from tests.checks.multi_node.portal_runs import run_mn_02, run_mn_16
from tests.checks.multi_node.runs import (
    judge_mutant,
    run_http,
    run_mn_01,
    run_mn_21,
    run_mn_23,
)
from tests.checks.multi_node.test_afterwards import node_b_dies_again


def api_without_names() -> Run:
    run = run_http()
    for one in run.all("api.answered", "node-a"):
        one.update(status=0, body="", at_ns=at(90), detail="curl: (6) Could not resolve host")
    return run


def api_without_tls() -> Run:
    run = run_http()
    for one in run.all("api.answered", "node-a"):
        one.update(status=0, body="", at_ns=at(90), detail="curl: (28) SSL connection timeout")
    return run


def daemon_is_silent() -> Run:
    run = run_mn_10()
    for one in run.all("daemon.tried"):
        one["at_ns"] = at(60)
        if (one["shown"], one["tls"], one["node"]) == ("client", "1.2", "node-b"):
            one.update(answer="", detail="timed out")
    return run


def web_is_silent() -> Run:
    run = run_mn_16()
    run.all("web.asked")[2].update(status=0, at_ns=at(60), detail="curl: (28) timed out")
    run.find("web.logged")["requests"].pop(2)
    return run


def a_client_finds_no_node() -> Run:
    run = run_mn_23(("node-a", 4, 5), ("node-a", 6, 4), ("node-b", 4, 4), ("node-b", 6, 4))
    run.all("tunnel.tried")[-1].update(up=False, at_ns=at(64), detail="Connection timed out")
    return run


def names_without_answer() -> Run:
    run = run_mn_01()
    answered = run.find("names.answered", "client")
    answered["at_ns"] = at(60)
    for one in answered["answers"][:2]:
        one.update(addresses=[], answered=False)
    return run


def shared_name_without_answer() -> Run:
    run = run_mn_21()
    answered = run.find("names.answered", "client")
    answered["at_ns"] = at(60)
    answered["answers"][-1].update(addresses=[], answered=False)
    return run


def portal_without_answer() -> Run:
    run = run_mn_02()
    silent = {"verified": False, "certificate": "", "status": 0, "location": ""}
    run.all("portal.shown")[1].update(silent, at_ns=at(90), detail="curl: (28) timed out")
    return run


SILENT: dict[str, tuple[Callable[[], Run], str, str, tuple[float, float]]] = {
    "no machine's name is resolved": (names_without_answer, "MN-01", "services", (20, 60)),
    "the shared name is not resolved": (shared_name_without_answer, "MN-21", "services", (20, 60)),
    "the portal says nothing": (portal_without_answer, "MN-02", "controller", (20, 90)),
    "no name is resolved": (api_without_names, "MN-07", "services", (0, 90)),
    "no TLS comes about": (api_without_tls, "MN-07", "controller", (0, 90)),
    "the daemon says nothing": (daemon_is_silent, "MN-10", "node-b", (20, 60)),
    "the web server says nothing": (web_is_silent, "MN-16", "node-b", (20, 60)),
    "no node lets a client in": (a_client_finds_no_node, "MN-23", "node-b", (1, 64)),
    "no client that lost its node resolves the shared name": (
        lambda: node_lost(takes_s=1000, seconds=230),
        "MN-24",
        "services",
        (80, 229),
    ),
    "a node that was started stops": (node_b_dies_again, "MN-27", "node-b", (34, 129)),
}


@pytest.mark.parametrize("what", SILENT)
def test_what_a_stalled_machine_left_without_an_answer_is_late(what: str, tmp_path: Path) -> None:
    make, requirement, of, span_s = SILENT[what]
    is_late(make, requirement, tmp_path, of, span_s)


def silent_node(run: Run, from_s: float, until_s: float) -> Run:
    """Leave out what node-a sent in a time."""
    run.frames = [
        one
        for one in run.frames
        if not at(from_s) < one.at_ns < at(until_s) or not one.interface.startswith("node-a/")
    ]
    return run


@pytest.mark.parametrize(("is_stalled", "named"), [(False, True), (True, False)])
def test_a_session_that_a_stalled_node_left_without_an_answer_is_late(
    is_stalled: bool, named: bool, tmp_path: Path
) -> None:
    run = silent_node(controller_lost(), 21, 90)
    for one in run.all("tunnel.tried"):
        one["at_ns"] = at(89) if one["at_ns"] == at(76) else one["at_ns"]
    if is_stalled:
        kept(run, "node-a", 20, 99)
    verdict = run.judge("MN-30", tmp_path)
    said = "client-0 by udp over IPv4 to node-a: nothing for"
    assert (verdict.status is Status.FAIL and said in verdict.text) is named, verdict.text


def test_a_refusal_is_an_answer_whoever_did_not_run(tmp_path: Path) -> None:
    run = run_http()
    for one in run.all("api.answered", "node-a"):
        one.update(status=0, body="", at_ns=at(90), detail="curl: (7) Connection refused")
    judge_mutant(kept(run, "controller", 0, 90), "MN-07", tmp_path)


@pytest.mark.parametrize(
    ("make", "requirement"),
    [(names_without_answer, "MN-01"), (shared_name_without_answer, "MN-21")],
)
def test_a_name_that_is_said_not_to_exist_is_rejected_however_busy_the_host(
    make: Callable[[], Run], requirement: str, tmp_path: Path
) -> None:
    run = kept(make(), "services", 20, 60)
    for one in run.find("names.answered", "client")["answers"]:
        one["answered"] = True
    judge_mutant(run, requirement, tmp_path)


def test_names_that_led_to_nothing_for_longer_than_the_host_was_busy_are_rejected(
    tmp_path: Path,
) -> None:
    run = kept(names_without_answer(), "services", 20, 40)  # dig waits for 15 s each
    assert "resolves" in judge_mutant(run, "MN-01", tmp_path)
