"""MN-23 names the resolver's sorting of addresses where it is what defeats round robin."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES, RECORD_TYPE
from checks.multi_node.sorting import nearest
from evidence.capture import Frame
from evidence.packets import parse
from tests.checks.factories import Run, dns_answer, sent, tcp, udp
from tests.checks.multi_node.lateness import is_late, kept
from tests.checks.multi_node.maintained import at
from tests.checks.multi_node.runs import judge_mutant, run_mn_23
from tests.checks.sites import GUIDE, GUIDE_DATA, site

ALL_AT_A = (("node-a", 4, 8), ("node-a", 6, 8))


def in_turn(number: int) -> str:
    return GUIDE.nodes[number % 2]


def answered(
    run: Run, first: Callable[[int], str | None] = in_turn, only: Iterable[int] | None = None
) -> Run:
    """Let each client be told both addresses before it speaks, the node `first` of it first."""
    site, frames = run.site, list[Frame]()
    for number in range(len(run.frames) // 2):
        data, node = run.all("tunnel.tried")[number], first(number)
        if node is not None and (only is None or number in only):
            frames += [answer(site, data["address4"], number, f, node) for f in FAMILIES]
        frames += run.frames[2 * number : 2 * number + 2]
    run.frames = frames
    return run


def answer(site: Deployment, to: str, number: int, family: int, first: str) -> Frame:
    nodes = sorted(site.nodes, key=lambda node: node != first)
    addresses = [site.address(node, family) for node in nodes]
    message = dns_answer(number, RECORD_TYPE[family], addresses, site.shared_name)
    return sent(udp((site.services.address(4), 53), (to, 4000), message), site=site)


def test_a_resolver_that_sorts_is_named_with_what_shows_it(tmp_path: Path) -> None:
    text = judge_mutant(answered(run_mn_23(*ALL_AT_A)), "MN-23", tmp_path)
    assert "clients do not spread over node-a and node-b, in all: 16:0" in text
    assert "8 of 16 are at the node that the DNS server named first" in text
    assert "named node-a and node-b first 8:8 times to these clients, but 8 took another" in text
    assert "(getaddrinfo, RFC 6724)" in text
    assert "by rule 9, the longest common prefix, 0 of them" in text
    assert "/etc/gai.conf" in text


def nearer_to_a() -> Deployment:
    """Return the guide's site with node-b far from its clients, in IPv6 and in IPv4."""
    data = copy.deepcopy(GUIDE_DATA)
    (b,) = [one for one in data["machines"] if one["name"] == "node-b"]
    b.update(ipv4="145.0.7.73", ipv6="2001:db8::73")
    return site(data)


def test_rule_9_is_named_where_it_explains_every_choice(tmp_path: Path) -> None:
    run = answered(run_mn_23(*ALL_AT_A, site=nearer_to_a()))
    text = judge_mutant(run, "MN-23", tmp_path)
    assert "RFC 6724), by rule 9: that address has the longer prefix in common" in text
    assert "gai.conf" not in text


@pytest.mark.parametrize(
    ("own", "family", "node"),
    [
        ("145.0.6.101", 4, "node-a"),  # node-b's is no address of the client's network
        ("2001:610:188:418::1", 6, "node-a"),
        ("2001:db8::1", 6, "node-b"),
        ("2002::1", 6, ""),  # as far from either
    ],
)
def test_rule_9_prefers_the_longer_prefix(own: str, family: int, node: str) -> None:
    assert nearest(own, family, nearer_to_a()) == node


def test_rule_9_leaves_the_guides_addresses_equal() -> None:
    assert nearest("145.0.6.129", 4, GUIDE) == ""
    assert nearest("2001:610:188:418:145:0:6:8000", 6, GUIDE) == ""


def test_who_goes_by_the_answers_is_told_so(tmp_path: Path) -> None:
    run = run_mn_23(("node-a", 4, 8), ("node-b", 4, 8))
    verdict = answered(run, lambda number: GUIDE.nodes[number // 8]).judge("MN-23", tmp_path)
    assert verdict.status is Status.PASS, verdict.text
    assert "16 of 16 are at the node that the DNS server named first" in verdict.text
    assert "RFC 6724" not in verdict.text


def test_answers_that_keep_their_order_are_no_sorting(tmp_path: Path) -> None:
    run = answered(run_mn_23(*ALL_AT_A), lambda _: "node-a")
    assert "RFC 6724" not in judge_mutant(run, "MN-23", tmp_path)


def test_another_order_that_is_kept_is_not_defeated_by_sorting(tmp_path: Path) -> None:
    run = answered(run_mn_23(*ALL_AT_A), lambda _: "node-b")
    assert "RFC 6724" not in judge_mutant(run, "MN-23", tmp_path)


def test_without_answers_nothing_is_said_of_a_resolver(tmp_path: Path) -> None:
    text = judge_mutant(run_mn_23(*ALL_AT_A), "MN-23", tmp_path)
    assert "RFC 6724" not in text
    assert "named first" not in text


def test_an_answer_to_another_client_says_nothing(tmp_path: Path) -> None:
    run = run_mn_23(*ALL_AT_A)
    to = run.all("tunnel.tried")[0]["address4"]
    told = [answer(GUIDE, to, n, f, in_turn(n)) for n in range(16) for f in FAMILIES]
    run.frames = [*told, *run.frames]
    assert "RFC 6724" not in judge_mutant(run, "MN-23", tmp_path)


def test_an_answer_after_the_client_spoke_says_nothing(tmp_path: Path) -> None:
    run = run_mn_23(*ALL_AT_A)
    spoken = list(run.frames)
    told = answered(run).frames
    run.frames = [*spoken, *(frame for frame in told if frame not in spoken)]
    assert "RFC 6724" not in judge_mutant(run, "MN-23", tmp_path)


def test_two_answers_that_are_missed_are_no_sorting(tmp_path: Path) -> None:
    run = answered(run_mn_23(*ALL_AT_A), only=(0, 1, 2, 3))
    text = judge_mutant(run, "MN-23", tmp_path)
    assert "2 of 4 are at the node that the DNS server named first" in text
    assert "RFC 6724" not in text


NEARLY_ALL_AT_A = (("node-a", 4, 12), ("node-a", 6, 11), ("node-b", 6, 1))


def all_tried_b(make: Callable[..., bytes], *landings: tuple[str, int, int]) -> Run:
    """Half of the clients are told node-b first, and each sends it something; 10 s later it lands.

    All of them at node-a, if not said otherwise.
    """
    run = answered(run_mn_23(*(landings or ALL_AT_A)))
    before, after = list[Frame](), list[Frame]()
    for frame in run.frames:
        packet = parse(frame.data)
        if packet is not None and 1194 in (packet.source_port, packet.target_port):
            after.append(replace(frame, at_ns=at(12) + len(after)))
        else:
            before.append(replace(frame, at_ns=at(2) + len(before)))
        if packet is not None and packet.target_port == 1194:
            family = 6 if ":" in (packet.target or "") else 4
            knock = make((packet.source, 40001), (GUIDE.address("node-b", family), 1194), b"")
            before.append(replace(sent(knock, site=GUIDE), at_ns=at(2) + len(before)))
    run.frames = before + after
    return run


def test_clients_of_a_node_that_did_not_run_land_elsewhere(tmp_path: Path) -> None:
    """Who got no answer of node-b in 10 s went on to node-a, as is right: the host's doing."""
    is_late(lambda: all_tried_b(udp, *NEARLY_ALL_AT_A), "MN-23", tmp_path, "node-b", (2, 12))


def test_a_node_that_ran_for_most_of_that_time_has_no_excuse(tmp_path: Path) -> None:
    text = judge_mutant(kept(all_tried_b(udp), "node-b", 2, 8), "MN-23", tmp_path)
    assert "clients do not spread over node-a and node-b, in all: 16:0" in text


def test_a_node_that_nobody_was_told_first_excuses_nothing(tmp_path: Path) -> None:
    run = answered(run_mn_23(*ALL_AT_A), lambda _: "node-a")
    judge_mutant(kept(run, "node-b", 2, 12), "MN-23", tmp_path)


def test_a_draw_that_they_do_not_explain_stays_unfair(tmp_path: Path) -> None:
    """One client was kept from node-b, and 22 others are at node-a as well."""
    run = all_tried_b(udp, *NEARLY_ALL_AT_A)
    told = [frame for frame in run.frames if parse(frame.data).source_port == 53]
    run.frames = [one for one in run.frames if one not in told[4:]]
    judge_mutant(kept(run, "node-b", 2, 12), "MN-23", tmp_path)


def test_what_the_host_did_is_not_known(tmp_path: Path) -> None:
    run = all_tried_b(udp)
    run.events.append(("host.lateness_unknown", "host", {"reason": "no run delay"}))
    verdict = run.judge("MN-23", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text


@pytest.mark.parametrize("make", [udp, tcp])
def test_who_tried_the_first_address_has_not_sorted(
    make: Callable[..., bytes], tmp_path: Path
) -> None:
    """As where node-b refuses every client: by UDP, or by TCP without a connection."""
    text = judge_mutant(all_tried_b(make), "MN-23", tmp_path)
    assert "8 of 16 are at the node that the DNS server named first" in text
    assert "RFC 6724" not in text


def test_a_message_that_is_no_answer_does_not_keep_mn_23_from_its_verdict(tmp_path: Path) -> None:
    run = answered(run_mn_23(("node-a", 4, 8), ("node-b", 4, 8)), lambda n: GUIDE.nodes[n // 8])
    to = run.all("tunnel.tried")[0]["address4"]
    garbage = udp((GUIDE.services.address(4), 53), (to, 4000), b"\0\1\x85\x80\0\1\0\1\0\0\0\0\xff")
    run.frames.insert(0, sent(garbage))
    assert run.judge("MN-23", tmp_path).status is Status.PASS
