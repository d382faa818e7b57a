"""Starting a wire, and steering one that runs.

    with Wire.start(directory, ports, capture=directory / "wire.pcapng") as wire:
        rule = wire.add(Rule(Match(protocol=112), Drop()))
        with wire.frames(Match(protocol=112)) as adverts:
            first = adverts.take(timeout=5)

Whoever starts a wire owns the lab: when the owner's process ends, however it ends, the wire ends
the lab's machines and itself, unless the lab was disowned before. When both are killed, the lab's
guardian ends them (`lab.guardian`).
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.errors import WireError
from lab.guardian.line import WIRES, Guardian
from lab.wire.late import LateMark
from lab.wire.link import Link, result_of
from lab.wire.port import Port
from lab.wire.rules import Match, Rule, rule_to_json
from lab.wire.stream import FrameStream
from lab.wire.watch import ProcessWatch

LOG_NAME = "wire.log"
SEED = 0
"""Of the random numbers of a wire's rules, unless another is asked for: each run draws the same."""

_STOP_WITHIN = 10.0
_OWNER_FD = 3


class Wire:
    """A running wire. As a context manager it stops the wire at the end, if it owns it."""

    def __init__(self, directory: Path, link: Link, pid: int, *, owned: bool) -> None:
        self.directory = directory
        self.pid = pid
        self.owned = owned
        self._link = link
        self._watch = ProcessWatch(pid)
        self._guardian: Guardian | None = None

    @classmethod
    def start(
        cls,
        directory: Path,
        ports: Sequence[Port],
        *,
        capture: Path,
        seed: int = SEED,
        on_death: Callable[[], None] | None = None,
        guardian: Guardian | None = None,
    ) -> Wire:
        """Start the wire of the lab in `directory`, own it, and return when it forwards.

        `capture` is a file that does not exist yet. `on_death` is called on a thread of its own
        when the wire ends unasked; ending the machines then (`lab.guardian`) is
        its task. Without a `guardian` it has one of its own, until it is stopped or closed. Raises
        WireError, naming the port, when one cannot be bound.
        """
        guarding = guardian or Guardian.start(directory)
        own = guarding if guardian is None else None
        ours, theirs = socket.socketpair()
        with theirs:
            pid = _spawn(theirs, guarding.wires_line, directory, capture, ports, seed)
        guarding.hand_over()
        link = Link(ours)
        try:
            result_of(_first_line(link, directory))
        except WireError:
            link.close()
            _end_failed(pid)
            if own is not None:
                own.dismiss()
            raise
        wire = cls(directory, link, pid, owned=True)
        wire._guardian = own
        if on_death is not None:
            wire._watch.call_at_end(on_death)
        return wire

    @classmethod
    def connect(cls, directory: Path) -> Wire:
        """Connect to the running wire of the lab in `directory`, without owning it."""
        link = Link.to(directory)
        return cls(directory, link, link.ask("hello")["pid"], owned=False)

    @property
    def alive(self) -> bool:
        """Whether the wire's process runs."""
        return self._watch.alive

    def ports(self) -> dict[str, Port]:
        """Return the NICs' ports by name."""
        return {port["name"]: Port(**port) for port in self._link.ask("ports")}

    def plug(self, port: Port) -> None:
        """Add a port for a NIC."""
        self._link.ask("plug", **asdict(port))

    def add(self, rule: Rule) -> int:
        """Put `rule` in force, and return its id."""
        number: int = self._link.ask("add", rule=rule_to_json(rule))
        return number

    def remove(self, rule: int) -> dict[str, Any]:
        """Take a rule out of force, and return its last counters ("matched", "hits")."""
        row: dict[str, Any] = self._link.ask("remove", id=rule)
        return row

    def rules(self) -> list[dict[str, Any]]:
        """Return id, rule, matched and hits of each rule in force."""
        rows: list[dict[str, Any]] = self._link.ask("rules")
        return rows

    def hits(self, rule: int) -> int:
        """Return how many frames rule `rule` acted on; WireError when it is not in force."""
        for row in self.rules():
            if row["id"] == rule:
                hits: int = row["hits"]
                return hits
        raise WireError(f"there is no rule {rule}", hint="it was removed, or never added")

    def counters(self) -> dict[str, Any]:
        """Return the counters of ports, rules, recorder and delay queue."""
        counters: dict[str, Any] = self._link.ask("counters")
        return counters

    def cut(self, port: str) -> None:
        """Let nothing in or out at `port`. The NIC keeps its carrier."""
        self._link.ask("cut", port=port)

    def heal(self, port: str) -> None:
        """Undo `cut`."""
        self._link.ask("heal", port=port)

    def filter_mac(self, port: str, macs: Sequence[str] | None) -> None:
        """Accept only frames with these source MACs in at `port`; None accepts all again."""
        self._link.ask("mac_filter", port=port, macs=None if macs is None else list(macs))

    def flush(self) -> None:
        """Return when every frame received so far stands in the capture file, and a mark of that.

        The mark is of a moment after this was called: the capture covers all that was before.
        """
        self._link.ask("flush")

    def late_marks(self, after: int = 0) -> list[LateMark]:
        """Return where the wire came late by now, behind the late mark of number `after`.

        Of very many the first are forgotten: then the numbers have a gap.
        """
        return [LateMark(**one) for one in self._link.ask("late", after=after)]

    def pause(self) -> int:
        """Forward nothing from now on (frames are recorded as dropped); the generation."""
        generation: int = self._link.ask("pause")
        return generation

    def resume(self, *, new_generation: bool = False) -> int:
        """Forward again, without what came meanwhile, and return the generation.

        A new generation is a new run of the lab (a thaw): nothing learned, nothing delayed.
        """
        generation: int = self._link.ask("resume", new_generation=new_generation)
        return generation

    @contextmanager
    def frames(self, match: Match | None = None) -> Iterator[FrameStream]:
        """Subscribe to frames; when this returns, the wire listens.

        Without `to_ports` each matching frame is shown once, as it comes in, with its verdict;
        with `to_ports` (or `both_ways`) each copy that leaves.
        """
        link = Link.to(self.directory)
        try:
            link.ask("subscribe", match=asdict(match or Match()))
            yield FrameStream(link)
        finally:
            link.close()

    def attach(self, port: str, segment: str) -> None:
        """Add a virtual port; take its frames with `frames(Match(to_ports=(port,)))`."""
        self._link.ask("attach", port=port, segment=segment)

    def inject(self, segment: str, raw: bytes, *, port: str = "probe/wire0") -> None:
        """Send `raw` into `segment` from the virtual port `port`, which is added if needed."""
        encoded = base64.b64encode(raw).decode()
        self._link.ask("inject", port=port, segment=segment, raw=encoded)

    def adopt(self) -> None:
        """Own the lab: from now on it ends with this process."""
        self._link.ask("adopt")
        self.owned = True

    def disown(self) -> None:
        """Leave the lab running when this process ends. It can be adopted again."""
        self._watch.hush()
        self._link.ask("disown")
        self.owned = False

    def stop(self) -> None:
        """End the wire, its recording complete. The machines are the caller's to end."""
        self._watch.hush()
        if self.alive:
            with suppress(WireError):  # it ended by itself just now, which is all we want
                self._link.ask("stop")
        if not self._watch.ended_within(_STOP_WITHIN):
            self._watch.kill()
            self._watch.ended_within(_STOP_WITHIN)
        if self._guardian is not None:
            self._guardian.dismiss()
        self.close()

    def close(self) -> None:
        """Close this connection only. An owner that does this ends the lab."""
        self._watch.close()
        self._link.close()
        if self._guardian is not None:
            self._guardian.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.owned:
            self.stop()
        else:
            self.close()


def _spawn(
    owner: socket.socket,
    guardian: int,
    directory: Path,
    capture: Path,
    ports: Sequence[Port],
    seed: int,
) -> int:
    """Start the process in a session of its own (Ctrl-C is not for it), and return its id.

    Not by `subprocess`: a disowned wire outlives the object that started it.
    """
    command = [sys.executable, "-m", "lab.wire", "--directory", str(directory.absolute())]
    command += ["--capture", str(capture.absolute()), "--seed", str(seed)]
    command += ["--ports", json.dumps([asdict(port) for port in ports])]
    command += ["--owner-fd", str(_OWNER_FD), "--guardian-fd", str(WIRES)]
    project = str(Path(__file__).parents[2])
    paths = os.environ.get("PYTHONPATH")
    environment = os.environ | {"PYTHONPATH": f"{project}:{paths}" if paths else project}
    log = str(directory / LOG_NAME)
    return os.posix_spawn(
        sys.executable,
        command,
        environment,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            (os.POSIX_SPAWN_DUP2, owner.fileno(), _OWNER_FD),
            (os.POSIX_SPAWN_DUP2, guardian, WIRES),
        ],
    )


def _first_line(link: Link, directory: Path) -> dict[str, Any]:
    try:
        return link.line()
    except (WireError, TimeoutError):
        raise WireError(
            f"the wire of {directory} did not start", hint=f"see {directory / LOG_NAME}"
        ) from None


def _end_failed(pid: int) -> None:
    watch = ProcessWatch(pid)
    if not watch.ended_within(_STOP_WITHIN):
        watch.kill()
        watch.ended_within(_STOP_WITHIN)
    watch.close()
