"""Violations of the multi-node guide that had PASS, and a good run of it that had FAIL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.checks.cases.row import FAIL, PASS, row
from tests.checks.factories import SECOND, START_NS, Run, good_names
from tests.checks.multi_node import maintained
from tests.checks.multi_node.runs import (
    WRONG,
    http,
    run_config,
    run_http,
    run_mn_01,
    run_mn_13,
    run_mn_15,
    run_mn_22,
    run_mn_23,
)
from tests.checks.multi_node.test_clients import answered_by_node_a, from_node_b, in_blocks
from tests.checks.multi_node.test_setting_up import unmerged


@row("MN-01", "address stands on a NIC without carrier (operstate DOWN)", FAIL, "which is DOWN")
def _(_: Path) -> Run:
    run = run_mn_01()
    run.find("interfaces.shown", "node-b")["links"][1]["operstate"] = "DOWN"
    return run


@row(
    "MN-01", "names first answered wrong, right at the last of two readings",
    FAIL, "to 145.0.6.99, not to 145.0.6.72",
)  # fmt: skip
def _(_: Path) -> Run:
    run, answers = run_mn_01(), good_names()
    answers[2]["addresses"] = ["145.0.6.99"]
    run.events.insert(0, ("names.answered", "client", {"answers": answers}))
    return run


@row(
    "MN-04",
    "before merging: node-b left with hideProfile true (an option the table does not have)",
    FAIL, "node-b: hideProfile is True",
)  # fmt: skip
def _(_: Path) -> Run:
    run = unmerged()
    run.find("controller.config")["profiles"]["node-b"]["hideProfile"] = True
    return run


@row("MN-05", "profileNumber 1 and '1' (a string: PHP uses it as 1)", FAIL, "the profileNumber 1")
def _(_: Path) -> Run:
    run = run_config()
    run.find("controller.config")["profiles"]["node-b"]["profileNumber"] = "1"
    return run


@row("MN-08", "client got 200 with data first, 403 at the last try", FAIL, "got 200, not 403")
def _(_: Path) -> Run:
    run = run_http()
    answer = {**http("client", 4, "none")[2], "status": 200, "body": '{"a":1}'}
    answer["content_type"] = "application/json"
    run.events.insert(0, ("api.answered", "client", answer))
    return run


def further(directive: str) -> Run:
    run = run_mn_13()
    run.find("server.state", "node-b")["files"]["node-b-0.conf"] += f"\n{directive}\n"
    return run


@row(
    "MN-13",
    "server config has a further directive that is never generated: verify-client-cert none",
    FAIL, "verify-client-cert",
)  # fmt: skip
def _(_: Path) -> Run:
    return further("verify-client-cert none")


@row(
    "MN-13", "server config has a further directive that is never generated: duplicate-cn",
    FAIL, "duplicate-cn",
)  # fmt: skip
def _(_: Path) -> Run:
    return further("duplicate-cn")


@row(
    "MN-13",
    "apply_changes stopped nothing: files anew, the processes of before go on (old tls-crypt key)",
    FAIL, "node-b-0.conf was written 3.00 s after the process that reads it",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_13()
    for file in run.find("server.ages", "node-b")["files"]:
        file["written_ns"] += 5 * SECOND
    return run


@row("MN-15", "one machine (one MAC) answers for both nodes' addresses", FAIL, "answers for the")
def _(_: Path) -> Run:
    return answered_by_node_a(run_mn_15())


@row(
    "MN-15", "every frame of node-b's servers was dropped on the wire; client reports up",
    FAIL, "the wire dropped 1200 bytes and carried 0",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_15()
    run.frames = [
        replace(one, comment="dropped by rule 1") if from_node_b(one) else one for one in run.frames
    ]
    return run


@row(
    "MN-22",
    "no rotation: node-a first for 100 queries, then node-b first for 100 (order frozen by a cache "
    "/ reloaded zone)",
    FAIL, "an order is kept from answer to answer",
)  # fmt: skip
def _(_: Path) -> Run:
    return run_mn_22(order=in_blocks(100))


@row(
    "MN-23",
    "32 clients, two families: all 16 IPv4 on node-a, all 16 IPv6 on node-b (16:0 in each family)",
    FAIL, "over IPv4: 16:0",
)  # fmt: skip
def _(_: Path) -> Run:
    return run_mn_23(("node-a", 4, 16), ("node-b", 6, 16))


@row(
    "MN-23", "32 clients: A fixed (16 IPv4 all on node-a), AAAA rotates (8:8)",
    FAIL, "over IPv4: 16:0",
)  # fmt: skip
def _(_: Path) -> Run:
    return run_mn_23(("node-a", 4, 16), ("node-a", 6, 8), ("node-b", 6, 8))


@row(
    "MN-23",
    "one machine (one MAC) answers for both nodes' addresses, both profiles deployed on it",
    FAIL, "answers for the addresses of",
)  # fmt: skip
def _(_: Path) -> Run:
    return answered_by_node_a(run_mn_23())


@row(
    "MN-23",
    "disconnect never written: rows are open ones of a session years ago (same profile and IP)",
    FAIL, "of 2020-04-10T18:31:00+00:00 as open",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_23()
    for one in run.find("connection.log")["rows"]:
        one.update(connected_at="2020-04-10T18:31:00+00:00", connected_ns=1_586_543_460 * SECOND)
    return run


@row("MN-15", "one client needed a second attempt (first attempt recorded as down, then up)", PASS)
def _(_: Path) -> Run:
    run = run_mn_15()
    first = {**run.all("tunnel.tried")[2], "up": False, "detail": "TLS handshake failed"}
    run.events.insert(0, ("tunnel.tried", "client", {**first, "at_ns": START_NS + 15 * SECOND}))
    return run


@row(
    "MN-25", "the controller is updated first, with every client connected",
    FAIL, "first out of place: update_controller.sh on controller",
)  # fmt: skip
def _(_: Path) -> Run:
    return maintained.maintenance(WRONG)


@row(
    "MN-25", "a node's disconnects are logged once the controller is back, not before it goes down",
    FAIL, "was still open when the controller went down",
)  # fmt: skip
def _(_: Path) -> Run:
    run = maintained.maintenance()
    row_before = run.all("connections.logged")[1]["rows"][0]
    row_before.update(disconnected_at=None, bytes_transferred=None)
    return run


@row(
    "MN-26",
    "the controller is updated first, and that passes for the guide's order",
    FAIL,
    "passes",
)
def _(_: Path) -> Run:
    run = maintained.maintenance()
    run.find("maintenance.planned")["order"] = list(WRONG)
    return run


@row("MN-24", "one A record, that of the node which dies", FAIL, "client-0 served by", "never came")
def _(_: Path) -> Run:
    return maintained.node_lost(takes_s=1000, seconds=230)


@row(
    "MN-30", "a hook that lets everybody in: a newcomer is up while the controller is off",
    FAIL, "client-2", "it got in",
)  # fmt: skip
def _(_: Path) -> Run:
    run = maintained.controller_lost()
    newcomer = next(one for one in run.all("tunnel.tried") if one["client"] == "client-2")
    newcomer.update(up=True, detail="")
    return run


@row(
    "MN-14", "apply_changes says nothing and ends with 0 while the controller is off",
    FAIL, "node-b: apply_changes.sh ended with 0",
)  # fmt: skip
def _(_: Path) -> Run:
    run = maintained.applied()
    run.all("script.run", "node-b")[-1].update(status=0, output="")
    return run
