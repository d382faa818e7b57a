"""What a control connection may ask of a wire: each request by name, with its fields checked.

A request is one JSON object, {"do": NAME, ...}; its answer is {"ok": true, "result": ...} or
{"ok": false, "error": ..., "hint": ...}. Requests about the connection itself (own, subscribe,
stop) stand in `control.py`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeAlias

from lab.errors import WireError
from lab.wire.forwarder import Forwarder
from lab.wire.message import Json, Request
from lab.wire.port import BATCH, NicPort, Port, SwitchPort
from lab.wire.rules import mac_octets

PlugNic: TypeAlias = Callable[[Port], NicPort]

LONGEST_FRAME = 65535
MOST_PORTS = 256
MOST_RULES = 256
_MOST_BATCHES = 256  # more than a full receive buffer holds; a flood does not hold us here


class Requests:
    """Answers requests about ports, rules, counters and the recording."""

    def __init__(self, forwarder: Forwarder, plug_nic: PlugNic) -> None:
        self._forwarder = forwarder
        self._plug_nic = plug_nic
        self._answers: dict[str, Callable[[Request], Json]] = {
            "add": self._add,
            "remove": self._remove,
            "rules": lambda _: self._forwarder.rules.listing(),
            "counters": lambda _: self._counters(),
            "cut": lambda request: self._set_cut(request, True),
            "heal": lambda request: self._set_cut(request, False),
            "mac_filter": self._filter_mac,
            "flush": lambda _: self._flush(),
            "late": self._late,
            "pause": lambda _: self._pause(),
            "resume": self._resume,
            "ports": lambda _: self.ports(),
            "plug": self._plug,
            "attach": lambda request: self._virtual_port(request).name,
            "inject": self._inject,
        }

    def answer(self, request: Request) -> Json:
        """Return the result of `request`; raises WireError or ScenarioError and changes nothing."""
        name = request["do"]
        if name not in self._answers:
            known = ", ".join(self._answers)
            raise WireError(f"there is no request {name!r}", hint=f"requests: {known}")
        result = self._answers[name](request)
        self._forwarder.reconsider()
        return result

    def ports(self) -> list[dict[str, Any]]:
        """Return name and segment of each NIC's port."""
        return [
            {"name": port.name, "segment": port.segment}
            for port in self._forwarder.ports.values()
            if isinstance(port, NicPort)
        ]

    def drain_nics(self) -> None:
        """Take every frame that has arrived, however the loop would have shared its turns."""
        self._forwarder.reconsider()
        recorder = self._forwarder.recorder
        for port in self._forwarder.ports.values():
            if isinstance(port, NicPort):
                for _ in range(_MOST_BATCHES):
                    if port.drain(self._forwarder.receive) < BATCH:
                        break
                recorder.late_ns, port.held_ns = max(recorder.late_ns, port.held_ns), 0

    def _add(self, request: Request) -> int:
        from lab.wire.rule_json import rule_from_json  # loaded late: see there

        rule = rule_from_json(request.get("rule"))
        for name in (*rule.match.from_ports, *rule.match.to_ports):
            self._forwarder.port(name)
        segments = {port.segment for port in self._forwarder.ports.values()}
        if rule.match.segment is not None and rule.match.segment not in segments:
            raise WireError(
                f"no segment {rule.match.segment}", hint="segments: " + ", ".join(sorted(segments))
            )
        if len(self._forwarder.rules) >= MOST_RULES:
            raise WireError(f"{MOST_RULES} rules are in force", hint="remove those of the past")
        return self._forwarder.rules.add(rule)

    def _remove(self, request: Request) -> dict[str, Any]:
        return self._forwarder.rules.remove(_number(request, "id"))

    def _counters(self) -> dict[str, Any]:
        forwarder, recorder = self._forwarder, self._forwarder.recorder
        return {
            "ports": {name: port.counters() for name, port in forwarder.ports.items()},
            "rules": forwarder.rules.listing(),
            "recorded": recorder.frames,
            "unrecorded": recorder.unrecorded,
            "recorder_failure": recorder.failure,
            "reached": [asdict(one) for one in recorder.reached],
            "delayed": len(forwarder.delayed),
            "delay_refused": forwarder.delayed.refused,
            "generation": forwarder.generation,
            "paused": forwarder.paused,
        }

    def _set_cut(self, request: Request, cut: bool) -> None:
        port = self._port(request)
        port.cut = cut
        if cut:
            port.empty()

    def _filter_mac(self, request: Request) -> None:
        macs = request.get("macs")
        if macs is None:
            self._port(request).accepted = None
        elif isinstance(macs, list) and all(isinstance(mac, str) for mac in macs):
            self._port(request).accepted = frozenset(mac_octets(mac) for mac in macs)
        else:
            raise WireError(f"macs: {macs!r}", hint="give a list of MAC addresses, or null")

    def _flush(self) -> dict[str, Any]:
        recorder = self._forwarder.recorder
        self._mark()
        if recorder.failure:
            raise WireError(recorder.failure, hint="make room; frames since then are not recorded")
        return {"recorded": recorder.frames, "path": str(recorder.path)}

    def _mark(self) -> None:
        """Mark at once; who asks first after a standstill is heard before a timer that is due."""
        forwarder, recorder = self._forwarder, self._forwarder.recorder
        delayed_ns = None if forwarder.paused else forwarder.delayed.due_ns
        now_ns = time.monotonic_ns()
        for due_ns in (recorder.flush_due_ns, delayed_ns):
            if due_ns is not None:
                recorder.late_ns = max(recorder.late_ns, now_ns - due_ns)
        recorder.mark()

    def _late(self, request: Request) -> list[dict[str, Any]]:
        after = request.get("after")
        if not isinstance(after, int) or isinstance(after, bool):
            raise WireError(f"after: {after!r}", hint="give the number of a late mark, or 0")
        self._mark()
        return [asdict(one) for one in self._forwarder.recorder.late.after(after)]

    def _pause(self) -> int:
        self._forwarder.paused = True
        return self._forwarder.generation

    def _resume(self, request: Request) -> int:
        new_generation = request.get("new_generation", False)
        if not isinstance(new_generation, bool):
            raise WireError(f"new_generation: {new_generation!r}", hint="give true or false")
        self.drain_nics()  # what came while paused belongs to the past
        return self._forwarder.resume(new_generation=new_generation)

    def _plug(self, request: Request) -> None:
        port = Port(_text(request, "name"), _text(request, "segment"))
        if port.name in self._forwarder.ports:
            raise WireError(f"port {port.name} is there already", hint="name every NIC once")
        self._make_room()
        self._plug_nic(port)

    def _inject(self, request: Request) -> None:
        port = self._virtual_port(request)
        try:
            raw = base64.b64decode(_text(request, "raw"), validate=True)
        except ValueError:
            raise WireError("raw: not base64", hint="encode the frame's octets") from None
        if len(raw) > LONGEST_FRAME:
            raise WireError(f"a frame of {len(raw)} octets", hint=f"at most {LONGEST_FRAME}")
        self._forwarder.receive(port, raw)

    def _virtual_port(self, request: Request) -> SwitchPort:
        asked = Port(_text(request, "port"), _text(request, "segment"))
        port = self._forwarder.ports.get(asked.name)
        if port is None:
            self._make_room()
            port = SwitchPort(asked.name, asked.segment)
            self._forwarder.plug(port)
        if isinstance(port, NicPort) or port.segment != asked.segment:
            raise WireError(
                f"{port.name} is a port of segment {port.segment}",
                hint="give a virtual port a name of its own, and one segment",
            )
        return port

    def _make_room(self) -> None:
        if len(self._forwarder.ports) >= MOST_PORTS:
            raise WireError(f"a wire has {MOST_PORTS} ports at most", hint="use those there are")

    def _port(self, request: Request) -> SwitchPort:
        return self._forwarder.port(_text(request, "port"))


def _text(request: Request, field: str) -> str:
    value = request.get(field)
    if not isinstance(value, str) or not value:
        raise WireError(f"{field}: {value!r}", hint="give a text")
    return value


def _number(request: Request, field: str) -> int:
    value = request.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 65535:
        raise WireError(f"{field}: {value!r}", hint="give a number from 0 to 65535")
    return value
