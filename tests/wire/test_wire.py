"""A running wire, over real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

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
    Sockets,
    Wire,
)
from lab.wire.control import LONGEST_REQUEST, MOST_UNREAD, ControlServer
from lab.wire.requests import MOST_PORTS, MOST_RULES, Requests
from tests.wire.conftest import Nic


@pytest.fixture
def bench_in_process() -> tuple[Any, None]:
    """Give a control server that serves nobody yet, and a connection that is none."""
    forwarder: Any = SimpleNamespace(ports={})
    server = ControlServer.__new__(ControlServer)
    server.forwarder = forwarder
    server._requests = Requests(forwarder, lambda _: None)
    return server, None


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


def test_a_restarted_nic_gets_its_frames(bench):
    bench.a.send(bench.a.frame(b"before"))
    assert bench.b.take() == bench.a.frame(b"before")
    bench.b.socket.close()
    bench.b.plug()
    bench.a.send(bench.a.frame(b"after"))
    assert bench.b.take() == bench.a.frame(b"after")


def test_frames_for_a_nic_that_stood_still_come_when_it_goes_on(bench):
    sent = [bench.a.frame(str(number).encode(), to=bench.b.mac) for number in range(700)]
    bench.b.send(bench.b.frame())
    assert bench.a.take()
    for raw in sent:
        bench.a.send(raw)
    bench.wire.flush()
    assert [bench.b.take() for _ in sent] == sent


def test_a_new_run_of_the_lab_gets_nothing_that_waited_in_the_old(bench):
    bench.b.send(bench.b.frame())
    for _ in range(700):
        bench.a.send(bench.a.frame(b"old", to=bench.b.mac))
    bench.wire.pause()
    bench.b.socket.close()
    bench.b.plug()
    bench.wire.resume(new_generation=True)
    bench.a.send(bench.a.frame(b"new", to=bench.b.mac))
    assert bench.b.take() == bench.a.frame(b"new", to=bench.b.mac)


def test_a_port_can_be_added_while_the_wire_runs(bench):
    bench.wire.plug(Port("e/wire0", "outside"))
    nic = Nic(5, bench.directory, "e/wire0")
    bench.d.send(bench.d.frame())
    assert nic.take() == bench.d.frame()
    nic.socket.close()


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


WRONG_REQUESTS = {
    "no JSON": b"not json",
    "no object": b"[1]",
    "no name": b"{}",
    "an unknown name": b'{"do":"explode"}',
    "a list for a name": b'{"do":[]}',
    "deep": b'{"do":' + b"[" * 100_000,
    "deep and whole": b'{"do":"add","rule":' + b"[" * 60_000 + b"]" * 60_000 + b"}",
    "no UTF-8": b'{"do":"\xff"}',
    "half a character": rb'{"do":"attach","port":"\udc80/wire0","segment":"lan"}',
    "a key that is half a character": rb'{"do":"counters","\udc80":1}',
    "infinity": b'{"do":"add","rule":{"match":{},"action":{"kind":"delay","seconds":Infinity}}}',
    "a number that overflows": (
        b'{"do":"add","rule":{"match":{},"action":{"kind":"delay","seconds":1e999}}}'
    ),
    "a number of 5000 digits": b'{"do":"remove","id":' + b"1" * 5000 + b"}",
    "a long name": b'{"do":"attach","port":"' + b"p" * 70_000 + b'/wire0","segment":"lan"}',
    "a long name for a NIC": b'{"do":"plug","name":"' + b"p" * 70_000 + b'","segment":"lan"}',
    "a long segment": b'{"do":"attach","port":"p/x","segment":"' + b"s" * 70_000 + b'"}',
    "a segment that is a number": b'{"do":"inject","port":"p/x","segment":1}',
    "a name with a line break": rb'{"do":"attach","port":"p\n/x","segment":"lan"}',
    "a path for a name": b'{"do":"plug","name":"../x","segment":"lan"}',
    "no base64": rb'{"do":"inject","port":"p/x","segment":"lan","raw":"\u00e9"}',
    "a long field of a rule": b'{"do":"add","rule":{"' + b"f" * 70_000 + b'":1}}',
    "a rule of nothing": b'{"do":"add","rule":null}',
    "MACs of numbers": b'{"do":"mac_filter","port":"a/wire0","macs":[1]}',
    "half a generation": b'{"do":"resume","new_generation":"no"}',
    "a subscription to nonsense": b'{"do":"subscribe","match":{"protocol":"all"}}',
}


@pytest.mark.parametrize("line", WRONG_REQUESTS.values(), ids=WRONG_REQUESTS)
def test_a_wrong_request_is_answered_and_changes_nothing(bench, line):
    before = bench.wire.counters()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rude:
        rude.settimeout(10)
        rude.connect(str(bench.directory / "wire.sock"))
        rude.sendall(line + b"\n")
        with rude.makefile("rb") as answers:
            answer = json.loads(answers.readline())
    assert answer["ok"] is False
    assert "could not answer" not in answer["error"]
    assert len(answer["error"]) < 1000
    after = bench.wire.counters()
    virtual = after["ports"].pop("p/x", None)  # a port that injects is there before its frame is
    assert after == before
    assert virtual is None or not virtual["received"]
    bench.a.send(bench.a.frame())
    assert bench.b.take()


def test_a_request_without_end_is_answered_and_its_connection_closed(bench):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rude:
        rude.settimeout(10)
        rude.connect(str(bench.directory / "wire.sock"))
        with suppress(OSError):
            rude.sendall(b"x" * (LONGEST_REQUEST + 100_000))
        with rude.makefile("rb") as answers, suppress(ConnectionResetError):
            assert b"more than" in answers.readline()
    bench.a.send(bench.a.frame())
    assert bench.b.take()


COUNTERS = b'{"do":"counters"}\n'


def test_a_client_that_never_reads_its_answers_is_dropped_and_the_lab_is_not(bench):
    answer = len(json.dumps(bench.wire.counters()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rude:
        rude.settimeout(60)
        rude.connect(str(bench.directory / "wire.sock"))
        questions = COUNTERS * (3 * MOST_UNREAD // answer)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            rude.sendall(questions)
    assert "a client was dropped: more than" in (bench.directory / "wire.log").read_text()
    bench.a.send(bench.a.frame())
    assert bench.b.take()
    assert bench.wire.counters()["ports"]["a/wire0"]["received"] == 1


def test_a_client_that_reads_its_answers_late_gets_them_all(bench):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as slow:
        slow.settimeout(60)
        slow.connect(str(bench.directory / "wire.sock"))
        slow.sendall(COUNTERS * 1000)
        with slow.makefile("rb") as answers:
            assert all(json.loads(answers.readline())["ok"] for _ in range(1000))


def test_a_fault_of_the_wires_own_is_answered_and_logged(bench_in_process):
    server, connection = bench_in_process
    server.forwarder.ports = None
    answer = server.answer(connection, b'{"do":"counters"}')
    assert answer["ok"] is False
    assert "could not answer" in answer["error"]


def test_ports_and_rules_have_a_number_that_they_do_not_exceed(bench):
    for number in range(MOST_RULES):
        assert bench.wire.add(Rule(Match(), Drop(), probability=0.0)) == number + 1
    with pytest.raises(WireError, match=f"{MOST_RULES} rules"):
        bench.wire.add(Rule(Match(), Drop()))
    for number in range(MOST_PORTS - len(bench.wire.ports())):
        bench.wire.attach(f"probe/p{number}", "lan")
    with pytest.raises(WireError, match=f"{MOST_PORTS} ports at most"):
        bench.wire.attach("probe/more", "lan")


def test_the_control_socket_is_for_its_user_alone(bench):
    assert stat.S_IMODE((bench.directory / "wire.sock").stat().st_mode) == 0o600


def test_a_taken_port_is_named_and_leaves_no_wire(short_directory):
    sockets = Sockets.of(short_directory, "a/wire0")
    sockets.port.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as holder:
        holder.bind(str(sockets.port))
        with pytest.raises(WireError, match=r"a/wire0.*a\.wire0\.port"):
            Wire.start(
                short_directory,
                [Port("a/wire0", "lan")],
                capture=short_directory / "wire.pcapng",
            )
    assert not (short_directory / "wire.sock").exists()


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
