"""A NIC's port: when each frame came, what waits for a NIC, and who may be at the other end."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from lab.errors import WireError
from lab.topology import Name
from lab.wire.port import MOST_WAITING, NicPort, Port, Sockets
from tests.wire.conftest import Nic

A = Port("a/wire0", "lan")


@pytest.fixture
def nic(short_directory: Path) -> Iterator[Nic]:
    played = Nic(1, short_directory, A.name)
    yield played
    played.socket.close()


@pytest.fixture
def port(nic: Nic, short_directory: Path) -> Iterator[NicPort]:
    with closing(NicPort(A, short_directory)) as plugged:
        yield plugged


def taken(port: NicPort) -> list[bytes]:
    frames: list[bytes] = []
    while port.drain(lambda _, raw: frames.append(raw)):
        pass
    return frames


def test_a_frame_came_when_the_kernel_got_it_not_when_it_was_taken(nic, port):
    sent = []
    for number in range(3):
        before = time.time_ns()
        nic.send(bytes([number]))
        sent.append((bytes([number]), before, time.time_ns()))
    seen = []
    port.drain(lambda came, raw: seen.append((raw, came.arrived_ns())))
    assert [raw for raw, _ in seen] == [raw for raw, _, _ in sent]
    for (_, at_ns), (_, before, after) in zip(seen, sent, strict=True):
        assert before <= at_ns <= after


def test_a_nic_that_finds_no_room_waits_and_nothing_is_lost(nic, port):
    sent = nic.fill()
    assert taken(port) == sent
    nic.send(b"now there is room")
    assert taken(port) == [b"now there is room"]


def test_how_long_a_nic_may_have_been_kept_waiting_is_told(nic, port):
    began_ns = time.time_ns()
    nic.fill()
    time.sleep(0.02)
    taken(port)
    assert 20_000_000 <= port.held_ns <= time.time_ns() - began_ns


def test_a_nic_that_never_filled_its_port_was_not_kept_waiting(nic, port):
    nic.send(b"x")
    taken(port)
    assert port.held_ns == 0


def test_frames_for_a_nic_without_room_wait_in_order(nic, port):
    full: list[bool] = []
    port.on_full = lambda: full.append(True)
    sent = [str(number).encode() for number in range(200)]
    for raw in sent:
        port.send(raw)
    assert full == [True]
    received = nic.waiting()
    while not port.flush():
        received += nic.waiting()
    received += nic.waiting()
    assert received == sent
    assert port.counters()["sent"] == len(sent)


def test_beyond_the_length_of_a_queue_frames_are_dropped_and_counted(nic, port):
    nic.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(MOST_WAITING + 1000):
        port.send(b"x")
    lost = port.counters()["unsent"]
    assert lost > 0
    received = nic.waiting()
    while not port.flush():
        received += nic.waiting()
    assert len(received + nic.waiting()) == MOST_WAITING + 1000 - lost


def test_what_waits_for_a_nic_that_is_gone_goes_with_it(nic, port):
    for _ in range(50 + 600):  # more than any kernel keeps
        port.send(b"of its former life")
    nic.socket.close()
    assert port.flush()
    nic.plug()
    port.send(b"of this one")
    assert nic.waiting() == [b"of this one"]


def test_a_nic_that_was_gone_gets_the_first_frame_after_it_is_back(nic, port):
    port.send(b"first")
    assert nic.take() == b"first"
    nic.socket.close()
    port.send(b"lost")
    assert port.counters()["absent"] == 1
    nic.plug()
    port.send(b"found")
    assert nic.take() == b"found"
    nic.send(b"answer")
    assert taken(port) == [b"answer"]


def test_what_a_nic_sent_before_it_went_away_is_taken(nic, port):
    port.send(b"to it")
    nic.send(b"last words")
    nic.socket.close()
    nic.plug()
    port.send(b"to its successor")
    assert taken(port) == [b"last words"]


def test_the_sockets_are_for_their_user_alone(nic, port):
    assert stat.S_IMODE(port.sockets.port.stat().st_mode) == 0o600
    assert stat.S_IMODE(port.sockets.port.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_can_neither_send_nor_take_a_name(nic, port):
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        denied = 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            for attempt in (
                lambda: stranger.sendto(b"forged", str(port.sockets.port)),
                lambda: stranger.bind(str(port.sockets.nic) + "2"),
                lambda: port.sockets.nic.unlink(),
            ):
                try:
                    attempt()
                except PermissionError:
                    denied += 1
        os._exit(denied)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert taken(port) == []


def test_a_name_left_by_a_wire_that_died_is_taken_over(short_directory):
    left = NicPort(A, short_directory)
    left.ingress.close()
    left.egress.close()
    with closing(NicPort(A, short_directory)) as plugged:
        assert plugged.sockets.port.is_socket()


def test_a_name_that_a_wire_serves_is_refused(port, short_directory):
    with pytest.raises(WireError, match=r"port a/wire0: cannot bind .*a\.wire0\.port"):
        NicPort(A, short_directory)


def test_a_directory_too_long_for_a_socket_is_said(tmp_path):
    with pytest.raises(WireError, match="too long for a Unix socket"):
        NicPort(A, tmp_path / ("d" * 100))


@pytest.mark.parametrize(
    "name", ["", "a", "a/", "/wire0", "../x", "a/b/c", "A/wire0", "a\n/wire0", "a" * 70_000, 7]
)
def test_a_port_has_a_name_that_files_and_captures_can_have(name):
    with pytest.raises(WireError, match="no name of a port") as caught:
        Port(name, "lan")
    assert len(str(caught.value)) < 300


def test_every_name_that_a_topology_takes_is_one_for_a_port():
    longest = "n" * 32
    assert TypeAdapter(Name).validate_python(longest) == longest
    assert Port(f"{longest}/wire0", longest).segment == longest
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(longest + "n")


@pytest.mark.parametrize("segment", ["", "l n", "lan\n", "\udc80", 7])
def test_a_segment_has_a_name(segment):
    with pytest.raises(WireError, match="no name of a segment"):
        Port("a/wire0", segment)


def test_a_nics_sockets_lie_in_the_labs_directory(short_directory):
    found = Sockets.of(short_directory, "gateway/wire1")
    assert found.port == short_directory / "wire" / "gateway.wire1.port"
    assert found.nic == short_directory / "wire" / "gateway.wire1.nic"
