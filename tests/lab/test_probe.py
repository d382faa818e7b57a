"""A virtual host on a real wire, talking to NICs that the test plays."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from evidence.packets import ARP, IPV4, parse_headers
from lab.probe import MOST_NEIGHBOURS, Asking, Probe
from lab.timing import Kind, Recorder
from lab.wait import until
from tests.wire.conftest import BROADCAST, Bench, Nic

OWN, HELD = "192.168.70.9", "192.168.70.222"
OWN_MAC = "02:70:72:6f:62:65"
PATIENCE_S = 20.0  # for what answers in milliseconds, unless this machine is busy
TCP_SYN_ACK, TCP_RESET = 0x12, 0x04


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as held:
        yield Bench(tmp_path, held)


@pytest.fixture
def probe(bench: Bench) -> Iterator[Probe]:
    with Probe(bench.wire, "lan", "probe", OWN_MAC, OWN) as host:
        yield host


def arp(operation: int, nic: Nic, sender: str, target: str, to: bytes = BROADCAST) -> bytes:
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    body += nic.mac + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)
    return to + nic.mac + b"\x08\x06" + body.ljust(46, b"\0")


def segment(nic: Nic, request: bytes, flags: int) -> bytes:
    """Answer a TCP segment: addresses and ports turned round, `flags` set."""
    number, port, sequence = struct.unpack_from("!HHI", request, 34)
    header = struct.pack("!HHIIBBHHH", port, number, 7, sequence + 1, 0x50, flags, 1000, 0, 0)
    return reply(nic, request, header)


def reply(nic: Nic, request: bytes, content: bytes) -> bytes:
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 1, 0, 64, request[23], 0)
    packet = ip + request[30:34] + request[26:30] + content
    return request[6:12] + nic.mac + b"\x08\x00" + packet


@contextmanager
def playing(nic: Nic, act: Callable[[bytes], None]) -> Iterator[None]:
    """Let `act` see every frame that NIC gets, until the block ends."""
    over = threading.Event()
    nic.socket.settimeout(0.05)

    def play() -> None:
        while not over.is_set():
            try:
                act(nic.take())
            except TimeoutError:
                continue

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def holder(nic: Nic, *, flags: int = TCP_SYN_ACK, seen: list[bytes] | None = None, loses: int = 0):
    """Play a machine that holds the virtual IP and accepts, or refuses, TCP.

    loses: so many of the first frames of each kind do not get there.
    """
    lost: Counter[tuple[int, int]] = Counter()

    def act(frame: bytes) -> None:
        headers = parse_headers(frame)
        kind = headers.ethertype, headers.protocol
        lost[kind] += 1
        if lost[kind] <= loses:
            return
        if headers.ethertype == ARP and headers.destination_ip == socket.inet_aton(HELD):
            nic.send(arp(2, nic, HELD, OWN, to=headers.source))
        elif headers.ethertype == IPV4 and headers.destination == nic.mac:
            if seen is not None:
                seen.append(frame)
            if headers.protocol == 17:
                number, port = struct.unpack_from("!HH", frame, 34)
                nic.send(reply(nic, frame, struct.pack("!HHHH", port, number, 11, 0) + b"yes"))
            elif frame[47] & 0x02:
                nic.send(segment(nic, frame, flags))

    return playing(nic, act)


def test_the_owner_of_an_address_is_who_answers_for_it(bench: Bench, probe: Probe) -> None:
    with holder(bench.a):
        assert probe.arp_owner(HELD, 2) == {bench.a.mac.hex(":")}


def test_two_owners_are_both_seen(bench: Bench, probe: Probe) -> None:
    with holder(bench.a), holder(bench.b):
        assert probe.ask(HELD, times=2, every=1) == {bench.a.mac.hex(":"), bench.b.mac.hex(":")}


def test_an_address_without_owner_is_nobodys(probe: Probe) -> None:
    assert probe.arp_owner(HELD, 0.1) == frozenset()


def test_a_tcp_port_that_accepts_answers_at_the_wires_time_and_is_reset(
    bench: Bench, probe: Probe
) -> None:
    seen: list[bytes] = []
    with holder(bench.a, seen=seen):
        answer = probe.tcp_connects(HELD, 943, PATIENCE_S)
        until(lambda: any(frame[47] == TCP_RESET for frame in seen), 5, "a reset")
    assert answer is not None
    assert answer.mac == bench.a.mac.hex(":")
    stamps = [part.at_ns for part in bench.recorded()]
    assert answer.at_ns in stamps


def test_a_refused_connection_is_no_answer(bench: Bench, probe: Probe) -> None:
    with holder(bench.a, flags=0x14):
        assert probe.tcp_connects(HELD, 943, 0.3) is None


def test_a_datagram_that_is_answered_counts_and_one_that_is_not_does_not(
    bench: Bench, probe: Probe
) -> None:
    with holder(bench.a):
        assert probe.udp_answers(HELD, 1194, b"hello", PATIENCE_S) is not None
    assert probe.udp_answers("192.168.70.77", 1194, b"hello", 0.1) is None


def test_what_is_lost_is_asked_again(
    bench: Bench, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.probe.AGAIN_S", 0.1)
    with holder(bench.a, loses=1):
        assert probe.tcp_connects(HELD, 943, PATIENCE_S) is not None
        assert probe.udp_answers(HELD, 1194, b"hello", PATIENCE_S) is not None


def test_it_answers_for_its_own_address_only(bench: Bench, probe: Probe) -> None:
    bench.a.send(arp(1, bench.a, "192.168.70.1", "192.168.70.8"))
    bench.a.send(arp(1, bench.a, "192.168.70.1", OWN))
    answer = bench.a.take()
    assert answer[6:12].hex(":") == probe.mac
    assert answer[20:22] == b"\0\2"
    assert answer[28:32] == socket.inet_aton(OWN)


def test_a_steady_prober_follows_a_gratuitous_arp_to_the_next_holder(
    bench: Bench, probe: Probe
) -> None:
    with holder(bench.a), probe.keep_asking(HELD, 943, every=0.02) as asking:
        until(lambda: asking.answers, 5, "an answer of the first holder")
    with holder(bench.b), probe.keep_asking(HELD, 943, every=0.02) as asking:
        bench.b.send(arp(1, bench.b, HELD, HELD))
        until(lambda: asking.answers, 5, "an answer of the second holder")
    assert asking.answers[-1].mac == bench.b.mac.hex(":")
    assert probe.neighbour(HELD) == bench.b.mac.hex(":")


def test_who_answers_for_addresses_that_nobody_asked_for_fills_no_memory(
    bench: Bench, probe: Probe
) -> None:
    with holder(bench.a):
        assert probe.arp_owner(HELD, PATIENCE_S)
        for number in range(2000):
            bench.b.send(arp(2, bench.b, f"10.1.{number // 250}.{number % 250}", OWN))
            if number % 50 == 0:
                bench.wire.flush()  # the probe's socket is no larger than that
        bench.b.send(arp(1, bench.b, HELD, HELD))
        until(lambda: probe.neighbour(HELD) == bench.b.mac.hex(":"), PATIENCE_S, "the last of them")
    assert probe.neighbours == frozenset({HELD})


def test_what_answered_each_of_many_questions_is_known_for_the_latest(
    bench: Bench, probe: Probe
) -> None:
    asked = [f"10.1.{number // 250}.{number % 250}" for number in range(MOST_NEIGHBOURS + 1)]
    for address in asked:
        probe.ask(address, times=1, every=0.0)
    for number, address in enumerate(asked):
        bench.b.send(arp(2, bench.b, address, OWN))
        if number % 50 == 0:
            bench.wire.flush()
    until(lambda: probe.neighbour(asked[-1]), PATIENCE_S, "the last answer")
    assert probe.neighbours == frozenset(asked[1:])


@pytest.mark.parametrize("payload", [None, lambda: b"hello"], ids=["tcp", "udp"])
def test_a_question_that_nobody_answers_is_known_from_one_that_somebody_does(
    bench: Bench, probe: Probe, payload: Callable[[], bytes] | None
) -> None:
    with probe.keep_asking(HELD, 943, 0.02, payload) as asking:
        with holder(bench.a):
            bench.a.send(arp(1, bench.a, HELD, HELD))
            probe.arp_owner(HELD, 0.1)
            until(lambda: asking.answers, PATIENCE_S, "an answer")
        asked = len(asking.questions)
        until(lambda: len(asking.questions) > asked + 2, PATIENCE_S, "questions to nobody")
    answered = [one for one in asking.questions if one.answers]
    assert not asking.questions[-1].answers
    assert all(
        one.at_ns <= answer.at_ns and answer.mac == bench.a.mac.hex(":")
        for one in answered
        for answer in one.answers
    )


def test_a_steady_prober_asks_as_often_as_it_is_told_meanwhile(probe: Probe) -> None:
    with probe.keep_asking(HELD, 943, every=0.01) as asking:
        until(lambda: len(asking.questions) > 2, PATIENCE_S, "questions")
        asking.every = 3600.0
        until(lambda: _asks_no_more(asking), PATIENCE_S, "the questions to become rare")


def _asks_no_more(asking: Asking) -> bool:
    before = len(asking.questions)
    time.sleep(0.2)
    return len(asking.questions) == before


def test_forged_frames_go_out_as_they_are(bench: Bench, probe: Probe) -> None:
    forged = BROADCAST + bytes(6) + b"\x08\x00" + b"forged".ljust(46)
    probe.send(forged)
    assert bench.a.take() == forged


def test_its_own_listening_is_nobodys_waiting_and_asking_is(
    probe: Probe, recorder: Recorder
) -> None:
    time.sleep(0.5)
    assert recorder.take().shares[Kind.WAIT].own_s == 0
    probe.ask(HELD, times=1, every=0.1)
    assert recorder.take().shares[Kind.WAIT].own_s >= 0.1


def test_listening_to_the_wire_is_waiting(bench: Bench, recorder: Recorder) -> None:
    with bench.wire.frames() as heard:
        assert heard.take(0.1) is None
        assert list(heard.take_for(0.1)) == []
    assert recorder.take().shares[Kind.WAIT].own_s >= 0.2


DEAF = [
    pytest.param(b"\x08\x06", id="arp without a packet"),
    pytest.param(b"\x08\x06\0\1", id="arp of two octets"),
    pytest.param(b"\x08\x06" + bytes(28), id="arp of nothing"),
    pytest.param(b"\x08\0", id="ipv4 without a header"),
    pytest.param(b"\x08\0E" + bytes(8) + b"\6" + bytes(10), id="tcp without a header"),
    pytest.param(b"\x08\0O\0\0\x50" + bytes(5) + b"\6" + bytes(60), id="tcp behind options"),
    pytest.param(b"\x81\0\0\1\x08\6", id="a tag"),
]


@pytest.mark.parametrize("broken", DEAF)
def test_a_frame_that_cannot_be_read_does_not_end_the_listening(
    bench: Bench, probe: Probe, broken: bytes
) -> None:
    bench.a.send(BROADCAST + bench.a.mac + broken)
    with holder(bench.a):
        assert probe.ask(HELD, times=1, every=2) == {bench.a.mac.hex(":")}
        assert probe.tcp_connects(HELD, 943, PATIENCE_S) is not None


def test_arp_that_cannot_be_read_is_counted(bench: Bench, probe: Probe) -> None:
    for _ in range(3):
        bench.a.send(BROADCAST + bench.a.mac + b"\x08\x06")
    until(lambda: probe.malformed == 3, PATIENCE_S, "three frames to be counted")


def test_whatever_goes_wrong_with_one_frame_the_next_is_heard(
    bench: Bench, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(_: object) -> None:
        raise KeyError("an error of ours")

    with monkeypatch.context() as broken:
        broken.setattr(probe, "_learn", trip)
        bench.a.send(arp(2, bench.a, HELD, OWN))
        until(lambda: probe.malformed == 1, PATIENCE_S, "the frame to be counted")
    with holder(bench.a):
        assert probe.arp_owner(HELD, 2) == {bench.a.mac.hex(":")}
