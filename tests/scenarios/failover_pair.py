"""A failover pair that tests play: two heartbeats on a real wire, machines that answer a script.

A node takes over three periods and a half after its peer has fallen silent, announces itself twice,
accepts TCP and answers datagrams: what ucarp and the service do, without either.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from evidence.packets import ARP, IPV4, parse_headers
from lab.clock import ClockOffset
from lab.topology import read_topology
from lab.wire import Port, Wire
from tests.checks.protocols import encoder
from tests.wire.conftest import Nic

VIRTUAL_IP, PASSWORD = encoder.VIRTUAL_IP, encoder.PASSWORD
ADDRESS = {"primary": "192.168.70.1", "secondary": "192.168.70.2"}
DEAD_S = 3.5
TLS_CRYPT_KEY = "\n".join(["-----BEGIN OpenVPN Static key V1-----", *["5a" * 16] * 16, ""])

Said = str | Callable[[str], str]


@dataclass
class ScriptedMachine:
    """Answers each command by the first entry whose key stands in it; power is a node's."""

    name: str
    script: Mapping[str, Said]
    node: PlayedNode | None = None
    asked: list[str] = field(default_factory=list)

    def run(self, command: str, **_: object) -> Any:
        self.asked.append(command)
        said = next((answer for key, answer in self.script.items() if key in command), "")
        text = said if isinstance(said, str) else said(command)
        return SimpleNamespace(status=0, stdout=text, stderr="", seconds=0.1)

    def clock(self) -> ClockOffset:
        return ClockOffset(0, 10**6)

    def kill(self) -> None:
        assert self.node is not None
        self.node.power.clear()

    def power_on(self) -> None:
        assert self.node is not None
        self.node.power.set()


class PlayedNode:
    """One node's heartbeat, ARP and TCP, on a thread of its own."""

    def __init__(self, name: str, nic: Nic, mac: bytes, *, active: bool) -> None:
        self.name, self.nic, self.active = name, nic, active
        nic.mac = mac
        self.power, self.over = threading.Event(), threading.Event()
        self.power.set()
        self.counter = 1000
        self.log: list[str] = []
        self.changes: list[str] = []  # when its service began or ended (ns), and what it held then
        self.serial, self.staged = 5, 0  # of its own databases, of what the other sent it
        self._heard = time.monotonic()
        self._advertised = self._garp = 0.0
        self._thread = threading.Thread(target=self._play)

    @contextmanager
    def playing(self) -> Iterator[None]:
        self.nic.socket.settimeout(0.01)
        self._thread.start()
        try:
            yield
        finally:
            self.over.set()
            self._thread.join()

    def _play(self) -> None:
        while not self.over.is_set():
            try:
                frame = self.nic.take()
            except TimeoutError:
                frame = b""
            if self.power.is_set():
                self._hear(frame)
                self._tick(time.monotonic())
            else:
                self.active, self._heard = False, time.monotonic()

    def _tick(self, now: float) -> None:
        if not self.active and now - self._heard > DEAD_S:
            self.active, self._garp = True, now + 2
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            for text in ("Switching to state: MASTER", "serving"):
                self.log.append(f'{stamp} [stdout#info] [FAILOVER] OUT: "{text}"')
            self._announce()
        if self.active and self._garp and now > self._garp:
            self._garp = 0.0
            self._announce()
        if self.active and now - self._advertised >= 1:
            late = now - self._advertised > 2
            self._advertised = now if late else self._advertised + 1
            self.counter += 1
            self.nic.send(encoder.carp(ADDRESS[self.name], counter=self.counter))

    def _announce(self) -> None:
        self.nic.send(encoder.gratuitous(self.nic.mac.hex(":")))

    def _hear(self, frame: bytes) -> None:
        headers = parse_headers(frame)
        if headers.protocol == 112:
            self._heard = time.monotonic()
            self.counter = int.from_bytes(frame[42:50], "big")
            if headers.source_ip < socket.inet_aton(ADDRESS[self.name]):
                self.active = False  # the lower address stays
        elif headers.ethertype == ARP and frame[38:42] == socket.inet_aton(VIRTUAL_IP):
            if self.active and frame[28:32] != frame[38:42]:
                asker = socket.inet_ntoa(frame[28:32])
                sent = encoder.arp(
                    2, self.nic.mac.hex(":"), VIRTUAL_IP, asker, to=frame[6:12].hex(":")
                )
                self.nic.send(sent)
        elif headers.ethertype == IPV4 and headers.destination == self.nic.mac and self.active:
            self._accept(frame)

    def _accept(self, frame: bytes) -> None:
        number, port, sequence = struct.unpack_from("!HHI", frame, 34)
        if frame[23] == 6 and frame[47] == 0x02:
            tcp = struct.pack("!HHIIBBHHH", port, number, 7, sequence + 1, 0x50, 0x12, 999, 0, 0)
            self._reply(frame, tcp)
        elif frame[23] == 17 and port == 1194:
            self._reply(frame, struct.pack("!HHHH", port, number, 11, 0) + b"yes")

    def _reply(self, frame: bytes, content: bytes) -> None:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), 1, 0, 64, frame[23], 0)
        packet = ip + frame[30:34] + frame[26:30] + content
        self.nic.send(frame[6:12] + self.nic.mac + b"\x08\x00" + packet)


class PlayedLab:
    """What scenarios take for a lab: machines, a topology, a wire."""

    def __init__(self, directory: Path, wire: Wire, nodes: Mapping[str, PlayedNode]) -> None:
        self.directory, self.wire, self.nodes = directory, wire, nodes
        self.topology = read_topology("failover")
        self.clock = ClockOffset(0, 0)
        self.machines = {name: self._node(name) for name in nodes}
        self.machines["gateway"] = ScriptedMachine("gateway", {"neigh": self._neighbours})
        self.machines["client"] = ScriptedMachine("client", {})

    def __getitem__(self, name: str) -> Any:
        return self.machines[name]

    def mac(self, name: str, index: int) -> str:
        return self.topology.mac(name, index)

    def interface(self, _name: str, index: int) -> str:
        return f"wire{index}"

    def announce(self, what: str) -> None:
        """Nobody else uses it."""

    def _node(self, name: str) -> ScriptedMachine:
        node = self.nodes[name]
        config = {"ucarp.password": PASSWORD, "failover.vip": VIRTUAL_IP}
        script: dict[str, Said] = {
            "FailoverStatus": lambda _: json.dumps(
                {
                    "state": "MASTER" if node.active else "BACKUP",
                    "live": {"term": 1, "serial": node.serial},
                    "staged": {"term": 1, "serial": node.staged} if node.staged else None,
                }
            ),
            "FailoverSync": lambda _: self._sync(node),
            "service openvpnas stop": lambda _: self._switch(node, on=False),
            "service openvpnas start": lambda _: self._switch(node, on=True),
            "cat /run/address-changes": lambda _: "\n".join(node.changes),
            "after-stop": lambda _: f"100.00\n{self._addresses(node)}\n100.25\n",
            "ConfigQuery": json.dumps(config),
            "tls-crypt.key": TLS_CRYPT_KEY,
            "ip -j -4 addr": lambda _: self._addresses(node),
            "openvpnas.log": lambda _: "\n".join(node.log[:1]),
            "openvpnas-node.log": lambda _: "\n".join(node.log[1:]),
        }
        return ScriptedMachine(name, script, node)

    def _addresses(self, node: PlayedNode) -> str:
        active = node.active and node.power.is_set()
        held = (ADDRESS[node.name], *([VIRTUAL_IP] if active else []))
        return json.dumps([{"addr_info": [{"local": address}]} for address in held])

    def _switch(self, node: PlayedNode, *, on: bool) -> str:
        (node.power.set if on else node.power.clear)()
        node.changes.append(f"{time.time_ns()} {self._addresses(node)}")
        time.sleep(0.01)  # the rest of the service
        return ""

    def _sync(self, sender: PlayedNode) -> str:
        for node in self.nodes.values():
            node.staged = sender.serial if node is not sender else 0
        return ""

    def _neighbours(self, _: str) -> str:
        macs = [node.nic.mac.hex(":") for node in self.nodes.values() if node.active]
        return json.dumps([{"lladdr": mac} for mac in macs])


@contextmanager
def played_lab(directory: Path, capture: Path) -> Iterator[PlayedLab]:
    """Give a lab whose pair is played; the primary is active."""
    topology = read_topology("failover")
    ports = {name: Port(f"{name}/wire0", "lan") for name in ADDRESS}
    nics = {
        name: Nic(number, directory, port.name)
        for number, (name, port) in enumerate(ports.items(), start=1)
    }
    with Wire.start(directory, list(ports.values()), capture=capture) as wire:
        nodes = {
            name: PlayedNode(
                name,
                nic,
                bytes.fromhex(topology.mac(name, 0).replace(":", "")),
                active=name == "primary",
            )
            for name, nic in nics.items()
        }
        with nodes["primary"].playing(), nodes["secondary"].playing():
            yield PlayedLab(directory, wire, nodes)
    for nic in nics.values():
        nic.socket.close()
