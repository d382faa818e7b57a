"""The failover pair as it was configured, and what the wire and the history hold about it.

One value, `Recorded`, that every check of this package begins with: it reads `pair.configured`
and offers the pair's heartbeat, ARP and faults. It judges nothing and registers no check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from evidence.capture import Capture, Frame
from checks.failover import timeline as takeover
from checks.protocols import arp, budgets, carp, heartbeat
from evidence.errors import Missing
from evidence.history import JSON, Event
from evidence.scenario import Evidence


@dataclass(frozen=True)
class Node:
    """One node of the pair: its own address, the MAC of its NIC, its engine's timers."""

    name: str
    address: str
    mac: str
    engine: budgets.Engine


@dataclass(frozen=True)
class Pair:
    """A failover pair as configured; `nodes` by name, in the order primary, secondary."""

    virtual_ip: str
    vhid: int
    engine: str
    nodes: Mapping[str, Node]
    password: str = ""
    virtual_mac: bool = True
    version: int = 2
    """Of VRRP, where keepalived is the engine."""

    @property
    def secondary(self) -> Node:
        """The node that was set up as the second one, whichever is active."""
        return list(self.nodes.values())[1]

    @property
    def secret(self) -> carp.Secret:
        """What ucarp's digest is made with."""
        return carp.Secret(self.password, self.virtual_ip, self.vhid)

    def node(self, name: str) -> Node:
        """Find a node by name; raise Missing when the configuration has none of that name."""
        if name not in self.nodes:
            raise Missing(f"pair.configured names {', '.join(self.nodes)}, but not {name}")
        return self.nodes[name]

    def peer_of(self, name: str) -> Node:
        """Find the other node."""
        self.node(name)
        return next(node for node in self.nodes.values() if node.name != name)


def pair_of(event: Event) -> Pair:
    """Read a `pair.configured` event; raises Missing when it lacks a key, naming it."""
    engine = str(event["engine"])
    version = int(event.data.get("version", 2))
    raw = event["nodes"]
    timers = {name: _timers(event, name, node) for name, node in raw.items()}
    nodes = {
        name: Node(
            name,
            str(node["address"]),
            str(node["mac"]).lower(),
            _engine(engine, version, timers, name),
        )
        for name, node in raw.items()
    }
    if len(nodes) != 2:
        raise Missing(f"{event.place}: a pair has two nodes, not {len(nodes)}")
    return Pair(
        virtual_ip=str(event["virtual_ip"]),
        vhid=int(event["vhid"]),
        engine=engine,
        nodes=nodes,
        password=str(event.data.get("password", "")),
        virtual_mac=bool(event.data.get("virtual_mac", engine == "ucarp")),
        version=version,
    )


def _timers(event: Event, name: str, node: Mapping[str, JSON]) -> Mapping[str, JSON]:
    needed = {"ucarp": ("advbase",), "keepalived": ("advert_int", "priority")}
    if event["engine"] not in needed:
        raise Missing(f"{event.place}: engine {event['engine']!r} is neither ucarp nor keepalived")
    for key in ("address", "mac", *needed[event["engine"]]):
        if key not in node:
            raise Missing(f"{event.place}: node {name} is configured without {key!r}")
    return node


def _engine(
    engine: str, version: int, timers: Mapping[str, Mapping[str, JSON]], name: str
) -> budgets.Engine:
    own = timers[name]
    if engine == "keepalived":
        return budgets.Keepalived(float(own["advert_int"]), int(own["priority"]), version)
    other = next((node for key, node in timers.items() if key != name), own)
    return budgets.Ucarp(
        advbase=int(own["advbase"]),
        advskew=int(own.get("advskew", 0)),
        deadratio=int(own.get("deadratio", 3)),
        active_advbase=int(other["advbase"]),
        active_advskew=int(other.get("advskew", 0)),
    )


def passed_on(frame: Frame) -> bool:
    """Tell whether the wire let the frame pass, as far as its recorded comment says."""
    return "dropped" not in frame.comment and "not forwarded" not in frame.comment


def _into_cut(frame: Frame) -> bool:
    return frame.comment.startswith("dropped") and frame.comment.endswith("is cut")


@dataclass(frozen=True)
class Steady:
    """A stretch of time in which nothing was provoked, and who was active in it."""

    start_ns: int
    end_ns: int
    active: Node
    standby: Node

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.end_ns - self.start_ns) / heartbeat.NS


class Recorded:
    """What one scenario recorded about its pair."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    @cached_property
    def pair(self) -> Pair:
        """The configuration that was in force last."""
        return pair_of(self.evidence.last("pair.configured"))

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Every frame of heartbeat or ARP, also those that the wire dropped."""
        wanted = (b"\x08\x06", b"\x08\x00")
        return tuple(
            frame
            for frame in self.evidence.frames()
            if frame.data[12:14] == wanted[0]
            or (frame.data[12:14] == wanted[1] and frame.data[23:24] == b"\x70")
        )

    @cached_property
    def sent(self) -> heartbeat.Heartbeat:
        """Every advertisement that anyone sent, of whatever group, dropped or not."""
        return heartbeat.listen((frame.at_ns, frame.data) for frame in self.frames)

    @cached_property
    def passed(self) -> heartbeat.Heartbeat:
        """The pair's advertisements that the wire let pass."""
        frames = ((frame.at_ns, frame.data) for frame in self.frames if passed_on(frame))
        return heartbeat.listen(frames).in_group(self.pair.vhid)

    @cached_property
    def aired(self) -> heartbeat.Heartbeat:
        """The pair's advertisements but those sent into a cut link, where they claim nothing.

        What a filter dropped is among them: its sender believes that it is the master.
        """
        frames = ((frame.at_ns, frame.data) for frame in self.frames if not _into_cut(frame))
        return heartbeat.listen(frames).in_group(self.pair.vhid)

    @cached_property
    def arps(self) -> list[arp.ArpSighting]:
        """Every ARP packet that the wire let pass."""
        return arp.sightings((frame.at_ns, frame.data) for frame in self.frames if passed_on(frame))

    def heard_of_pair(self) -> heartbeat.Heartbeat:
        """Return `passed`; raise Missing when there is not one advertisement in it."""
        if not len(self.passed):
            raise Missing(
                f"{self.evidence.capture_place} holds no advertisement of VHID {self.pair.vhid}"
            )
        return self.passed

    def steady(self) -> list[Steady]:
        """Read every `steady.begin` with its `steady.end`; raise Missing without one."""
        begins, ends = self.evidence.need("steady.begin"), self.evidence.need("steady.end")
        return [
            Steady(
                begin.at_ns,
                end.at_ns,
                self.pair.node(str(begin["active"])),
                self.pair.peer_of(str(begin["active"])),
            )
            for begin, end in zip(begins, ends, strict=False)
        ]

    def spans(self, name: str) -> list[tuple[Event, Event]]:
        """Pair every `<name>.begin` with the `<name>.end` after it; raise Missing without one."""
        ends = list(self.evidence.need(f"{name}.end"))
        found = []
        for begin in self.evidence.need(f"{name}.begin"):
            end = next((event for event in ends if event.at_ns >= begin.at_ns), None)
            if end is None:
                raise Missing(f"{begin.place}: {name}.begin without its end")
            found.append((begin, end))
        return found

    def faults(self) -> list[tuple[Event, takeover.Fault]]:
        """Read every `fault.begin`, each watched until its `fault.over` or the next fault."""
        events = list(self.evidence.need("fault.begin"))
        overs = list(self.evidence.events("fault.over"))
        found = []
        for index, event in enumerate(events):
            ends = [over.at_ns for over in overs if over.at_ns > event.at_ns]
            ends += [later.at_ns for later in events[index + 1 : index + 2]]
            ends.append(self.evidence.window.until_ns)
            hits = event.data.get("hits")
            fault = takeover.Fault(
                name=str(event["fault"]),
                victim=self.pair.node(str(event["node"])).address,
                at=takeover.Moment(event.at_ns, event.uncertainty_ns),
                until_ns=min(ends),
                hits=None if hits is None else int(hits),
            )
            found.append((event, fault))
        return found

    def timeline(self, fault: takeover.Fault) -> takeover.Timeline:
        """Measure the takeover after one fault, by the wire and the recorded answers."""
        peer = next(node for node in self.pair.nodes.values() if node.address != fault.victim)
        claims = [
            seen
            for seen in arp.announcements(self.arps, self.pair.virtual_ip)
            if seen.arp.sender_mac == peer.mac
        ]
        measured = takeover.measure(fault, self.heard_of_pair(), claims)
        return takeover.with_answers(measured, self._served(peer, fault), self.tunnels())

    def timelines(self) -> list[takeover.Timeline]:
        """Measure the takeover after every fault."""
        return [self.timeline(fault) for _, fault in self.faults()]

    def services(self) -> list[tuple[str, int]]:
        """List what was asked for at the virtual IP: (protocol, port)."""
        asked = {
            (str(event["protocol"]), int(event["port"]))
            for event in self.evidence.events("probe")
            if event["address"] == self.pair.virtual_ip
        }
        return sorted(asked)

    def answers(self, holder: Node, protocol: str, port: int) -> list[takeover.Moment]:
        """When somebody asked the virtual IP and this service of that node answered there.

        Whoever held it before may go on answering for a while: that is no takeover of the service.
        """
        return [
            takeover.Moment(event.at_ns, event.uncertainty_ns)
            for event in self.evidence.events("probe")
            if (event["address"], event["protocol"], event["port"])
            == (self.pair.virtual_ip, protocol, port)
            and event["answered"]
            and str(event.data.get("mac", "")).lower() == holder.mac
        ]

    def _served(self, holder: Node, fault: takeover.Fault) -> list[takeover.Moment]:
        """When the last service had answered that was asked for; nothing if one never did."""
        firsts = [
            takeover.first_after(self.answers(holder, *service), fault)
            for service in self.services()
        ]
        answered = [moment for moment in firsts if moment is not None]
        if not answered or len(answered) < len(firsts):
            return []
        return [max(answered, key=lambda moment: moment.at_ns)]

    def tunnels(self) -> list[takeover.Moment]:
        """When a client's tunnel was seen to carry traffic (again)."""
        return [
            takeover.Moment(event.at_ns, event.uncertainty_ns)
            for event in self.evidence.events("tunnel.back")
        ]

    def guest_heartbeat(self, machine: str) -> heartbeat.Heartbeat:
        """Read the pair's advertisements from a capture made inside a guest, at the wire's time.

        Raises Missing when `guest.capture` names none of that machine.
        """
        event = self.evidence.last("guest.capture", machine)
        capture = Capture(self.evidence.directory / str(event["path"]))
        behind_ns = int(event["clock"]["behind_ns"])
        frames = ((frame.at_ns + behind_ns, frame.data) for frame in capture)
        return heartbeat.listen(frames).in_group(self.pair.vhid)
