"""Violations of who reaches a node, and what goes through it, as recorded evidence."""

from __future__ import annotations

from pathlib import Path

from checks.multi_node.guide import DAEMON_PORT, FAMILIES
from evidence.capture import Frame
from tests.checks.cases.row import FAIL, row
from tests.checks.factories import Run, sent, tcp
from tests.checks.multi_node.access_runs import (
    KNOCKER_PORT,
    SYN_ACK,
    add_knocks,
    echo,
    run_mn_10,
    run_mn_11,
    run_mn_28,
    run_mn_29,
)
from tests.checks.sites import GUIDE


@row(
    "MN-10", "a daemon without -enable-tls, which answers plain text and nobody else",
    FAIL, "answered no TLS: 'OK: 0'", "answered in the clear",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_10()
    for one in run.all("daemon.tried"):
        plain = one["shown"] == "plain"
        one.update(answer="OK: 0" if plain else "", detail="" if plain else "wrong version number")
    ends = (GUIDE.address("node-a", 4), DAEMON_PORT), (GUIDE.controller.address(4), 50000)
    run.frames.append(sent(tcp(*ends, b"OK: 0\n")))
    return run


@row(
    "MN-10", "a node's certificate bears the node's name, as the guide prints it",
    FAIL, "vpn-daemon of node-b over IPv4 did not let the controller in: Hostname mismatch",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_10()
    for one in run.all("daemon.tried"):
        if (one["node"], one["answer"]) == ("node-b", "OK: 0"):
            one.update(answer="", detail="Hostname mismatch, certificate is not valid")
    return run


@row("MN-11", "a rule without src_net: everybody is let in", FAIL, "client at tcp/41194 of node-a")
def _(_: Path) -> Run:
    run = Run()
    for node in GUIDE.nodes:
        for machine in (one for one in GUIDE.hosts if one != node):
            for family in FAMILIES:
                add_knocks(run, machine, node, family, "tcp", {DAEMON_PORT: "open"})
    return run


@row(
    "MN-11", "a client says that it was kept out; the wire carried the node's SYN and ACK to it",
    FAIL, "client at tcp/41194 of node-b over IPv4 is let in",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_11()
    ends = (GUIDE.address("node-b", 4), DAEMON_PORT), (GUIDE.client.address(4), KNOCKER_PORT)
    run.frames.append(Frame(0, "node-b/wire0", tcp(*ends, b"", SYN_ACK), ""))
    return run


@row(
    "MN-28", "the guide's ip6tables text as printed, without COMMIT: nothing was loaded",
    FAIL, "node-a, IPv6, once they were loaded: nothing refuses what is left",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_28()
    for one in run.all("firewall.shown", "node-a"):
        one["ipv6"] = ""
    return run


@row(
    "MN-28", "apply_changes writes the generated firewall over the node's own (manageFirewall)",
    FAIL, "node-b, IPv4, after apply_changes.sh: clients of 10.2.0.0/25 do not get 145.0.6.73",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_28()
    for one in run.all("firewall.shown", "node-b"):
        if one["phase"] == "applied":
            one["ipv4"] = one["ipv4"].replace("SNAT --to-source 145.0.6.73", "MASQUERADE")
    return run


@row("MN-29", "FORWARD ends with ACCEPT", FAIL, "-j ACCEPT forwards what it should not")
def _(_: Path) -> Run:
    run, refusal = run_mn_29(), "FORWARD -j REJECT --reject-with icmp-host-prohibited"
    for one in run.all("firewall.shown"):
        one["ipv4"] = one["ipv4"].replace(refusal, "FORWARD -j ACCEPT")
    return run


@row(
    "MN-29", "rules and counters are right, and the node sends on what came from outside",
    FAIL, "the node sent it on",
)  # fmt: skip
def _(_: Path) -> Run:
    run = run_mn_29()
    (tried,) = [
        one
        for one in run.all("forward.tried")
        if (one["node"], one["family"], one["way"]) == ("node-a", 6, "in")
    ]
    run.frames.append(echo(GUIDE.services.address(6), tried["target"], "node-a"))
    return run
