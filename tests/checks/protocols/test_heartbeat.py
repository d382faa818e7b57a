"""The heartbeat as a stream: rhythm, counter, changes of the advertising node."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from checks.protocols import arp, heartbeat, vrrp
from checks.protocols.heartbeat import Advertised, Heartbeat
from evidence.capture import Frame
from tests.checks.protocols import encoder

NS = 10**9
ONE, TWO = "192.168.70.1", "192.168.70.2"


def heard(frames: Iterable[tuple[int, bytes]]) -> Heartbeat:
    """Attribute each advertisement to the address that it claims: nobody lies here."""
    read = ((at_ns, vrrp.read(raw)) for at_ns, raw in frames)
    return Heartbeat(
        tuple(Advertised(at_ns, advert.source, advert) for at_ns, advert in read if advert)
    )


def stream(*adverts: tuple[float, str, int], advbase: int = 1) -> Heartbeat:
    """Build a heartbeat of (seconds, sender, counter)."""
    return heard(
        (int(at * NS), encoder.carp(sender, counter=counter, advbase=advbase))
        for at, sender, counter in adverts
    )


def sightings(frames: Iterable[tuple[int, bytes]]) -> list[arp.ArpSighting]:
    return arp.sightings(Frame(at_ns, "", raw) for at_ns, raw in frames)


def steady(start: float, count: int, sender: str = ONE, counter: int = 100, period: float = 1.0):
    return [(start + index * period, sender, counter + index) for index in range(count)]


def test_the_recording_holds_120_advertisements_of_one_node_and_2_of_the_other() -> None:
    adverts = heard(encoder.recorded_frames())
    assert (len(adverts), len(adverts.of(ONE)), len(adverts.of(TWO))) == (122, 120, 2)
    assert adverts.groups() == {94}


def test_the_recorded_active_node_keeps_a_period_of_one_second() -> None:
    measured = heartbeat.rhythm(heard(encoder.recorded_frames()), ONE)
    assert measured is not None
    assert measured.period_s == 1.0
    assert measured.jitter_s < 0.05


def test_a_slower_rhythm_than_announced_is_measured_as_jitter() -> None:
    measured = heartbeat.rhythm(stream(*steady(0, 10, period=2.0)), ONE)
    assert measured is not None
    assert (measured.intervals.median, measured.jitter_s) == (2.0, 1.0)


def test_one_advertisement_has_no_rhythm() -> None:
    assert heartbeat.rhythm(stream((0, ONE, 1)), ONE) is None


def test_the_recorded_counter_runs_on_once_the_pair_is_settled() -> None:
    adverts = heard(encoder.recorded_frames())
    settled = Heartbeat(adverts.adverts[4:])
    assert heartbeat.counter_breaks(settled) == []


def test_the_counter_may_run_on_at_another_node() -> None:
    adverts = stream(*steady(0, 5), *steady(8, 5, TWO, counter=105))
    assert heartbeat.counter_breaks(adverts) == []


def test_a_counter_that_starts_anew_at_the_other_node_is_a_break() -> None:
    adverts = stream(*steady(0, 5), *steady(8, 5, TWO, counter=9000))
    (found,) = heartbeat.counter_breaks(adverts)
    assert (found.expected, found.seen, found.sender) == (105, 9000, TWO)
    assert "missing" in str(found)


DRAWN = [(0.0, ONE, 7 << 60), (1.0, ONE, 3 << 60), (2.0, ONE, 5 << 60)]


def test_a_node_that_has_heard_no_other_yet_draws_each_counter() -> None:
    runs_on = (5 << 60) + 1
    assert heartbeat.counter_breaks(stream(*DRAWN, *steady(5, 5, TWO, counter=runs_on))) == []
    assert heartbeat.counter_breaks(stream(*DRAWN, *steady(3, 5, ONE, counter=runs_on))) == []


def test_one_that_takes_over_draws_none() -> None:
    (found,) = heartbeat.counter_breaks(stream(*DRAWN, *steady(5, 5, TWO, counter=6 << 60)))
    assert found.sender == TWO


def test_nor_does_one_that_counts() -> None:
    (found,) = heartbeat.counter_breaks(stream(*steady(0, 2), *steady(2, 5, counter=6 << 60)))
    assert (found.expected, found.seen) == (102, 6 << 60)


def test_what_is_missing_or_replayed_was_not_drawn() -> None:
    (missing,) = heartbeat.counter_breaks(stream((0, ONE, 1), (1, ONE, 3), (2, ONE, 4)))
    (replayed,) = heartbeat.counter_breaks(stream((0, ONE, 9), (1, ONE, 8), (2, ONE, 10)))
    assert (missing.replayed, replayed.replayed) == (False, True)


def test_a_missing_advertisement_is_a_break_of_one() -> None:
    whole = steady(0, 6)
    (found,) = heartbeat.counter_breaks(stream(*whole[:3], *whole[4:]))
    assert (found.replayed, found.seen - found.expected) == (False, 1)


def test_a_replayed_advertisement_is_named_as_such_and_does_not_break_what_follows() -> None:
    (found,) = heartbeat.counter_breaks(stream(*steady(0, 5), (4.5, ONE, 101), (5, ONE, 105)))
    assert found.replayed
    assert "replayed" in str(found)


def test_the_counter_may_wrap_around() -> None:
    assert heartbeat.counter_breaks(stream((0, ONE, 2**64 - 1), (1, ONE, 0), (2, ONE, 1))) == []


def test_a_takeover_is_one_change_of_role() -> None:
    adverts = stream(*steady(0, 5), *steady(8, 5, TWO))
    assert heartbeat.role_changes(adverts) == [heartbeat.RoleChange(8 * NS, ONE, TWO)]
    assert heartbeat.split_brains(adverts) == []


def mixed(*streams: list[tuple[float, str, int]], advbase: int = 1) -> Heartbeat:
    return stream(*sorted(one for each in streams for one in each), advbase=advbase)


def test_a_split_brain_is_one_stretch_of_two_masters() -> None:
    (split,) = heartbeat.split_brains(mixed(steady(0, 20), steady(5.5, 10, TWO)))
    assert (split.senders, split.seconds) == ((ONE, TWO), 9.0)


def test_masters_of_a_slow_period_split_for_as_long_as_both_advertise() -> None:
    slow = mixed(steady(0, 5, period=10.0), steady(5, 3, TWO, period=10.0), advbase=10)
    assert [split.seconds for split in heartbeat.split_brains(slow)] == [20.0]


def test_three_masters_are_one_split_brain() -> None:
    three = mixed(steady(0, 20), steady(5, 10, TWO), steady(10, 3, "192.168.70.3"))
    (split,) = heartbeat.split_brains(three)
    assert (len(split.senders), split.seconds) == (3, 9.0)


@pytest.mark.parametrize(("silence", "intervals"), [(2.0, 1), (3.0, 1), (3.1, 2), (9.0, 2)])
def test_a_silence_of_more_than_three_periods_ends_a_masters_interval(
    silence: float, intervals: int
) -> None:
    adverts = stream(*steady(0, 5), *steady(4 + silence, 5))
    assert len(heartbeat.master_intervals(adverts, ONE)) == intervals


def test_the_recorded_start_has_two_masters_for_less_than_a_period() -> None:
    (split,) = heartbeat.split_brains(heard(encoder.recorded_frames()))
    assert 0.9 < split.seconds < 1.0


def test_a_resignation_claims_nothing() -> None:
    frames = [
        (0, encoder.vrrp(ONE)),
        (NS, encoder.vrrp(ONE)),
        (2 * NS, encoder.vrrp(TWO)),
        (2 * NS + 1, encoder.vrrp(ONE, priority=0)),
        (3 * NS, encoder.vrrp(TWO)),
    ]
    adverts = heard(frames)
    assert len(heartbeat.role_changes(adverts)) == 1
    assert heartbeat.split_brains(adverts) == []


def test_the_recorded_winner_announces_the_virtual_ip_twice_two_seconds_apart() -> None:
    arps = sightings(encoder.recorded_frames())
    mine = [
        seen.at_ns
        for seen in arp.announcements(arps, encoder.VIRTUAL_IP)
        if seen.arp.sender_mac == "02:00:00:00:00:01"
    ]
    assert abs((mine[2] - mine[0]) / NS - 2.0) < 0.1


def test_a_reply_and_a_question_are_not_announcements() -> None:
    holder, asker = "02:00:00:00:00:01", "02:00:00:00:00:05"
    frames = [
        (1, encoder.arp(1, asker, "192.168.70.5", encoder.VIRTUAL_IP)),
        (2, encoder.arp(2, holder, encoder.VIRTUAL_IP, "192.168.70.5", to=asker)),
    ]
    arps = sightings(frames)
    assert arp.announcements(arps, encoder.VIRTUAL_IP) == []
    assert [seen.at_ns for seen in arp.questions(arps, encoder.VIRTUAL_IP)] == [1]
    assert [seen.at_ns for seen in arp.replies(arps, encoder.VIRTUAL_IP)] == [2]


def settled() -> list[tuple[int, bytes]]:
    """Take the recorded advertisements after the pair's election."""
    return [
        (at_ns, frame) for at_ns, frame in encoder.recorded_frames() if len(heard([(0, frame)]))
    ][4:]


def test_a_recorded_advertisement_sent_again_is_a_replay() -> None:
    frames = settled()
    adverts = heard([*frames[:50], (frames[50][0] - 1, frames[20][1]), *frames[50:]])
    assert [one.at_ns for one in heartbeat.replays(adverts)] == [frames[50][0] - 1]
    assert heartbeat.counter_breaks(adverts)[0].replayed


def test_nobody_replays_in_the_recording() -> None:
    assert heartbeat.replays(heard(encoder.recorded_frames())) == []


def test_a_counter_that_another_used_a_period_ago_is_a_replay_but_not_as_a_nodes_first() -> None:
    adverts = mixed(steady(0, 10), [(8.5, TWO, 103), (9.5, TWO, 104)])
    assert [one.at_ns for one in heartbeat.replays(adverts)] == [9_500_000_000]


def test_two_masters_that_have_not_heard_each_other_yet_may_count_alike() -> None:
    adverts = mixed(steady(0, 3), [(0.5, TWO, 100), (1.5, TWO, 101)])
    assert heartbeat.replays(adverts) == []


def test_a_recorded_advertisement_left_out_is_missed() -> None:
    frames = settled()
    adverts = heard([*frames[:50], *frames[51:]])
    (found,) = heartbeat.counter_breaks(adverts)
    assert found.seen - found.expected == 1
    measured = heartbeat.rhythm(adverts, ONE)
    assert measured is not None
    assert measured.intervals.maximum > 1.9


def test_the_recording_played_at_half_its_speed_has_an_interval_of_two_seconds() -> None:
    adverts = heard((at_ns * 2, frame) for at_ns, frame in settled())
    measured = heartbeat.rhythm(adverts, ONE)
    assert measured is not None
    assert 1.9 < measured.intervals.median < 2.1
