"""What several machines heard becomes one capture: each frame once, at the port it came from."""

from __future__ import annotations

from evidence.pcapng import Frame
from lab.site.merge import UNSEEN, Known, Merge, Tap
from tests.checks.protocols import encoder

MS = 1_000_000
APART = 200 * MS
MAC = {"primary": bytes.fromhex("525400000001"), "secondary": bytes.fromhex("525400000002")}
OUT = {name: Tap(f"{name}/wire0", "lan", "out") for name in MAC}
IN = {name: Tap(f"{name}/wire0", "lan", "in") for name in MAC}
ADVERT = encoder.carp("192.168.70.1", counter=1)


def merge() -> Merge:
    macs = {mac: f"{name}/wire0" for name, mac in MAC.items()}
    addresses = {
        bytes([192, 168, 70, 1]): "primary/wire0",
        bytes([192, 168, 70, 2]): "secondary/wire0",
    }
    made = Merge(Known(macs, addresses), APART)
    for tap in (*OUT.values(), *IN.values()):
        made.alive(tap, 0)
    return made


def go_on(made: Merge, at_ns: int, *taps: Tap) -> None:
    for tap in taps or (*OUT.values(), *IN.values()):
        made.alive(tap, at_ns)


def test_a_frame_that_others_received_is_told_once_at_its_senders_port() -> None:
    made = merge()
    made.hear(IN["secondary"], 1000 * MS, ADVERT)  # its clock is ahead of the sender's
    made.hear(OUT["primary"], 1010 * MS, ADVERT)
    go_on(made, 2000 * MS)
    assert list(made.take(made.horizon() or 0)) == [Frame(1010 * MS, "primary/wire0", ADVERT)]


def test_frames_are_told_in_order_whoever_spoke_first() -> None:
    made = merge()
    made.hear(OUT["secondary"], 900 * MS, b"later".ljust(60, b"."))
    made.hear(OUT["primary"], 800 * MS, b"sooner".ljust(60, b"."))
    go_on(made, 2000 * MS)
    assert [frame.at_ns for frame in made.take(1800 * MS)] == [800 * MS, 900 * MS]


def test_nothing_is_told_that_a_slow_machine_may_yet_tell_of() -> None:
    made = merge()
    go_on(made, 5000 * MS, OUT["primary"], IN["primary"], OUT["secondary"])
    go_on(made, 1000 * MS, IN["secondary"])
    assert made.horizon() == 1000 * MS - APART


def test_what_nobody_sent_is_a_strangers_and_told_once() -> None:
    made = merge()
    for name in MAC:
        made.hear(IN[name], 1000 * MS, ADVERT)
    go_on(made, 2000 * MS)
    assert [frame.interface for frame in made.take(1800 * MS)] == ["elsewhere/lan"]


def test_a_frame_that_a_nic_has_filled_up_is_the_same() -> None:
    made = merge()
    made.hear(OUT["primary"], 1000 * MS, b"x" * 42)
    made.hear(IN["secondary"], 1001 * MS, b"x" * 42 + b"\0" * 18)
    go_on(made, 2000 * MS)
    assert [len(frame.data) for frame in made.take(1800 * MS)] == [42]


def test_an_advertisement_that_no_other_machine_received_was_dropped() -> None:
    made = merge()
    made.hear(OUT["primary"], 1000 * MS, ADVERT)
    go_on(made, 2000 * MS)
    (frame,) = made.take(1800 * MS)
    assert (frame.comment, frame.passed) == (UNSEEN, False)


def test_nobody_says_dropped_where_nobody_listens() -> None:
    made = merge()
    made.lost(IN["secondary"])
    made.hear(OUT["primary"], 1000 * MS, ADVERT)
    go_on(made, 2000 * MS, *OUT.values(), IN["primary"])
    (frame,) = made.take(1800 * MS)
    assert frame.passed


def test_what_a_crashed_machine_sends_while_it_boots_is_its_own() -> None:
    made = merge()
    for tap in (OUT["primary"], IN["primary"]):
        made.lost(tap)
    made.hear(IN["secondary"], 1000 * MS, ADVERT)
    go_on(made, 2000 * MS, OUT["secondary"], IN["secondary"])
    assert [frame.interface for frame in made.take(1800 * MS)] == ["primary/wire0"]


def test_an_imposter_is_no_machine_that_is_listened_to() -> None:
    made = merge()
    made.hear(
        IN["secondary"], 1000 * MS, MAC["secondary"] + MAC["primary"] + b"\x08\x06" + b"." * 46
    )
    go_on(made, 2000 * MS)
    assert [frame.interface for frame in made.take(1800 * MS)] == ["elsewhere/lan"]


def test_a_network_on_which_nobody_listens_is_uncovered() -> None:
    made = merge()
    go_on(made, 1000 * MS)
    assert made.uncovered(900 * MS) == ""
    for tap in (*OUT.values(), *IN.values()):
        made.lost(tap)
    assert made.uncovered(1500 * MS) == "primary/wire0 and secondary/wire0"
    assert made.horizon() is None


def test_the_other_machine_covers_one_that_is_lost() -> None:
    made = merge()
    for tap in (OUT["primary"], IN["primary"]):
        made.lost(tap)
    go_on(made, 3000 * MS, OUT["secondary"], IN["secondary"])
    assert made.horizon() == 3000 * MS - APART
    assert made.uncovered(2500 * MS) == ""


def three() -> Merge:
    """Listen to a third machine, too, which receives nothing of what those two send each other."""
    made = merge()
    for direction in ("out", "in"):
        made.alive(Tap("client/wire0", "lan", direction), 0)
        made.alive(Tap("client/wire0", "lan", direction), 9000 * MS)
    return made


def test_what_two_lost_machines_send_each_other_is_uncovered() -> None:
    made = three()
    go_on(made, 3000 * MS)
    for tap in (OUT["primary"], IN["primary"]):
        made.lost(tap)
    go_on(made, 4000 * MS, OUT["secondary"], IN["secondary"])
    assert made.uncovered(3500 * MS) == ""
    for tap in (OUT["secondary"], IN["secondary"]):
        made.lost(tap)
    assert made.uncovered(4500 * MS) == "primary/wire0 and secondary/wire0"


def test_a_gap_that_is_over_when_somebody_looks_is_found() -> None:
    made = three()
    go_on(made, 3000 * MS)
    for tap in (*OUT.values(), *IN.values()):
        made.lost(tap)
    go_on(made, 5000 * MS)
    go_on(made, 6000 * MS)
    assert made.uncovered(2900 * MS) == made.uncovered(5500 * MS) == ""
    assert made.gap(2900 * MS, 5500 * MS) == "primary/wire0 and secondary/wire0"
    assert made.gap(1000 * MS, 2900 * MS) == made.gap(5100 * MS, 5900 * MS) == ""


def test_frames_of_the_probe_bear_its_port() -> None:
    made = merge()
    mac = bytes.fromhex("0270726f6265")
    made.known = Known(made.known.macs, made.known.addresses, mac, "probe/wire0")
    made.hear(OUT["primary"], 1000 * MS, b"\xff" * 6 + mac + b"\x08\x06" + b"." * 46)
    go_on(made, 2000 * MS)
    assert [frame.interface for frame in made.take(1800 * MS)] == ["probe/wire0"]


def test_a_frame_that_others_told_of_is_not_told_again_by_its_sender() -> None:
    made = merge()
    for tap in (OUT["primary"], IN["primary"]):
        made.lost(tap)
    made.hear(IN["secondary"], 1000 * MS, ADVERT)
    go_on(made, 1250 * MS, OUT["secondary"], IN["secondary"])
    first = list(made.take(1005 * MS))
    made.hear(OUT["primary"], 1010 * MS, ADVERT)  # it is listened to again, and had heard that
    go_on(made, 2000 * MS)
    assert [frame.interface for frame in (*first, *made.take(1800 * MS))] == ["primary/wire0"]


def test_a_frame_that_comes_when_its_time_is_told_is_missed() -> None:
    made = merge()
    go_on(made, 2000 * MS)
    assert not list(made.take(1750 * MS))
    made.hear(OUT["primary"], 1000 * MS, ADVERT)
    assert (list(made.take(1750 * MS)), made.missed) == ([], 1)


def test_nothing_is_missed_of_who_had_not_said_that_it_was_complete() -> None:
    made = merge()
    made.lost(OUT["primary"])
    go_on(made, 2000 * MS, OUT["secondary"], *IN.values())
    assert not list(made.take(1750 * MS))
    made.hear(OUT["primary"], 1000 * MS, ADVERT)
    assert made.missed == 0


def test_a_frame_that_was_taken_for_a_strangers_is_missed_at_its_own_port() -> None:
    made = merge()
    made.hear(IN["secondary"], 1000 * MS, ADVERT)
    go_on(made, 1260 * MS)
    (strange,) = made.take(1005 * MS)
    made.hear(OUT["primary"], 1010 * MS, ADVERT)  # its counters had said that it was all
    go_on(made, 2000 * MS)
    assert (strange.interface, list(made.take(1800 * MS))) == ("elsewhere/lan", [])
    assert made.missed == 1
