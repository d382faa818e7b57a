"""MN-28 and MN-29: a client that never had a tunnel shows nothing of a firewall."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from evidence.capture import Frame
from evidence.packets import parse
from tests.checks.factories import SECOND, START_NS, Data, Run, tunnel
from tests.checks.multi_node.access_runs import ruleset, run_mn_28, run_mn_29
from tests.checks.multi_node.lateness import is_late, kept
from tests.checks.multi_node.runs import judge_mutant

OUT, BETWEEN = "node-a-client", "node-a-udp4"
WRITERS: dict[str, Callable[[], Run]] = {"MN-28": run_mn_28, "MN-29": run_mn_29}
CASES = [("MN-28", OUT), ("MN-29", OUT), ("MN-29", BETWEEN)]


def without_tunnel(requirement: str, client: str) -> Run:
    """Let a client be given up before it was to send, so that it sent nothing."""
    run = WRITERS[requirement]()
    down = {"up": False, "tunnel4": "", "tunnel6": "", "detail": "TLS handshake failed"}
    looked: Data = {**tunnel("node-a", "udp", 4, 1), **down, "client": client}
    looked["ping"] = {"target": "", "sent": 0, "received": 0}
    started = {"client": client, "at_ns": START_NS + SECOND}
    run.events.insert(0, ("tunnel.tried", "client", {**looked, "at_ns": START_NS + 20 * SECOND}))
    run.events.insert(0, ("tunnel.started", "client", started))
    for data in run.all("forward.tried", client):
        data.update(began_ns=START_NS + 25 * SECOND, received=0)
    if client == OUT:
        run.frames = [one for one in run.frames if not is_sent_on(one)]
    return run


def is_sent_on(frame: Frame) -> bool:
    """Whether a frame is an echo request that came in at node-a's port."""
    packet = parse(frame.data)
    kinds = {1: 8, 58: 128}
    return (
        frame.interface == "node-a/wire0"
        and packet is not None
        and packet.payload[:1] == bytes([kinds.get(packet.protocol or 0, 0)])
    )


@pytest.mark.parametrize(("requirement", "client"), CASES)
def test_it_is_named_as_the_client_without_a_tunnel(
    requirement: str, client: str, tmp_path: Path
) -> None:
    text = judge_mutant(without_tunnel(requirement, client), requirement, tmp_path)
    assert f"{client} by node-a" in text
    assert "it had no tunnel: TLS handshake failed" in text
    assert "had no answer" not in text
    assert "counters" not in text


@pytest.mark.parametrize(("requirement", "client"), CASES)
@pytest.mark.parametrize("of", ["client", "node-a", "controller", "wire"])
def test_it_is_late_where_the_host_kept_whom_it_waited_for(
    requirement: str, client: str, of: str, tmp_path: Path
) -> None:
    is_late(lambda: without_tunnel(requirement, client), requirement, tmp_path, of, (1.5, 20))


@pytest.mark.parametrize(("requirement", "client"), CASES)
def test_another_node_that_was_kept_is_no_excuse(
    requirement: str, client: str, tmp_path: Path
) -> None:
    judge_mutant(
        kept(without_tunnel(requirement, client), "node-b", 1.5, 20), requirement, tmp_path
    )


@pytest.mark.parametrize("client", [OUT, BETWEEN])
def test_what_it_did_not_send_is_not_missed_by_the_counters(client: str, tmp_path: Path) -> None:
    """What the other senders sent was refused, and no more."""
    run = without_tunnel("MN-29", client)
    sent = 2 if client == BETWEEN else 4
    reading = run.all("firewall.shown", "node-a")[-1]
    for family in (4, 6):
        reading[f"ipv{family}"] = ruleset("node-a", family, counted=sent)
    text = run.judge("MN-29", tmp_path).text
    assert "were refused by its counters" not in text
    assert "the wire did not carry all" not in text


def test_whose_clients_have_all_no_tunnel_has_counted_nobodys_address(tmp_path: Path) -> None:
    run = without_tunnel("MN-28", OUT)
    for reading in run.all("firewall.shown", "node-a"):
        for family in (4, 6):
            text = reading[f"ipv{family}"]
            head, _, nat = text.partition("*nat")
            reading[f"ipv{family}"] = head + "*nat" + nat.replace("[100:6000]", "[0:0]")
    assert "by its counters no client got its address" not in run.judge("MN-28", tmp_path).text


@pytest.mark.parametrize("requirement", WRITERS)
def test_what_was_answered_had_a_tunnel_whatever_was_seen_before(
    requirement: str, tmp_path: Path
) -> None:
    run = WRITERS[requirement]()
    looked = {**tunnel("node-a", "udp", 4, 1), "up": False, "client": OUT, "detail": "slow"}
    run.events.insert(0, ("tunnel.tried", "client", {**looked, "at_ns": START_NS + SECOND // 2}))
    verdict = run.judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text
