"""A NIC's port tells frames from strangers' datagrams, when each came, and how many were lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from lab.errors import WireError
from lab.wire.port import NicPort, Port


@pytest.fixture
def nic() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound


@pytest.fixture
def port(nic: socket.socket) -> Iterator[NicPort]:
    with closing(NicPort(Port("a/wire0", "lan", nic.getsockname()[1]))) as plugged:
        nic.connect(("127.0.0.1", plugged.switch_port))
        yield plugged


def test_a_frame_came_when_the_kernel_got_it_not_when_it_was_taken(nic, port):
    sent = []
    for number in range(3):
        before = time.time_ns()
        nic.send(bytes([number]))
        sent.append((bytes([number]), before, time.time_ns()))
    taken = []
    port.drain(lambda came, raw: taken.append((raw, came.arrived_ns())))
    assert [raw for raw, _ in taken] == [raw for raw, _, _ in sent]
    for (_, at_ns), (_, before, after) in zip(taken, sent, strict=True):
        assert before <= at_ns <= after


def test_frames_the_kernel_dropped_are_counted_without_waiting_for_another(nic, port):
    sent = 4000
    for _ in range(sent):
        nic.send(b"." * 8000)
    taken: list[bytes] = []
    while port.drain(lambda _, raw: taken.append(raw)):
        pass
    assert port.counters()["overflowed"] == sent - len(taken) > 0


def test_a_nic_that_was_gone_gets_the_first_frame_after_it_is_back(nic, port):
    number = nic.getsockname()[1]
    nic.close()
    port.send(b"lost")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
        back.bind(("127.0.0.1", number))
        back.connect(("127.0.0.1", port.switch_port))
        port.send(b"found")
        assert back.recv(100) == b"found"
        back.send(b"answer")
        taken: list[bytes] = []
        port.drain(lambda _, raw: taken.append(raw))
        assert taken == [b"answer"]


def test_a_nic_that_moved_is_the_only_one_heard(nic, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as moved:
        moved.bind(("127.0.0.1", 0))
        nic.send(b"from the old place")
        port.nic_port = moved.getsockname()[1]
        moved.connect(("127.0.0.1", port.switch_port))
        nic.send(b"from the old place, too late")
        moved.send(b"from the new one")
        taken: list[bytes] = []
        port.drain(lambda _, raw: taken.append(raw))
        assert taken == [b"from the new one"]


def test_what_a_stranger_sent_before_anyone_was_connected_is_not_a_frame(nic, monkeypatch):
    really = socket.socket.connect

    def late(self: socket.socket, address: tuple[str, int]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"early", self.getsockname())
        really(self, address)

    monkeypatch.setattr(socket.socket, "connect", late)
    with closing(NicPort(Port("a/wire0", "lan", nic.getsockname()[1]))) as plugged:
        taken: list[bytes] = []
        plugged.drain(lambda _, raw: taken.append(raw))
        assert taken == []


@pytest.mark.parametrize("number", [0, 65536])
def test_a_nic_without_a_port_is_refused(number):
    with pytest.raises(WireError, match="cannot have the UDP port"):
        NicPort(Port("a/wire0", "lan", number))
