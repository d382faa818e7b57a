"""MN-17 and MN-18: an address inside the VPN that is free again may be the next client's."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import Data, Run
from tests.checks.multi_node.portal_runs import at, page, run_mn_17, run_mn_19
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE

CLIENT = GUIDE.client.name


def up(run: Run, client: str) -> Data:
    return next(one for one in run.all("tunnel.tried") if one["client"] == client and one["up"])


def listed(run: Run, seconds: Iterable[float], node: str, client: Data, **row: str) -> None:
    """Let the page list an address once more, as somebody's."""
    for second in seconds:
        shown = page(GUIDE, second, second + 0.5, [(node, client)])
        shown["profiles"][node][0].update(row)
        run.events.append(("connections.shown", CLIENT, shown))


def left(seconds: Iterable[float] = (35, 40), **row: str) -> Run:
    """Let the address of client-0, which left at 31 s, stand on the page again."""
    run = run_mn_17()
    listed(run, seconds, "node-a", up(run, "client-0"), **row)
    return run


def disabled(**row: str) -> Run:
    """Let the address of client-1, which was disabled at 18 s, stand on the page again."""
    run = run_mn_19()
    listed(run, (23, 24), "node-b", up(run, "client-1"), **row)
    return run


@pytest.mark.parametrize("row", [{"user": "somebody else"}, {"name": "phone"}])
def test_the_next_client_at_the_address_of_one_who_left_is_another(
    row: dict[str, str], tmp_path: Path
) -> None:
    verdict = left(**row).judge("MN-17", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


@pytest.mark.parametrize("row", [{"user": "somebody else"}, {"name": "phone"}])
def test_the_next_client_at_the_address_of_one_who_was_disabled_is_another(
    row: dict[str, str], tmp_path: Path
) -> None:
    verdict = disabled(**row).judge("MN-18", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_who_stands_there_by_the_same_certificate_is_still_there(tmp_path: Path) -> None:
    assert "it is not so that client-0 is gone" in judge_mutant(left(), "MN-17", tmp_path)


def test_who_was_disabled_and_stands_there_by_the_same_certificate_is_still_there(
    tmp_path: Path,
) -> None:
    assert "client-1 is still on the page" in judge_mutant(disabled(), "MN-18", tmp_path)


def test_who_never_stood_on_the_page_is_known_by_the_address_alone(tmp_path: Path) -> None:
    run = left(user="somebody else")
    early = [one for one in run.all("connections.shown") if one["at_ns"] < at(30)]
    run.events = [one for one in run.events if one[2] not in early]
    assert "it is not so that client-0 is gone" in judge_mutant(run, "MN-17", tmp_path)
