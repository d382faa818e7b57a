"""A virtual host on the wire: it asks who holds an address, and what answers there.

    with Probe(wire, "lan", "probe", "02:70:72:6f:62:65", "192.168.70.9") as probe:
        probe.ask("192.168.70.222")                       # MACs that answer ARP
        probe.tcp_connects("192.168.70.222", 943)         # when, on the wire's clock

No machine and no IP stack stand behind it: a thread answers ARP for its one address and follows
gratuitous ARP as a client's kernel does; everything else is a frame sent and a frame waited for.
A frame that cannot be read is counted (`malformed`) and passed over. Times are the wire's. It does
not judge, and it decodes no heartbeat.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import TracebackType
from typing import Any, Self

from evidence import packets
from evidence.packets import Arp, parse_headers
from lab import wait
from lab.errors import WireError
from lab.heard import (
    REPLY,
    REQUEST,
    SYN_ACK,
    Segment,
    arp_in,
    arp_reply,
    segment_in,
    sent_from,
    syn_ack,
)
from lab.testbed import Frames, Medium
from lab.timing import beside
from lab.wire import Frame, Match
from lab.wire.rules import mac_octets

_BROADCAST = "ff:ff:ff:ff:ff:ff"
_FIRST_PORT, _PORTS = 40_000, 20_000
AGAIN_S = 1.0
"""After so long an unanswered question is asked again."""
MOST_NEIGHBOURS = 1024
"""Addresses of which it is remembered who has them: those asked for latest, as a kernel does."""

_LISTEN_S = 0.2  # how often the listening thread looks whether it should end


@dataclass(frozen=True)
class Answer:
    """An answer: when it was on the wire (ns since 1970), and the MAC that sent it."""

    at_ns: int
    mac: str


@dataclass(frozen=True)
class Question:
    """A service was asked for: when (ns since 1970, this host's clock), and what answered that."""

    at_ns: int
    answers: list[Answer] = field(default_factory=list)


class Asking:
    """A service that is asked for again and again.

    `every` so many seconds, which may be changed meanwhile. Each question has a number of its own,
    so that its answers are known for its own, and one that got none is known, too.
    """

    def __init__(self, every: float) -> None:
        self.every = every
        self._questions: list[Question] = []
        self._numbered: dict[int, Question] = {}

    @property
    def questions(self) -> list[Question]:
        """All questions so far, in the order in which they were asked."""
        return list(self._questions)

    @property
    def answers(self) -> list[Answer]:
        """All answers so far."""
        return [answer for one in self.questions for answer in list(one.answers)]

    def ask(self, number: int) -> None:
        """Note a question, before it is sent."""
        self._numbered[number] = question = Question(time.time_ns())
        self._questions.append(question)

    def hear(self, number: int, answer: Answer) -> None:
        """Note an answer; one to a question that nobody asked is passed over."""
        if number in self._numbered:
            self._numbered[number].answers.append(answer)


class Probe:
    """A host at `ipv4` in `segment`, at the wire's virtual port `<name>/wire0`."""

    def __init__(self, wire: Medium, segment: str, name: str, mac: str, ipv4: str) -> None:
        self.port = f"{name}/wire0"
        self.mac = mac_octets(mac).hex(":")
        self.ipv4 = str(IPv4Address(ipv4))
        self._wire = wire
        self._segment = segment
        self._neighbours: dict[str, str] = {}
        self._asked: dict[str, None] = {}  # in the order of the latest question
        self._waiting: list[Callable[[Frame], None]] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._held = ExitStack()
        self._numbers = itertools.count()
        self.malformed = 0
        """How many frames came to this host that nothing could be made of."""

    def __enter__(self) -> Self:
        self._wire.attach(self.port, self._segment)
        stream = self._held.enter_context(self._wire.frames(Match(to_ports=(self.port,))))
        thread = threading.Thread(target=self._listen, args=(stream,), daemon=True)
        self._held.callback(thread.join)
        self._held.callback(self._ended.set)
        thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._held.close()

    def send(self, raw: bytes) -> None:
        """Put a frame on the wire as it is: a forged advertisement, say, or a replayed one."""
        self._wire.inject(self._segment, raw, port=self.port)

    def arp_owner(self, address: str, seconds: float = 1.0) -> frozenset[str]:
        """Ask once who has `address`; return the MACs that answer within `seconds`."""
        return self.ask(address, times=1, every=seconds)

    def ask(self, address: str, times: int = 5, every: float = 0.5) -> frozenset[str]:
        """Ask `times` who has `address`, `every` so many seconds; return all MACs that answer."""
        found: list[Answer] = []
        with self._hearing(lambda frame: arp_reply(frame, address), found):
            for _ in range(times):
                self._who_has(address)
                wait.heard(self._ended, every)
        return frozenset(answer.mac for answer in found)

    def tcp_connects(self, address: str, port: int, seconds: float = 2.0) -> Answer | None:
        """Open a TCP connection and reset it; return the SYN/ACK, or None."""
        number = self._port_number()
        return self._exchange(
            address,
            lambda: self._syn(address, port, number),
            lambda frame: syn_ack(frame, address, port, number),
            seconds,
        )

    def udp_answers(
        self, address: str, port: int, payload: Callable[[], bytes] | bytes, seconds: float = 2.0
    ) -> Answer | None:
        """Send a datagram; return the first one that comes back from there, or None."""
        number = self._port_number()
        content = payload if callable(payload) else lambda: payload
        return self._exchange(
            address,
            lambda: self._datagram(address, port, number, content()),
            lambda frame: sent_from(frame, address, packets.UDP, port, number),
            seconds,
        )

    @contextmanager
    def keep_asking(
        self,
        address: str,
        port: int,
        every: float = 0.1,
        payload: Callable[[], bytes] | None = None,
    ) -> Iterator[Asking]:
        """Ask for a TCP port, or with the datagrams of `payload` for a UDP port, until the end.

        Answers bear the wire's time, so the first one after a takeover is exact to `every`
        seconds.
        """
        asking = Asking(every)
        over = threading.Event()
        protocol = packets.TCP if payload is None else packets.UDP

        def knock() -> None:
            while not over.wait(asking.every):
                self._knock(address, port, asking, payload)

        def answering(frame: Frame) -> str | None:
            if payload is None:
                return syn_ack(frame, address, port, None)
            return sent_from(frame, address, protocol, port, None)

        def hear(frame: Frame) -> None:
            if mac := answering(frame):
                port = parse_headers(frame.raw).destination_port or 0
                asking.hear(port, Answer(frame.at_ns, mac))

        self._resolve(address, 1.0)
        with self._listening(hear):
            thread = threading.Thread(target=knock, daemon=True)
            thread.start()
            try:
                yield asking
            finally:
                over.set()
                thread.join()

    def neighbour(self, address: str) -> str | None:
        """Return the MAC that this host believes to have `address`."""
        return self._neighbours.get(address)

    @property
    def neighbours(self) -> frozenset[str]:
        """The addresses of which this host believes to know the MAC."""
        return frozenset(self._neighbours)

    def _who_has(self, address: str) -> None:
        """Ask for an address; what others say of addresses that were not asked for is not learned.

        So what a guest sends takes no memory, however much it is.
        """
        with self._lock:
            self._asked.pop(address, None)
            self._asked[address] = None
            for oldest in list(self._asked)[:-MOST_NEIGHBOURS]:
                del self._asked[oldest]
                self._neighbours.pop(oldest, None)
        self.send(_arp(REQUEST, self.mac, self.ipv4, _BROADCAST, address))

    def _knock(
        self, address: str, port: int, asking: Asking, payload: Callable[[], bytes] | None
    ) -> None:
        number = self._port_number()
        asking.ask(number)
        try:
            if address not in self._neighbours:
                self._who_has(address)
            elif payload is None:
                self._syn(address, port, number)
            else:
                self._datagram(address, port, number, payload())
        except WireError:  # the wire ended: whoever waits for answers learns it by itself
            self._ended.set()

    def _port_number(self) -> int:
        return _FIRST_PORT + next(self._numbers) % _PORTS

    def _exchange(
        self,
        address: str,
        ask: Callable[[], None],
        answers: Callable[[Frame], str | None],
        seconds: float,
    ) -> Answer | None:
        ends = time.monotonic() + seconds
        if not self._resolve(address, seconds):
            return None
        found: list[Answer] = []
        with self._hearing(answers, found) as heard:
            _ask_until(heard, ask, ends)
        return found[0] if found else None

    def _resolve(self, address: str, seconds: float) -> bool:
        """Ask anew who has `address`: what was learned earlier may be of another holder."""
        found: list[Answer] = []
        with self._hearing(lambda frame: arp_reply(frame, address), found) as heard:
            _ask_until(heard, lambda: self._who_has(address), time.monotonic() + seconds)
        return bool(found)

    def _syn(self, address: str, port: int, number: int) -> None:
        from scapy.layers.inet import TCP

        self._send_ip(address, TCP(sport=number, dport=port, flags="S", seq=number))

    def _datagram(self, address: str, port: int, number: int, content: bytes) -> None:
        from scapy.layers.inet import UDP

        self._send_ip(address, UDP(sport=number, dport=port) / content)

    def _send_ip(self, address: str, segment: Any) -> None:  # noqa: ANN401 - scapy has no types
        from scapy.layers.inet import IP
        from scapy.layers.l2 import Ether

        mac = self._neighbours.get(address, _BROADCAST)
        self.send(bytes(Ether(src=self.mac, dst=mac) / IP(src=self.ipv4, dst=address) / segment))

    @contextmanager
    def _hearing(
        self, answers: Callable[[Frame], str | None], found: list[Answer]
    ) -> Iterator[threading.Event]:
        """Append an Answer to `found` for each frame whose sender `answers` names."""
        heard = threading.Event()

        def listen(frame: Frame) -> None:
            if mac := answers(frame):
                found.append(Answer(frame.at_ns, mac))
                heard.set()

        with self._listening(listen):
            yield heard

    @contextmanager
    def _listening(self, listen: Callable[[Frame], None]) -> Iterator[None]:
        """Let `listen` see each frame that comes to this host."""
        with self._lock:
            self._waiting.append(listen)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.remove(listen)

    def _listen(self, stream: Frames) -> None:
        with beside():
            while not self._ended.is_set():
                try:
                    frame = stream.take(_LISTEN_S)
                    if frame is not None:
                        self._hear(frame)
                except WireError:
                    self._ended.set()
                except Exception:  # noqa: BLE001 - whatever a stranger sends, the next frame is heard
                    self.malformed += 1

    def _hear(self, frame: Frame) -> None:
        try:
            self._answer(frame)
        finally:
            with self._lock:
                for listen in self._waiting:
                    listen(frame)

    def _answer(self, frame: Frame) -> None:
        """Do what a host does by itself: learn, answer who asks for it, leave nothing open."""
        if parse_headers(frame.raw).ethertype == packets.ARP:
            if (arp := arp_in(frame)) is None:
                self.malformed += 1
            else:
                self._learn(arp)
        elif (came := segment_in(frame)) is not None and came.target == self.ipv4:
            self._reset(came)

    def _learn(self, arp: Arp) -> None:
        """Take a reply or a gratuitous ARP for true, and answer what asks for this host."""
        with self._lock:
            if arp.sender in self._asked and (
                arp.sender in self._neighbours or arp.operation == REPLY
            ):
                self._neighbours[arp.sender] = arp.sender_mac
        if arp.operation == REQUEST and arp.target == self.ipv4 and not arp.gratuitous:
            self.send(_arp(REPLY, self.mac, self.ipv4, arp.sender_mac, arp.sender))

    def _reset(self, came: Segment) -> None:
        """End each connection that was accepted: nothing is left open at the other end."""
        from scapy.layers.inet import TCP

        if came.flags == SYN_ACK:
            closing = TCP(sport=came.target_port, dport=came.port, flags="R", seq=came.acknowledged)
            self._send_ip(came.sender, closing)


def _ask_until(answered: threading.Event, ask: Callable[[], None], ends: float) -> None:
    """Ask, and once more each second until it is answered or the time is over, as any host does.

    So one frame that is lost on the way is no silence. ends: by the monotonic clock.
    """
    while True:
        ask()
        left = max(0.0, ends - time.monotonic())
        if wait.heard(answered, min(AGAIN_S, left)) or left <= AGAIN_S:
            return


def _arp(operation: int, mac: str, ipv4: str, target_mac: str, target: str) -> bytes:
    from scapy.layers import l2

    hardware = "00:00:00:00:00:00" if operation == 1 else target_mac
    asked = l2.ARP(op=operation, hwsrc=mac, psrc=ipv4, hwdst=hardware, pdst=target)
    return bytes(l2.Ether(src=mac, dst=target_mac) / asked)
