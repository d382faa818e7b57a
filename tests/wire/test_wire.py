"""A running wire, over real loopback sockets."""

from __future__ import annotations

import os
import signal
import socket
import stat

import pytest

from evidence.capture import Capture
from lab.errors import ScenarioError, WireError
from lab.wire import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Match,
    Port,
    Reorder,
    Rule,
    Wire,
    free_udp_port,
)

PROBE = Match(to_ports=("probe/wire0",))


def test_a_broadcast_reaches_its_segment_and_no_other(bench):
    bench.a.send(bench.a.frame(b"hello"))
    assert bench.b.take() == bench.c.take() == bench.a.frame(b"hello")
    bench.wire.flush()
    assert bench.d.waiting() == bench.a.waiting() == []


def test_a_learned_address_is_not_flooded(bench):
    bench.b.send(bench.b.frame())
    assert bench.a.take()
    bench.c.take()
    bench.a.send(bench.a.frame(to=bench.b.mac))
    assert bench.b.take() == bench.a.frame(to=bench.b.mac)
    bench.wire.flush()
    assert bench.c.waiting() == []


def test_every_frame_is_recorded_once_at_the_port_it_came_in(bench):
    sent = [bench.a.frame(str(number).encode()) for number in range(200)]
    for raw in sent:
        bench.a.send(raw)
    frames = bench.recorded()
    assert [frame.data for frame in frames] == sent
    assert {(frame.interface, frame.comment) for frame in frames} == {("a/wire0", "")}
    assert sorted(frames, key=lambda frame: frame.at_ns) == frames


def test_datagrams_of_strangers_are_refused(bench):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.connect(("127.0.0.1", bench.a.switch_port))
        stranger.send(bench.a.frame())
        assert bench.recorded() == []
        with pytest.raises(ConnectionRefusedError):
            stranger.send(bench.a.frame())
    assert bench.b.waiting() == []


def test_a_dropped_frame_is_recorded_with_the_rule_that_dropped_it(bench):
    rule = bench.wire.add(Rule(Match(ethertype=0x88B5), Drop()))
    bench.a.send(bench.a.frame())
    assert [frame.comment for frame in bench.recorded()] == [f"dropped by rule {rule}"]
    assert bench.b.waiting() == []
    assert bench.wire.hits(rule) == 1


def test_after_a_rule_is_removed_frames_pass_again(bench):
    rule = bench.wire.add(Rule(Match(), Drop()))
    assert bench.wire.remove(rule)["hits"] == 0
    bench.a.send(bench.a.frame())
    assert bench.b.take()


def test_two_ports_can_be_isolated_from_each_other_only(bench):
    isolated = Match(from_ports=("a/wire0",), to_ports=("b/wire0",), both_ways=True)
    bench.wire.add(Rule(isolated, Drop()))
    bench.a.send(bench.a.frame())
    bench.b.send(bench.b.frame())
    assert [bench.c.take(), bench.c.take()] == [bench.a.frame(), bench.b.frame()]
    comments = [frame.comment for frame in bench.recorded()]
    assert comments == ["dropped by rule 1 for b/wire0", "dropped by rule 1 for a/wire0"]
    assert bench.a.waiting() == bench.b.waiting() == []


def test_a_delayed_frame_arrives_no_earlier_than_its_delay(bench):
    bench.wire.add(Rule(Match(), Delay(0.05)))
    bench.a.send(bench.a.frame())
    assert bench.b.take() == bench.a.frame()
    assert [frame.comment for frame in bench.recorded()] == ["delayed 50.000 ms by rule 1"]


def test_a_held_back_frame_is_overtaken(bench):
    bench.wire.add(Rule(Match(), Reorder(0.05), limit=1))
    bench.a.send(bench.a.frame(b"first"))
    bench.a.send(bench.a.frame(b"second"))
    assert [bench.b.take(), bench.b.take()] == [bench.a.frame(b"second"), bench.a.frame(b"first")]


def test_a_duplicated_frame_arrives_more_often_but_is_recorded_once(bench):
    bench.wire.add(Rule(Match(to_ports=("b/wire0",)), Duplicate(2)))
    bench.a.send(bench.a.frame())
    assert len(bench.recorded()) == 1
    assert (len(bench.b.waiting()), len(bench.c.waiting())) == (3, 1)


def test_a_corrupted_frame_is_recorded_as_it_was_sent(bench):
    bench.wire.add(Rule(Match(), Corrupt()))
    bench.a.send(bench.a.frame())
    assert bench.b.take() != bench.a.frame()
    assert [frame.data for frame in bench.recorded()] == [bench.a.frame()]


def test_a_cut_port_is_cut_both_ways_until_healed(bench):
    bench.wire.cut("a/wire0")
    bench.a.send(bench.a.frame(b"out"))
    bench.b.send(bench.b.frame(b"in"))
    assert bench.c.take() == bench.b.frame(b"in")
    comments = {frame.comment for frame in bench.recorded()}
    assert comments == {"dropped: a/wire0 is cut", "not to a/wire0: it is cut"}
    assert bench.a.waiting() == []
    bench.wire.heal("a/wire0")
    bench.a.send(bench.a.frame(b"healed"))
    assert bench.c.take() == bench.a.frame(b"healed")


def test_a_mac_filter_lets_only_its_own_addresses_in(bench):
    bench.wire.filter_mac("a/wire0", ["52:54:00:00:00:01"])
    virtual = b"\x00\x00\x5e\x00\x00\x5e"
    bench.a.send(b"\xff" * 6 + virtual + b"\x88\xb5" + b"." * 46)
    bench.a.send(bench.a.frame())
    assert bench.b.take() == bench.a.frame()
    refused, passed = bench.recorded()
    assert refused.comment == "dropped: source MAC 00:00:5e:00:00:5e is not accepted at a/wire0"
    assert passed.comment == ""


def test_while_paused_nothing_is_forwarded_and_all_is_recorded(bench):
    generation = bench.wire.pause()
    bench.a.send(bench.a.frame(b"old run"))
    assert bench.wire.resume(new_generation=True) == generation + 1
    bench.a.send(bench.a.frame(b"new run"))
    assert bench.b.take() == bench.a.frame(b"new run")
    comments = [frame.comment for frame in bench.recorded()]
    assert comments == ["dropped: the wire is paused", ""]


def test_a_restarted_nic_gets_its_frames_at_its_new_port(bench):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as restarted:
        restarted.bind(("127.0.0.1", 0))
        restarted.settimeout(5)
        bench.wire.set_nic_port("b/wire0", restarted.getsockname()[1])
        bench.a.send(bench.a.frame())
        assert restarted.recv(2000) == bench.a.frame()


def test_a_port_can_be_added_while_the_wire_runs(bench):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nic:
        nic.bind(("127.0.0.1", 0))
        nic.settimeout(5)
        bench.wire.plug(Port("e/wire0", "outside", nic.getsockname()[1]))
        bench.d.send(bench.d.frame())
        assert nic.recv(2000) == bench.d.frame()


def test_a_subscriber_sees_each_matching_frame_with_its_verdict(bench):
    bench.wire.add(Rule(Match(from_ports=("b/wire0",)), Drop()))
    with bench.wire.frames(Match(ethertype=0x88B5)) as frames:
        bench.a.send(bench.a.frame())
        bench.b.send(bench.b.frame())
        seen = [frames.take(5), frames.take(5)]
    assert {(frame.port, frame.verdict) for frame in seen} == {
        ("a/wire0", "forwarded"),
        ("b/wire0", "dropped by rule 1"),
    }
    assert {frame.at_ns for frame in seen} == {frame.at_ns for frame in bench.recorded()}


def test_a_slow_subscriber_is_told_how_many_frames_it_lost(bench):
    sent = 300
    with bench.wire.frames() as frames:
        for number in range(sent):
            bench.a.send(bench.a.frame(str(number).encode() + b"." * 40_000))
            bench.b.take()
        seen = 0
        while seen + frames.lost < sent:
            seen += frames.take(0.2) is not None
    assert frames.lost > 0
    assert len(bench.recorded()) == sent


def test_a_virtual_port_sends_takes_and_is_recorded(bench):
    mac = b"\x52\x54\x00\x00\x00\x63"
    bench.wire.attach("probe/wire0", "lan")
    with bench.wire.frames(PROBE) as frames:
        question = b"\xff" * 6 + mac + b"\x88\xb5" + b"?" * 46
        bench.wire.inject("lan", question)
        assert bench.a.take() == question
        bench.a.send(bench.a.frame(b"answer", to=mac))
        answer = frames.take(5)
    assert answer.raw == bench.a.frame(b"answer", to=mac)
    assert [frame.interface for frame in bench.recorded()] == ["probe/wire0", "a/wire0"]


def test_a_frame_too_short_for_a_header_is_recorded_and_dropped(bench):
    bench.a.send(b"short")
    assert [frame.comment for frame in bench.recorded()] == [
        "dropped: shorter than an Ethernet header"
    ]


def test_requests_about_unknown_ports_name_those_there_are(bench):
    with pytest.raises(WireError, match="a/wire0, b/wire0"):
        bench.wire.cut("z/wire0")
    with pytest.raises(WireError, match="no port z/wire0"):
        bench.wire.add(Rule(Match(from_ports=("z/wire0",)), Drop()))
    with pytest.raises(ScenarioError, match="MAC address"):
        bench.wire.filter_mac("a/wire0", ["everyone"])
    assert bench.wire.rules() == []


def test_a_connection_that_talks_nonsense_harms_nobody(bench):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rude:
        rude.connect(str(bench.directory / "wire.sock"))
        rude.sendall(b'not json\n[1]\n{"do":"explode"}\n{"do":"inject","port":"p","segment":1}\n')
        answers = rude.makefile("rb")
        assert all(b'"ok":false' in answers.readline() for _ in range(4))
        answers.close()
        rude.sendall(b"x" * 300_000)
    bench.a.send(bench.a.frame())
    assert bench.b.take()


def test_the_control_socket_is_for_its_user_alone(bench):
    assert stat.S_IMODE((bench.directory / "wire.sock").stat().st_mode) == 0o600


def test_a_taken_port_is_named_and_leaves_no_wire(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        taken = holder.getsockname()[1]
        with pytest.raises(WireError, match=f"a/wire0.*{taken}"):
            Wire.start(
                tmp_path,
                [Port("a/wire0", "lan", free_udp_port(), taken)],
                capture=tmp_path / "wire.pcapng",
            )
    assert not (tmp_path / "wire.sock").exists()


def test_a_second_wire_in_one_directory_is_refused(bench):
    with pytest.raises(WireError, match=r"serves .* already"):
        Wire.start(bench.directory, [], capture=bench.directory / "other.pcapng")
    bench.a.send(bench.a.frame())
    assert bench.b.take()


def test_a_directory_too_long_for_a_socket_is_refused(tmp_path):
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    with pytest.raises(WireError, match="too long"):
        Wire.start(deep, [], capture=deep / "wire.pcapng")


def test_ctrl_c_does_not_end_the_wire_but_stop_does(bench):
    os.kill(bench.wire.pid, signal.SIGINT)
    bench.wire.flush()
    assert bench.wire.alive
    bench.a.send(bench.a.frame())
    bench.wire.stop()
    assert not bench.wire.alive
    assert len(list(Capture(bench.capture))) == 1


def test_requests_to_a_wire_that_is_gone_say_so(tmp_path):
    wire = Wire.start(tmp_path, [], capture=tmp_path / "wire.pcapng")
    other = Wire.connect(tmp_path)
    wire.stop()
    with pytest.raises(WireError, match="the wire is gone"):
        other.counters()
    other.close()
    with pytest.raises(WireError, match="no wire serves"):
        Wire.connect(tmp_path)


def test_a_file_in_the_place_of_the_control_socket_is_not_removed(tmp_path):
    (tmp_path / "wire.sock").write_text("mine")
    with pytest.raises(WireError, match="Address already in use"):
        Wire.start(tmp_path, [], capture=tmp_path / "wire.pcapng")
    assert (tmp_path / "wire.sock").read_text() == "mine"
