"""FO-16 to 19, 21: good heartbeats pass, each broken one is rejected for its reason."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.failover import recorded
from checks.protocols import tcpdump
from tests.checks.failover.crashes import busy, is_late
from tests.checks.failover.printed import lines, printed
from tests.checks.failover.recording import (
    ADDRESS,
    CLIENT,
    CLIENT_MAC,
    MAC,
    SAY,
    SAY_OTHERWISE,
    UCARP,
    VIRTUAL_IP,
    Run,
    passes,
    rejects,
    steady,
    unsure,
)
from tests.checks.failover.strangers import (
    a_broken_packet,
    a_carp_pair,
    tagged,
    tagged_twice,
)
from tests.checks.protocols import encoder


@pytest.mark.parametrize("said", [None, "", "MASTER", "INIT"])
def test_a_standby_that_does_not_stand_by_is_silent_for_another_reason(
    tmp_path: Path, said: str | None
) -> None:
    says = {"primary": "MASTER"} if said is None else {**SAY, "secondary": said}
    run = steady(tmp_path).changed("steady.ended", says=says)
    unsure(run.judge("FO-17"), "secondary")


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17", "FO-18", "FO-19"])
def test_a_steady_pair_passes(tmp_path: Path, requirement: str) -> None:
    passes(steady(tmp_path).judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17", "FO-18", "FO-19"])
def test_a_silent_wire_says_nothing(tmp_path: Path, requirement: str) -> None:
    run = steady(tmp_path)
    run.frames.clear()
    unsure(run.judge(requirement))


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17"])
def test_a_pair_that_nobody_watched_steadily_says_nothing(tmp_path: Path, requirement: str) -> None:
    run = steady(tmp_path).without("steady.began").without("steady.ended")
    unsure(run.judge(requirement), "no steady.began")


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17"])
def test_a_span_too_short_says_nothing(tmp_path: Path, requirement: str) -> None:
    run = steady(tmp_path).without("steady.ended")
    run.event(20, "steady.ended", "scenario", active="primary", says=SAY)
    unsure(run.judge(requirement), "30 s are needed")


def twice_as_slow(tmp_path: Path) -> Run:
    run = steady(tmp_path)
    run.frames.clear()
    run.beats("primary", 0.5, 40, period=2.0, advbase=2)
    return run


def test_advbase_2_where_1_is_configured_is_rejected(tmp_path: Path) -> None:
    rejects(twice_as_slow(tmp_path).judge("FO-16"), "15 advertisements", "a gap of 2.000 s")


def test_advbase_2_passes_where_it_is_configured(tmp_path: Path) -> None:
    run = twice_as_slow(tmp_path)
    slow = {**UCARP, "advbase": 2}
    nodes = {name: {**node, "timers": slow} for name, node in run.pair["nodes"].items()}
    passes(run.changed("pair.configured", nodes=nodes).judge("FO-16"))


def test_twice_as_many_advertisements_are_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.frames.clear()
    run.beats("primary", 0.5, 40, period=0.5)
    rejects(run.judge("FO-16"), "60 advertisements")


def test_a_period_that_is_kept_but_announced_as_another_is_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.frames.clear()
    run.beats("primary", 0.5, 40, advskew=100)
    rejects(run.judge("FO-16"), "announces a period of [1.390625] s")


def without_beats(run: Run, *moments: float) -> Run:
    return run.mapped(lambda at, _, raw: [] if at in moments else [(at, raw)])


@pytest.mark.parametrize(("moment", "gap"), [(2.5, "1.500"), (33.5, "1.500"), (15.5, "2.000")])
def test_a_missing_advertisement_is_a_gap_at_an_edge_of_the_span_too(
    tmp_path: Path, moment: float, gap: str
) -> None:
    rejects(without_beats(steady(tmp_path), moment).judge("FO-16"), f"a gap of {gap} s")


def late(run: Run, of: str, *, since: float, until: float, kept: float) -> Run:
    start_ns = 1_700_000_000 * 10**9 + int(since * 10**9)
    run.event(until, "host.late", "lab", of=of, from_ns=start_ns, kept_ns=int(kept * 10**9))
    return run


@pytest.mark.parametrize("of", ["primary", "wire"])
def test_a_gap_while_the_host_kept_its_sender_from_running_is_late(tmp_path: Path, of: str) -> None:
    run = late(without_beats(steady(tmp_path), 15.5), of, since=15.5, until=16.5, kept=0.9)
    verdict = run.judge("FO-16")
    unsure(verdict, f"`{of}` was kept from running")
    assert verdict.late


@pytest.mark.parametrize(
    ("of", "since", "kept"),
    [("secondary", 15.5, 0.9), ("primary", 18.5, 0.9), ("primary", 15.5, 0.3)],
    ids=["another", "elsewhere", "too little"],
)
def test_a_gap_that_lateness_does_not_explain_is_rejected(
    tmp_path: Path, of: str, since: float, kept: float
) -> None:
    run = late(without_beats(steady(tmp_path), 15.5), of, since=since, until=since + 1, kept=kept)
    rejects(run.judge("FO-16"), "a gap of 2.000 s")


def slow_by_a_tenth(tmp_path: Path) -> Run:
    run = steady(tmp_path)
    run.frames.clear()
    run.beats("primary", 0.5, 40, period=1.1)
    return run


def test_too_few_advertisements_are_rejected_without_a_gap(tmp_path: Path) -> None:
    rejects(slow_by_a_tenth(tmp_path).judge("FO-16"), "27 advertisements")


def test_too_few_advertisements_of_a_sender_that_was_kept_from_running_are_late(
    tmp_path: Path,
) -> None:
    run = slow_by_a_tenth(tmp_path)
    for second in range(2, 34):
        late(run, "primary", since=second, until=second + 1, kept=0.1)
    verdict = run.judge("FO-16")
    unsure(verdict, "27 advertisements", "`primary` was kept from running")
    assert verdict.late


def long_steady(directory: Path, *parts: tuple[float, float]) -> Run:
    """Keep the primary active for 93 s; each part has its end, and its period until then."""
    run, at, counter = Run(directory, 100), 0.5, 1000
    for end, period in parts:
        counter = run.beats("primary", at, end, period=period, counter=counter)
        at = run.frames[-1][0] + period
    run.event(2, "steady.began", "scenario", active="primary")
    run.event(95, "steady.ended", "scenario", active="primary", says=SAY)
    return run


@pytest.mark.parametrize("period", [0.5, 1.15])
@pytest.mark.parametrize(("since", "until"), [(33, 100), (65.5, 100), (33, 65)])
def test_a_period_that_is_another_for_30_s_of_a_longer_span_is_rejected(
    tmp_path: Path, since: float, until: float, period: float
) -> None:
    run = long_steady(tmp_path, (since, 1.0), (until, period), (100, 1.0))
    rejects(run.judge("FO-16"), "advertisements of primary in 30 s, configured are 30")


@pytest.mark.parametrize("period", [0.9991, 1.0, 1.0009])
@pytest.mark.parametrize("seed", range(3))
def test_clocks_that_are_off_and_frames_late_by_80_ms_pass(
    tmp_path: Path, period: float, seed: int
) -> None:
    late = random.Random(seed)  # noqa: S311 - noise, no secret
    run = long_steady(tmp_path, (100, period))
    run.mapped(lambda at, _, raw: [(at + late.choice((0, 0.08)), raw)])
    passes(run.judge("FO-16"))


def test_advertisements_that_a_busy_wire_lets_through_at_once_are_late(tmp_path: Path) -> None:
    run = long_steady(tmp_path, (100, 1.0))
    run.mapped(lambda at, _, raw: [(42.6 + at / 1e6 if 40 < at < 42.6 else at, raw)])
    rejects(run.judge("FO-16"), "a gap of 3.100 s")
    for since in (40.5, 41.5):
        late(run, "wire", since=since, until=since + 1, kept=1.0)
    verdict = run.judge("FO-16")
    unsure(verdict, "33 advertisements", "27 advertisements", "`wire` was kept from running")
    assert verdict.late


def test_advertisements_that_are_tagged_with_a_vlan_reach_no_peer(tmp_path: Path) -> None:
    run = steady(tmp_path).mapped(lambda at, _, raw: [(at, tagged(raw))])
    rejects(run.judge("FO-16"), "0 advertisements of primary")


def test_two_masters_in_the_steady_state_are_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 10.7, 20)
    rejects(run.judge("FO-16"), "primary and secondary were masters at once")


@pytest.mark.parametrize("requirement", ["FO-16", "FO-18"])
def test_every_7th_frame_duplicated_within_400_us_passes(tmp_path: Path, requirement: str) -> None:
    run = steady(tmp_path)
    run.frames += [(at + 0.0004, *rest) for at, *rest in run.frames[::7]]
    passes(run.judge(requirement))


def test_another_vhid_on_the_standby_is_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 10.7, 20, vhid=95)
    rejects(run.judge("FO-17"), "VHID 95")


@pytest.mark.parametrize("tag", [tagged, tagged_twice])
def test_a_standby_that_advertises_tagged_with_a_vlan_is_rejected(tmp_path: Path, tag) -> None:
    run = steady(tmp_path)
    for second in range(10, 20):
        raw = encoder.carp(ADDRESS["secondary"], counter=second)
        run.frame(second + 0.7, "secondary/wire0", tag(raw))
    rejects(run.judge("FO-17"), "the standby sent 10 advertisement(s)")


def test_a_standby_that_advertises_what_the_wire_drops_is_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 10.7, 20, comment="dropped: no multicast")
    rejects(run.judge("FO-17"), "the standby sent 10 advertisement(s)")


def test_a_standby_that_sends_vrrp_or_what_is_broken_is_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.frame(10.7, "secondary/wire0", encoder.vrrp(ADDRESS["secondary"]))
    run.frame(11.7, "secondary/wire0", encoder.vrrp(message=bytes(12)))
    rejects(run.judge("FO-17"), "1 advertisement(s), VHID 94", "1 malformed packet(s)")


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "it is cut short": lambda raw: raw[:-16],
    "a fragment": lambda raw: raw[:20] + b"\x20\x00" + raw[22:],
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize(("requirement", "of"), [("FO-17", "secondary"), ("FO-18", "primary")])
def test_a_nodes_packet_that_is_no_whole_one_is_rejected(
    tmp_path: Path, requirement: str, of: str, what: str
) -> None:
    run = steady(tmp_path)
    for second in range(10, 20):
        raw = encoder.carp(ADDRESS[of], counter=2000 + second)
        run.frame(second + 0.7, f"{of}/wire0", BROKEN[what](raw))
    rejects(run.judge(requirement), what)
    run.frames = [(at, port.replace(of, "other"), *rest) for at, port, *rest in run.frames]
    assert "malformed" not in run.judge(requirement).text


def test_a_standby_beside_nobody_who_is_active_says_nothing(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.frames = [frame for frame in run.frames if frame[0] < 2]
    unsure(run.judge("FO-17"), "nothing shows that primary was active")


def vrrp_instead(at: float, _: str, __: bytes) -> list[tuple[float, bytes]]:
    return [(at, encoder.vrrp())]


def patched(offset: int, octets: bytes) -> Callable[[float, str, bytes], list]:
    return lambda at, _, raw: [(at, raw[:offset] + octets + raw[offset + len(octets) :])]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (patched(22, b"\x40"), "TTL 64"),
        (patched(40, b"\x12\x34"), "checksum"),
        (patched(24, b"\x12\x34"), "checksum: the IPv4 header does not sum up"),
        (patched(6, bytes.fromhex("00005e00005f")), "source MAC: 00:00:5e:00:00:5f"),
        (vrrp_instead, "VRRPv2"),
        (lambda at, _, raw: [(at, raw), (at + 0.1, tagged(raw))], "a tag of VLAN 7"),
        (lambda at, _, raw: [(at, raw), (at + 0.1, encoder.vrrp(message=bytes(12)))], "malformed"),
    ],
)
def test_a_broken_frame_is_rejected_for_its_defect(tmp_path: Path, change, reason: str) -> None:
    rejects(steady(tmp_path).mapped(change).judge("FO-18"), reason)


def test_an_unrelated_hosts_broken_vrrp_packet_is_none_of_the_pairs(tmp_path: Path) -> None:
    passes(a_broken_packet(steady(tmp_path)).judge("FO-18"))


@pytest.mark.parametrize(
    ("requirement", "reason"), [("FO-18", "2 x source MAC"), ("FO-19", "2 digest(s) of primary")]
)
def test_another_vhid_in_an_advertisement_does_not_hide_it(
    tmp_path: Path, requirement: str, reason: str
) -> None:
    altered = patched(35, b"\x5f")
    run = steady(tmp_path).mapped(
        lambda at, port, raw: altered(at, port, raw) if at in (10.5, 20.5) else [(at, raw)]
    )
    rejects(run.judge(requirement), reason)
    whole = steady(tmp_path)
    whole.beats("secondary", 10.7, 20, vhid=95)
    passes(whole.judge(requirement))


def test_another_password_on_one_node_is_rejected(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 10.7, 12, password="other")
    rejects(run.judge("FO-19"), "2 digest(s) of secondary", "another password")


def test_a_copied_source_address_does_not_hide_whose_digest_is_wrong(tmp_path: Path) -> None:
    run = steady(tmp_path)
    raw = encoder.carp(ADDRESS["primary"], counter=7, password="other")
    run.frame(10.7, "secondary/wire0", raw)
    rejects(run.judge("FO-19"), "1 digest(s) of secondary")


def test_another_pair_with_the_same_vhid_is_named_once_and_passes(tmp_path: Path) -> None:
    verdict = a_carp_pair(steady(tmp_path), vhid=94).judge("FO-19")
    passes(verdict)
    assert verdict.text.count("another pair uses VHID 94") == 1


def test_the_guides_lines_pass_with_their_erratum(tmp_path: Path) -> None:
    verdict = printed(tmp_path, lines()).judge("FO-21")
    passes(verdict)
    assert tcpdump.GUIDE_SAMPLE_ERRATUM in verdict.reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("prio 0", "prio 100"), "(94, 100, 1)"),
        (("vrid 94", "vrid 95"), "(95, 0, 1)"),
        (("00:5e eth", "00:5f eth"), "source MAC"),
        (("192.168.70.1 >", f"{VIRTUAL_IP} >"), f"sent by the virtual IP {VIRTUAL_IP}"),
        (("192.168.70.1 >", "192.168.70.7 >"), "0 line(s)"),
        (("VRRPv2", "VRRPv3"), "0 line(s)"),
        (("224.0.0.18", "239.192.0.1"), "sent to 239.192.0.1"),
    ],
)
def test_other_lines_are_rejected(tmp_path: Path, change, reason: str) -> None:
    rejects(printed(tmp_path, lines(change=change)).judge("FO-21"), reason)


KEEPALIVED = {
    "address": ("192.168.70.1 >", "192.168.70.2 >"),
    "mac": ("00:00:5e:00:00:5e", MAC["secondary"]),
    "cooked": ("length 72", "length 56"),
    "prio": ("prio 0", "prio 100"),
    "length": ("length 36", "length 20"),
}


def test_lines_of_a_node_that_speaks_vrrp_are_rejected(tmp_path: Path) -> None:
    text = f"{lines()}\n{lines(**KEEPALIVED)}\n"
    rejects(printed(tmp_path, text).judge("FO-21"), "7 line(s) of 192.168.70.2")
    strange = text.replace("192.168.70.2 >", "192.168.70.254 >")
    passes(printed(tmp_path, strange).judge("FO-21"))


def test_a_last_line_that_the_end_has_torn_is_none(tmp_path: Path) -> None:
    passes(printed(tmp_path, lines()[:-10]).judge("FO-21"))


def test_an_unrelated_carp_pair_printed_by_the_same_tcpdump_passes(tmp_path: Path) -> None:
    address, vhid = ("192.168.70.1 >", "192.168.70.11 >"), ("vrid 94", "vrid 95")
    theirs = lines(address=address, vhid=vhid, mac=("00:5e eth", "00:5f eth"))
    verdict = printed(tmp_path, f"{lines()}\n{theirs}").judge("FO-21")
    passes(verdict)
    assert "192.168.70.11 advertises vrid 95" in verdict.text


def test_lines_of_strangers_do_not_show_the_pairs_heartbeat(tmp_path: Path) -> None:
    theirs = lines(address=("192.168.70.1 >", "192.168.70.11 >"))
    rejects(printed(tmp_path, f"{lines(0, 1)}\n{theirs}").judge("FO-21"), "2 line(s)")


def test_two_lines_in_two_seconds_say_nothing(tmp_path: Path) -> None:
    unsure(printed(tmp_path, lines(0, 1), seconds=2).judge("FO-21"), "3 are needed")


def keepalived(directory: Path) -> Run:
    nodes = {
        name: {
            "address": ADDRESS[name],
            "mac": MAC[name],
            "port": f"{name}/wire0",
            "timers": {"engine": "keepalived", "advert_int": 1, "priority": priority},
        }
        for name, priority in (("primary", 150), ("secondary", 100))
    }
    run = Run(directory, 40, engine="keepalived", nodes=nodes, virtual_mac=False)
    for second in range(40):
        run.frame(second, "primary/wire0", encoder.vrrp())
    return run


def test_keepaliveds_own_frames_pass_where_it_is_configured(tmp_path: Path) -> None:
    passes(keepalived(tmp_path).judge("FO-18"))


def test_carp_is_wrong_where_keepalived_is_configured(tmp_path: Path) -> None:
    run = keepalived(tmp_path)
    run.frame(5.5, "secondary/wire0", encoder.carp("192.168.70.2"))
    rejects(run.judge("FO-18"), "the pair runs keepalived")


def test_a_flood_of_what_concerns_the_pair_is_no_proof_of_anything(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "MOST", 5000)
    unsure(steady(tmp_path).judge("FO-16"), "than 5000 octets: somebody flooded the network")


@pytest.mark.parametrize("source", [CLIENT, "203.0.113.9"])
def test_a_flood_of_what_does_not_concern_the_pair_is_no_matter(source, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "MOST", 20_000)
    run = steady(tmp_path)
    packet = encoder.ipv4(bytes(40), source, ADDRESS["primary"], protocol=17)
    macs = encoder.octets(MAC["primary"]) + encoder.octets(CLIENT_MAC)
    for number in range(100):
        run.frame(5 + number / 10, "client/wire0", macs + b"\x08\x00" + packet)
    passes(run.judge("FO-16"))


def taken_from_a_busy_holder(directory: Path) -> Run:
    run = steady(directory)
    run.frames = [one for one in run.frames if not 15 < one[0] < 19.2]
    run.beats("secondary", 18.2, 20, counter=5000)
    return run


def test_a_standby_that_a_busy_host_keeps_from_hearing_the_active_node_says_nothing(
    tmp_path: Path,
) -> None:
    run = taken_from_a_busy_holder(tmp_path)
    rejects(run.judge("FO-17"), "the standby sent 2 advertisement(s), VHID 94")
    rejects(busy(run, "primary", 14.9, 15.9).judge("FO-17"), "the standby sent")
    is_late(run, "FO-17", "primary", 14.9, 19.4)


def test_a_standby_that_sends_another_vhid_was_not_kept_from_hearing(tmp_path: Path) -> None:
    run = steady(tmp_path)
    run.beats("secondary", 18.2, 20, counter=5000, vhid=95)
    rejects(busy(run, "primary", 14.9, 19.4).judge("FO-17"), "VHID 95")


def test_too_few_lines_of_a_node_that_a_busy_host_keeps_from_sending_say_nothing(
    tmp_path: Path,
) -> None:
    run = printed(tmp_path, lines(0, 1))
    rejects(run.judge("FO-21"), "2 line(s) like the guide's, 3 are needed")
    is_late(run, "FO-21", "primary", 1, 4.9)


def steady_twice(directory: Path) -> Run:
    """Watch the primary steadily, let it fail, and watch the secondary steadily."""
    run = Run(directory, 120)
    counter = run.beats("primary", 0.5, 40.2)
    run.event(2, "steady.began", "scenario", active="primary")
    run.event(34, "steady.ended", "scenario", active="primary", says=SAY)
    run.event(40.3, "fault.injected", "scenario", fault="power-off", node="primary")
    run.beats("secondary", 42.7, 120, counter=counter)
    run.event(60, "fault.watched", "scenario", node="primary")
    run.event(70, "steady.began", "scenario", active="secondary")
    run.event(104, "steady.ended", "scenario", active="secondary", says=SAY_OTHERWISE)
    return run


@pytest.mark.parametrize("requirement", ["FO-16", "FO-17"])
def test_a_span_without_its_end_is_not_given_that_of_another_node(
    tmp_path: Path, requirement: str
) -> None:
    passes(steady_twice(tmp_path).judge(requirement))
    run = steady_twice(tmp_path)
    run.events = [event for event in run.events if event[:2] != (34, "steady.ended")]
    unsure(run.judge(requirement), "steady.began without its end")


def test_a_span_without_its_end_is_not_given_that_of_the_next_one(tmp_path: Path) -> None:
    run = Run(tmp_path, 100)
    run.beats("primary", 0.5, 100)
    for began in (2, 50):
        run.event(began, "steady.began", "scenario", active="primary")
    run.event(90, "steady.ended", "scenario", active="primary", says=SAY)
    unsure(run.judge("FO-16"), "steady.began without its end")
