"""Both nodes want to be MASTER: the guide's troubleshooting, provoked on the wire, and healed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from evidence.event import Event
from evidence.events.pair import (
    Filter,
    FilterBegan,
    FilterEnded,
    Profile,
    ProfileBegan,
    ProfileEnded,
)
from lab.answers import understood
from lab.quiet import quiet
from lab.testbed import Testbed
from lab.wait import pause
from lab.wire import Drop, Match, Rule
from scenarios.failover import observe, preflight, validation
from scenarios.failover.faults import during
from scenarios.failover.pair import HEARTBEAT, NODES, Pair

Judge = Callable[[str], object]
JudgeEach = Callable[..., None]

WIRE = "wire"
SPLIT_WITHIN_S, SPLIT_S = 5.2, 7.0  # FO-42 asks for two masters within 5 s
HEALED_S = 8.0  # 3 s to heal, 3 s to see that it stays so
QUIET_S = 4.0
#: Nobody on a stopped node has joined the group, and a NIC that filters hands on what was joined.
HEAR_ALL, HEAR_JOINED = "ip link set {} promisc on", "ip link set {} promisc off"


@contextmanager
def vrrp_filtered(lab: Testbed) -> Iterator[Callable[[], int]]:
    """Drop IP protocol 112 on the wire, as a cloud does; gives how many frames were hit."""
    rule = lab.wire.add(Rule(Match(protocol=HEARTBEAT), Drop()))
    try:
        yield lambda: lab.wire.hits(rule)
    finally:
        lab.wire.remove(rule)


@contextmanager
def macs_filtered(pair: Pair, *allowed: str) -> Iterator[Callable[[], int]]:
    """Let each node's port accept its NIC's own MAC alone; gives how many frames were refused.

    allowed: MACs that each accepts beside it.
    """
    wire, ports = pair.lab.wire, {pair.port(node): pair.mac(node) for node in NODES}

    def refused() -> int:
        counters = wire.counters()["ports"]
        return sum(int(counters[port]["refused"]) for port in ports)

    before = refused()
    for port, mac in ports.items():
        wire.filter_mac(port, [mac, *allowed])
    try:
        yield lambda: refused() - before
    finally:
        for port in ports:
            wire.filter_mac(port, None)


@contextmanager
def nodes_isolated(pair: Pair) -> Iterator[Callable[[], int]]:
    """Put the nodes into two segments; gives how many frames were lost by it."""
    with validation.isolated(pair) as rule:
        yield lambda: pair.lab.wire.hits(rule)


@dataclass(frozen=True)
class Span:
    """What is recorded where a network begins to be of some kind, and where it ends."""

    began: Callable[[], Event]
    ended: Callable[[int], Event]


def a_filter(name: Filter) -> Span:
    """Return the span in which a filter drops frames."""
    return Span(
        lambda: FilterBegan(source=WIRE, filter=name),
        lambda hits: FilterEnded(source=WIRE, filter=name, hits=hits),
    )


def a_profile(name: Profile) -> Span:
    """Return the span in which the wire is as a row of the platform table says."""
    return Span(
        lambda: ProfileBegan(source=WIRE, profile=name),
        lambda hits: ProfileEnded(source=WIRE, profile=name, hits=hits),
    )


@contextmanager
def recorded(
    pair: Pair, network: AbstractContextManager[Callable[[], int]], span: Span
) -> Iterator[None]:
    """Let the network be of this kind while the block runs, and record that.

    It ends in the middle of what its end takes, give or take half of that.
    """
    with ExitStack() as lasts:
        hits = lasts.enter_context(network)
        pair.history.record(span.began())
        yield
        ended = span.ended(hits())
        moment = during(lasts.close)
        at = {"at_ns": moment.at_ns, "uncertainty_ns": moment.uncertainty_ns}
        pair.history.record(ended.model_copy(update=at))


@contextmanager
def watched(
    pair: Pair,
    network: AbstractContextManager[Callable[[], int]],
    span: Span,
) -> Iterator[None]:
    """Let the network be of this kind: recorded, and long enough to see what the pair makes of it.

    How soon it splits and heals is timed, so the host is kept quiet meanwhile.
    """
    with ExitStack() as lasts:
        with quiet(pair.lab.directory):
            lasts.enter_context(recorded(pair, network, span))
            pause(SPLIT_WITHIN_S)
        pause(SPLIT_S - SPLIT_WITHIN_S)
        yield
        with quiet(pair.lab.directory):
            lasts.close()
            pause(HEALED_S)


@pytest.mark.sign_off
@pytest.mark.on_site("disrupts")
@pytest.mark.engine("ucarp")  # the guide's lines are of its advertisements
@pytest.mark.requirement("FO-21", "FO-41")
def test_tcpdump_on_a_stopped_secondary_sees_the_heartbeat(
    pair: Pair, judge_each: JudgeEach
) -> None:
    pair.make_active("primary")
    secondary, interface = pair.machine("secondary"), pair.lab.interface("secondary", 0)
    with ExitStack() as undone:
        undone.callback(pair.service, "secondary", "start")
        pair.service("secondary", "stop")
        undone.callback(secondary.run, HEAR_JOINED.format(interface))
        secondary.run(HEAR_ALL.format(interface))
        observe.tcpdump(pair, "secondary", 8, service_stopped=True)
    pair.wait_until_ready()
    judge_each("FO-21", "FO-41")


@contextmanager
def firewalled_inside(pair: Pair, node: str) -> Iterator[Callable[[], int]]:
    """Drop protocol 112 in a guest's own firewall; gives what its rule has counted."""
    machine = pair.machine(node)
    machine.run(f"iptables -I INPUT -p {HEARTBEAT} -j DROP")

    def hits() -> int:
        said = machine.run("iptables -vnxL INPUT 1").stdout
        with understood(node, "what its firewall counted"):
            return int(said.split()[0])

    try:
        yield hits
    finally:
        machine.run(f"iptables -D INPUT -p {HEARTBEAT} -j DROP")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-42", "FO-43")
def test_a_filtered_heartbeat_splits_the_pair_and_healing_leaves_one(
    pair: Pair, judge_each: JudgeEach
) -> None:
    standby = pair.other(pair.active())
    inside = firewalled_inside(pair, standby)
    with watched(pair, inside, a_filter("guest-firewall")):  # keepalived splits by that, too
        pass
    with watched(pair, vrrp_filtered(pair.lab), a_filter("vrrp")):
        preflight.record(pair, "vrrp-filter")
    judge_each("FO-42", "FO-43")


@pytest.mark.destructive
@pytest.mark.engine("ucarp")  # keepalived sends from the NIC's own MAC, which no filter minds
@pytest.mark.requirement("FO-43", "FO-44")
def test_a_filter_of_source_macs_breaks_the_pair_until_spoofing_is_allowed(
    pair: Pair, judge_each: JudgeEach
) -> None:
    pause(QUIET_S)
    with watched(pair, macs_filtered(pair), a_filter("source-mac")):
        pass
    judge_each("FO-43", "FO-44")


@pytest.mark.sign_off
@pytest.mark.destructive
@pytest.mark.requirement("FO-43", "FO-45")
def test_nodes_in_two_segments_cannot_be_a_pair(pair: Pair, judge_each: JudgeEach) -> None:
    pair.make_active("primary")
    validation.validate(pair)
    pause(QUIET_S)
    with watched(pair, nodes_isolated(pair), a_filter("isolation")):
        validation.validate(pair, "isolation", validation.ALL_OF_PARTNER)
    judge_each("FO-43", "FO-45")
