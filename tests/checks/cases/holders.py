"""Violations that had PASS: a second holder of the virtual IP, by any kind of claim."""

from __future__ import annotations

from pathlib import Path

from tests.checks.cases.row import FAIL, row
from tests.checks.failover.crashes import kept
from tests.checks.failover.parted import split
from tests.checks.failover.recording import (
    ADDRESS,
    MAC,
    VIRTUAL_IP,
    Run,
    steady,
    stopped,
    takeover,
)
from tests.checks.failover.strangers import from_address, tagged
from tests.checks.failover.test_keepalived import keepalived
from tests.checks.failover.test_returning import loop, other_virtual_ip, returned
from tests.checks.failover.test_serving import serving
from tests.checks.failover.tunnels import carried, served, tunnels
from tests.checks.protocols import encoder


def copied(run: Run, node: str, seconds: range, of: str, vhid: int = 94) -> Run:
    """Let a node advertise with the other one's --srcip."""
    for second in seconds:
        raw = encoder.carp(ADDRESS[of], counter=7000 + second, vhid=vhid)
        run.frame(second + 0.7, f"{node}/wire0", raw)
    return run


@row(
    "FO-15", "standby holds the IP: sends gratuitous ARP for it every second (answers nobody)",
    FAIL, "announces it by gratuitous ARP",
)  # fmt: skip
def _(at: Path) -> Run:
    run = serving(at)
    for second in range(15, 30):
        run.frame(second + 0.2, "secondary/wire0", encoder.gratuitous(MAC["secondary"]))
    return run


@row(
    "FO-15", "standby still has the virtual IP: its own ARP requests carry it as sender",
    FAIL, "sends ARP from it",
)  # fmt: skip
def _(at: Path) -> Run:
    run = serving(at)
    for second in range(15, 30):
        raw = encoder.arp(1, MAC["secondary"], VIRTUAL_IP, "192.168.70.254")
        run.frame(second + 0.2, "secondary/wire0", raw)
    return run


@row(
    "FO-17", "standby advertises on another VHID with the primary's --srcip (copied configuration)",
    FAIL, "VHID 95",
)  # fmt: skip
def _(at: Path) -> Run:
    return copied(steady(at), "secondary", range(10, 20), "primary", vhid=95)


@row(
    "FO-17", "standby advertises on VHID 94 with the primary's --srcip (copied configuration)",
    FAIL, "VHID 94",
)  # fmt: skip
def _(at: Path) -> Run:
    return copied(steady(at), "secondary", range(10, 20), "primary")


@row("FO-17", "standby advertises, tagged with a VLAN (802.1Q)", FAIL, "the standby sent 10")
def _(at: Path) -> Run:
    run = steady(at)
    for second in range(10, 20):
        raw = tagged(encoder.carp(ADDRESS["secondary"], counter=second))
        run.frame(second + 0.7, "secondary/wire0", raw)
    return run


@row(
    "FO-24 FO-26",
    "after kill -9 of ucarp the virtual IP stays on the old node too: ARP answered from both MACs "
    "for 20 s",
    FAIL, "primary answers ARP for it",
)  # fmt: skip
def _(at: Path) -> Run:
    return kept(takeover(at, "kill-ucarp"), 17, 37)


@row(
    "FO-27",
    "clean stop: old node's ARP goes on answering for the virtual IP for 20 s (addresses event "
    "says gone)",
    FAIL, "primary answers ARP for it",
)  # fmt: skip
def _(at: Path) -> Run:
    return kept(stopped(at), 17, 37)


@row(
    "FO-28",
    "returned node answers ARP for the virtual IP (sends no advert; addresses read once, before)",
    FAIL, "primary answers ARP for it",
)  # fmt: skip
def _(at: Path) -> Run:
    run = returned(at)
    run.events = [one for one in run.events if one[0] != 90]
    for second in range(46, 110):
        run.asked(second, "primary", "secondary")
    return run


@row(
    "FO-28",
    "pair.configured names another virtual IP than the one in force; returned node holds the real "
    "one",
    FAIL, f"primary holds the virtual IP {VIRTUAL_IP}",
)  # fmt: skip
def _(at: Path) -> Run:
    return other_virtual_ip(returned(at), VIRTUAL_IP)


@row(
    "FO-24", "standby is dead; a rogue host's adverts (bad digest, standby's address) begin 3.2 s "
    "after the crash",
    FAIL, "secondary did not take over",
)  # fmt: skip
def _(at: Path) -> Run:
    run = takeover(at)
    run.frames = [frame for frame in run.frames if not frame[1].startswith("secondary")]
    for second in range(40 - 13):
        raw = encoder.carp(ADDRESS["secondary"], password="guessed", counter=2000 + second)
        run.frame(13.2 + second, "rogue/wire0", raw)
    return run


@row("FO-12", "it is the standby (its MAC) that answers on the virtual IP", FAIL, "answered on")
def _(at: Path) -> Run:
    return serving(at).changed("service.probed", mac=MAC["secondary"])


@row(
    "FO-20", "recorded adverts replayed twice from a lower source address", FAIL, "replayed",
)  # fmt: skip
def _(at: Path) -> Run:
    run = takeover(at)
    recorded = [raw for _, _, raw, _ in run.frames[4:6]]
    for start in (20.4, 25.4):
        for number, raw in enumerate(recorded):
            run.frame(start + number, "primary/wire0", from_address(raw, "192.168.70.0"))
    return run


@row(
    "FO-24", "two masters for 6 s each time, 4 times: in pieces of 2.9 s with 2 s between",
    FAIL, "were masters at once",
)  # fmt: skip
def _(at: Path) -> Run:
    run = takeover(at)
    run.seconds = 120
    run.beats("secondary", 40.2, 120, counter=1037)
    for time in range(4):
        for piece in (0, 4.9):
            start = 42.3 + 18 * time + piece
            run.beats("primary", start, start + 2.9, counter=7000 + 10 * time)
    return run.without("fault.watched")


@row(
    "FO-29",
    "the rebooting node advertises with the active node's --srcip (copied configuration): two "
    "masters",
    FAIL, "primary sent 20 advertisement(s)",
)  # fmt: skip
def _(at: Path) -> Run:
    return copied(loop(at), "primary", range(40, 60), "secondary")


@row(
    "FO-43", "after healing both advertise, one from the other's address (copied --srcip)",
    FAIL, "2 masters",
)  # fmt: skip
def _(at: Path) -> Run:
    return copied(split(at), "secondary", range(31, 60), "primary")


@row(
    "FO-47",
    "keepalived: VIP answered by ARP from both nodes after the power-off of a node that was only "
    "paused",
    FAIL, "primary answers ARP for it",
)  # fmt: skip
def _(at: Path) -> Run:
    run = keepalived(at)
    for second in range(48, 60):
        run.asked(second, "primary", "secondary")
    return run


@row(
    "FO-26",
    "gratuitous ARP: Ethernet source is the virtual MAC, ARP sender the NIC's (switch learns the "
    "wrong port)",
    FAIL, "a switch learns the wrong port",
)  # fmt: skip
def _(at: Path) -> Run:
    virtual = encoder.octets("00:00:5e:00:00:5e")
    return takeover(at).mapped(
        lambda moment, _, raw: [
            (moment, raw[:6] + virtual + raw[12:] if raw[12:14] == b"\x08\x06" else raw)
        ]
    )


@row(
    "FO-39 FO-49", "heartbeat killed: old node goes on serving the client; new node never does",
    FAIL, "primary sends packets from it",
)  # fmt: skip
def _(at: Path) -> Run:
    run = tunnels(at, None, fault="kill-ucarp")
    for second in range(11, 60):
        served(run, second, "primary")
    for second in (10.6, 17):
        carried(run, second)
    return run
