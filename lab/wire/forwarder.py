"""What becomes of each frame: one place where switch, rules, faults, recorder and taps meet.

Every frame received is recorded once, as it was received, with a comment when the wire did
anything but forward it at once. No sockets here beyond a port's `send`, and no waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from evidence.packets import ETHERNET_HEADER, Headers, parse_headers
from lab.errors import WireError
from lab.wire.delay import DelayQueue
from lab.wire.frame import Frame
from lab.wire.matching import Predicate
from lab.wire.port import SwitchPort
from lab.wire.recorder import Recorder
from lab.wire.ruleset import Passage, RuleSet
from lab.wire.switch import Switch

FORWARDED = "forwarded"
_NOWHERE = "not forwarded: no other port it could leave at"

Show: TypeAlias = Callable[[Frame], None]


@dataclass(frozen=True)
class Tap:
    """A subscription: frames that match are shown. `leaving` taps see copies, others arrivals."""

    matches: Predicate
    show: Show
    leaving: bool


class Forwarder:
    """The ports of a wire and what happens between them."""

    def __init__(self, recorder: Recorder, seed: int) -> None:
        self.recorder = recorder
        self.rules = RuleSet(seed)
        self.switch: Switch[SwitchPort] = Switch()
        self.delayed = DelayQueue()
        self.ports: dict[str, SwitchPort] = {}
        self.generation = 1
        self.paused = False
        self._taps: list[Tap] = []
        self._plain = True

    def plug(self, port: SwitchPort) -> None:
        """Put `port` in service, with an interface of its own in the recording."""
        self.switch.plug(port, port.segment)
        self.ports[port.name] = port
        self._introduce(port)

    def port(self, name: str) -> SwitchPort:
        """Return the port called `name`; WireError lists those there are."""
        if name not in self.ports:
            raise WireError(f"no port {name}", hint="ports: " + ", ".join(self.ports))
        return self.ports[name]

    def receive(self, port: SwitchPort, raw: bytes) -> None:
        """Take the frame `raw`, received at `port`."""
        port.received += 1
        if not self._plain or len(raw) < ETHERNET_HEADER:
            self._receive_with_care(port, raw, port.arrived_ns())
            return
        at_ns = port.arrived_ns()
        leaves_at = self.switch.destinations(port, raw[:6], raw[6:12], at_ns)
        for leaving in leaves_at:
            leaving.send(raw)
        self.recorder.record(port.interface, at_ns, raw, "" if leaves_at else _NOWHERE)

    def release(self, now_ns: int) -> None:
        """Let the delayed frames that are due leave (`now_ns` is monotonic)."""
        if self.paused:
            return
        for port, raw in self.delayed.release(now_ns):
            if port.cut:
                port.refused += 1
            else:
                port.send(raw)

    def resume(self, *, new_generation: bool) -> int:
        """Forward again. A new generation starts empty: nothing delayed, nothing learned."""
        self.paused = False
        if new_generation:
            self.generation += 1
            self.delayed.clear()
            for port in self.ports.values():
                port.empty()
                self.switch.forget(port)
                self._introduce(port)
        self.reconsider()
        return self.generation

    def tap(self, tap: Tap) -> None:
        """Show frames to a subscriber from now on."""
        self._taps.append(tap)
        self.reconsider()

    def untap(self, tap: Tap) -> None:
        """Show it no more."""
        self._taps.remove(tap)
        self.reconsider()

    def reconsider(self) -> None:
        """See whether frames can take the short way; to be called after anything was changed."""
        guarded = any(port.guarded for port in self.ports.values())
        self._plain = not (guarded or self.paused or self.rules or self._taps)

    def close(self) -> None:
        """Close every port."""
        for port in self.ports.values():
            port.close()

    def _introduce(self, port: SwitchPort) -> None:
        about = f"segment {port.segment}, generation {self.generation}"
        port.interface = self.recorder.add_interface(port.name, about)

    def _receive_with_care(self, port: SwitchPort, raw: bytes, at_ns: int) -> None:
        headers = parse_headers(raw)
        comment = self._refusal(port, raw)
        if comment:
            port.refused += 1
        else:
            comment = self._pass_on(port, raw, at_ns, headers)
        self.recorder.record(port.interface, at_ns, raw, comment)
        self._show(port, None, raw, at_ns, headers, comment or FORWARDED)

    def _refusal(self, port: SwitchPort, raw: bytes) -> str:
        """Say why the frame may not come in at `port`, if it may not."""
        if len(raw) < ETHERNET_HEADER:
            return "dropped: shorter than an Ethernet header"
        if self.paused:
            return "dropped: the wire is paused"
        if port.cut:
            return f"dropped: {port.name} is cut"
        if port.accepted is not None and raw[6:12] not in port.accepted:
            return f"dropped: source MAC {raw[6:12].hex(':')} is not accepted at {port.name}"
        return ""

    def _pass_on(self, port: SwitchPort, raw: bytes, at_ns: int, headers: Headers) -> str:
        """Let the frame go where rules and switch say; the comment for its recording."""
        passage = Passage(raw)
        self.rules.on_arrival(passage, port.name, port.segment, headers)
        if passage.dropped:
            return "; ".join(passage.notes)
        leaves_at = self.switch.destinations(port, raw[:6], raw[6:12], at_ns)
        if not leaves_at:
            return "; ".join([*passage.notes, _NOWHERE])
        notes = passage.notes
        for leaving in leaves_at:
            copy = passage.onward()
            if leaving.cut:
                leaving.refused += 1
                notes.append(f"not to {leaving.name}: it is cut")
                continue
            self.rules.on_departure(copy, port.name, port.segment, leaving.name, headers)
            if not copy.dropped:
                self._leave(leaving, copy)
                self._show(port, leaving, copy.raw, at_ns, headers, FORWARDED)
            notes.extend(f"{note} for {leaving.name}" for note in copy.notes)
        return "; ".join(notes)

    def _leave(self, port: SwitchPort, copy: Passage) -> None:
        for _ in range(copy.copies):
            if not copy.delay_ns:
                port.send(copy.raw)
            elif not self.delayed.hold(time.monotonic_ns() + copy.delay_ns, port, copy.raw):
                copy.notes.append("dropped: the delay queue is full")

    def _show(
        self,
        came: SwitchPort,
        leaves: SwitchPort | None,
        raw: bytes,
        at_ns: int,
        headers: Headers,
        verdict: str,
    ) -> None:
        leaves_name = leaves.name if leaves is not None else None
        for tap in self._taps:
            if tap.leaving is (leaves is not None) and tap.matches(
                came.name, came.segment, leaves_name, headers
            ):
                tap.show(
                    Frame(
                        at_ns, leaves_name or came.name, came.segment, raw, verdict, self.generation
                    )
                )
