"""Violations that had PASS: takeovers that never came, and what was said to come after them.

Where the evidence shows no takeover at all, or was taken on the wrong node, nothing is shown about
what a takeover leaves: that is UNKNOWN, not FAIL. A fault after which nobody took over is FAIL.
"""

from __future__ import annotations

from pathlib import Path

from tests.checks.cases.row import FAIL, UNKNOWN, row
from tests.checks.failover.crashes import crashed, never_left
from tests.checks.failover.recording import (
    ADDRESS,
    MAC,
    VIRTUAL_IP,
    Run,
    stamp,
    takeover,
)
from tests.checks.failover.test_data_loss import WRITTEN, seen_on, values, written
from tests.checks.failover.test_syncing import synced
from tests.checks.failover.test_tokens import EXPIRED, WRONG_SECRET, logged, resumed, tried
from tests.checks.failover.tunnels import carried, served, tunnels

ARP = b"\x08\x06"
NO_TAKEOVER = "no fault was recorded that calls for a takeover"


@row(
    "FO-24", "kill of OpenVPN alone moved the role (fault marked expects_takeover=false), then a "
    "good crash",
    FAIL, "moved from primary to secondary, and nothing that was done explains it",
)  # fmt: skip
def _(at: Path) -> Run:
    run = Run(at, 80)
    counter = run.beats("primary", 0.0, 10.2)
    alone = {"fault": "kill-openvpn", "node": "primary", "expects_takeover": False}
    run.event(10.3, "fault.injected", "scenario", **alone)
    counter = run.beats("secondary", 13.2, 50.3, counter=counter)
    run.event(30, "fault.watched", "scenario", node="primary")
    run.event(50.4, "fault.injected", "scenario", fault="power-off", node="secondary")
    run.beats("primary", 53.4, 80, counter=counter)
    run.event(79, "fault.watched", "scenario", node="secondary")
    return run


@row("FO-26", "one of two clients keeps the old MAC (its reading is not the last one)", FAIL, "gat")
def _(at: Path) -> Run:
    run = takeover(at)
    run.event(16.0, "neighbour.seen", "gateway", address=VIRTUAL_IP, mac=MAC["primary"])
    run.event(17.0, "neighbour.seen", "client", address=VIRTUAL_IP, mac=MAC["secondary"])
    return run


@row(
    "FO-27",
    "slow stop: adverts end at once, the virtual IP stays for 17 s until the stop command ends",
    FAIL, "primary still holds the virtual IP",
)  # fmt: skip
def _(at: Path) -> Run:
    run = takeover(at, fault="service-stop")
    for second in (15, 27.2):
        run.event(second, "addresses.held", "primary", held=[ADDRESS["primary"], VIRTUAL_IP])
    run.event(27.3, "service.stopped", "primary")
    run.event(27.4, "addresses.held", "primary", held=[ADDRESS["primary"]])
    return run


@row(
    "FO-26", "the gratuitous ARP is sent twice within 5 ms, and never again",
    FAIL, "1 gratuitous ARP(s) in 3 s",
)  # fmt: skip
def _(at: Path) -> Run:
    return takeover(at).mapped(
        lambda second, _, raw: [
            (second - 1.995 if raw[12:14] == ARP and second > 14 else second, raw)
        ]
    )


# Nothing happened, and nothing says that it should have: no promise was broken in this evidence.
@row(
    "FO-36", "no takeover at all: the client never left the old node (0 verify calls on the new)",
    UNKNOWN, NO_TAKEOVER,
)  # fmt: skip
@row(
    "FO-38", "no takeover at all: the auto-login client never left the old node",
    UNKNOWN, NO_TAKEOVER,
)  # fmt: skip
def _(at: Path) -> Run:
    return never_left(resumed(at))


@row(
    "FO-39 FO-49",
    "client never returns; one echo from before the crash, dated 200 ms after it (guest clock 300 "
    "ms off)",
    FAIL, "never came",
)  # fmt: skip
def _(at: Path) -> Run:
    run = tunnels(at, None)
    carried(run, 10.5, uncertainty=0.3, sent_ns=stamp(10.49))
    return run


@row(
    "FO-39 FO-49",
    "a client over TCP is back after 4 s and dead for good from 9 s on; it was looked at for 57 s",
    FAIL, "no packet in the last 47.7 s",
)  # fmt: skip
def _(at: Path) -> Run:
    run = tunnels(at, 14.3, protocol="tcp")
    run.events[-1][3]["looked_until_ns"] = stamp(67)
    return run


@row(
    "FO-39 FO-49", "a client over TCP is back after 4 s, out for 40 s, and back again in the end",
    FAIL, "took 48.000 s",
)  # fmt: skip
def _(at: Path) -> Run:
    run = tunnels(at, 14.3, protocol="tcp")
    run.events = run.events[:-1]
    for second, told in ((58.3, {"silent": 40.0}), (65, {"looked": 65.2})):
        carried(run, second, protocol="tcp", **told)
        served(run, second - 0.001, "secondary")
    return run


# Nobody was watched over the crash, so nobody can be said to have come back late.
@row(
    "FO-39 FO-49", "the only clients watched are those that connected after the crash",
    UNKNOWN, " up",
)  # fmt: skip
def _(at: Path) -> Run:
    run = tunnels(at, 61).without("tunnel.watched")
    run.event(30, "tunnel.watched", "client-0", client="outside", protocol="udp")
    return run


# What is on the new active node was not looked at.
@row(
    "FO-46",
    "survivors counted on the wrong copy: the old primary (which has everything) instead of the "
    "new active node",
    UNKNOWN, "synced write(s) are on secondary",
)  # fmt: skip
def _(at: Path) -> Run:
    run = seen_on(written(at), "primary", "writes.found")
    return run.changed("writes.found", values=values(WRITTEN))


@row(
    "FO-46", "compared on the old primary instead of the new active node",
    UNKNOWN, "not shown: licence as staged",
)  # fmt: skip
def _(at: Path) -> Run:
    return seen_on(written(at), "primary", "running.compared")


@row(
    "FO-46", "sync runs, but always pushes the same old state (serial stays 8 while writes go on)",
    FAIL, "contains write 8 at most",
)  # fmt: skip
def _(at: Path) -> Run:
    run = written(at).changed("sync.completed", serial=8)
    return run.changed("writes.found", values=values(range(1, 9)))


@row("FO-46", "values lost: serials survive, but written ones differ", FAIL, "another value")
def _(at: Path) -> Run:
    found = {**values(range(1, 37)), 7: "value 6", 8: "other"}
    return written(at).changed("writes.found", values=found)


@row("FO-46", "ghosts that were never written are there", FAIL, "that nobody wrote")
def _(at: Path) -> Run:
    found = {**values(range(1, 37)), 999: "value 999"}
    return written(at).changed("writes.found", values=found)


# Not asked for is not seen dead: whoever asks and hears nothing is the row after it.
@row(
    "FO-25", "TCP 443 and UDP 1194 dead after the takeover; only TCP 943 was asked for",
    UNKNOWN, "tcp 443", "udp 1194", "was not asked for",
)  # fmt: skip
def _(at: Path) -> Run:
    return takeover(at).but(port=443).but(port=1194)


@row("FO-25", "service answers once at 4 s, then never again", FAIL, "tcp 443", "never came")
def _(at: Path) -> Run:
    run = takeover(at).but(port=443)
    run.answer(14.3, 443, mac=MAC["secondary"])
    for second in range(15, 39):
        run.answer(second, 443, answered=False)
    return run


@row(
    "FO-31", "the only line in openvpnas.log is 'Putting MASTER down'; MASTER itself is logged "
    "nowhere",
    FAIL, "the MASTER line is in no file",
)  # fmt: skip
def _(at: Path) -> Run:
    run = takeover(at).but(file="openvpnas.log")
    run.event(13.3, "log.line", "secondary", file="openvpnas.log", text="Putting MASTER down")
    return run


@row("FO-31", "node events go to openvpnas.log as well (not kept apart)", FAIL, "in both logs")
def _(at: Path) -> Run:
    run = takeover(at)
    run.event(13.4, "log.line", "secondary", file="openvpnas.log", text="starting")
    return run


@row(
    "FO-33", "a certificate is lost: item 'certificates' differs in the record",
    FAIL, "certificates: what runs on secondary is not what was staged",
)  # fmt: skip
def _(at: Path) -> Run:
    run = synced(at)
    compared = {"item": "certificates", "staged": "two", "running": "one"}
    run.event(41, "running.compared", "secondary", **compared)
    return run


# Nothing was ever done to the active node.
@row(
    "FO-34", "compared while the primary was still active (no failover happened)",
    UNKNOWN, NO_TAKEOVER,
)  # fmt: skip
@row(
    "FO-35",
    "the primary is still active: the client connected to it by the virtual IP, not to 'secondary'",
    UNKNOWN, NO_TAKEOVER,
)  # fmt: skip
@row("FO-40", "shown on both nodes before the crash; no takeover happened", UNKNOWN, NO_TAKEOVER)
def _(at: Path) -> Run:
    return never_left(synced(at))


@row(
    "FO-37",
    "lifetime-over: refused by HMAC (other secret); another client's token expired in the same log",
    FAIL, "another secret made it",
)  # fmt: skip
def _(at: Path) -> Run:
    said = logged(WRONG_SECRET) + logged(EXPIRED, client="bob")
    return tried(crashed(at)).changed("token.tried", logged=said)
