"""What lies between machines that are already there: heard by tcpdump on each, and recorded.

Nothing of ours carries their frames. So nothing can be dropped, delayed or cut, and no host be
plugged in but one that borrows a machine's NIC (`borrowed`): what else is asked for raises NotHere.
The capture has the wire's format and its marks of coverage: a mark says that all is recorded which
any machine has sent by then.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evidence.clock import HostClock
from evidence.packets import parse_headers
from lab.errors import NotHere
from lab.site.access import SiteAccess
from lab.site.borrowed import Borrowed
from lab.site.listener import Alive, Heard, Listener, Lost, Told, Trouble
from lab.site.merge import ELSEWHERE, Known, Merge, Tap
from lab.site.reach import Reached
from lab.site.subscription import Subscription
from lab.site.uncarried import Uncarried, refuse
from lab.timing import beside
from lab.topology import Topology
from lab.wait import until
from lab.wire.frame import Frame
from lab.wire.matching import compile_match
from lab.wire.recorder import Recorder
from lab.wire.rules import Match, mac_octets

APART_NS = 250_000_000
"""By how much two machines may date one frame differently: no copy of it is older than that."""
MOST_UNSURE_NS = 100_000_000
"""A clock that is not known better makes a trouble of it: the order of frames is not sure."""
_LISTEN_S, _FLUSH_S = 60.0, 30.0
_COMES_IN_S = 15.0
_MARK_NS = 300_000_000
_LOOK_S = 0.05


class SiteMedium(Uncarried):
    """Listens on all machines from entering the block until leaving it, and records."""

    def __init__(
        self,
        topology: Topology,
        access: Mapping[str, SiteAccess],
        reached: Mapping[str, Reached],
        capture: Path,
        probe: str = "",
    ) -> None:
        self.unsure_ns = 0
        """By how much the moment of a frame may be off, at most, since the scenario began."""
        self.troubles: list[str] = []
        """What keeps verdicts from resting on what was recorded since then, in words."""
        self._probe = probe
        self._access = access
        self._reached = reached
        self._capture = capture
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._listeners = [
            Listener(
                name,
                access[name],
                {
                    Tap(topology.port(name, index), nic.segment, direction): nic.interface
                    for index, nic in enumerate(one.nics)
                    for direction in ("out", "in")
                },
                one.session,
                self._told.put,
                lambda: self._recorder is None,
            )
            for name, one in reached.items()
        ]
        self._known = _known(topology, reached)
        self._merge = Merge(self._known, APART_NS)
        self._recorder: Recorder | None = None
        self._interfaces: dict[str, int] = {}
        self._subscriptions: list[Subscription] = []
        self._borrowed: Borrowed | None = None
        self._lock = threading.Lock()
        self._marked_ns = self._marked_monotonic_ns = 0
        self._over = threading.Event()
        self._pump = threading.Thread(target=self._go_on, name="site", daemon=True)

    def start(self) -> None:
        """Return when every machine is listened to, and what they send is recorded.

        What comes in is waited for for a while only: some networks carry nothing that is for all.
        """
        for listener in self._listeners:
            listener.start()
        self._pump.start()
        wanted = sum(len(one.nics) for one in self._reached.values())
        until(
            lambda: self._merge.live("out") == wanted,
            _LISTEN_S,
            "every machine to be listened to",
            detail=lambda: "; ".join(filter(None, (one.trouble for one in self._listeners))),
        )
        patience = time.monotonic() + _COMES_IN_S
        while self._merge.live("in") < wanted and time.monotonic() < patience:
            self._over.wait(_LOOK_S)
        with self._lock:
            self._recorder = Recorder(self._capture)
            self._marked_ns = self._recorder.began_ns

    def begin(self) -> None:
        """Forget how sure earlier frames were, and give back a NIC: another scenario begins."""
        self._give_back()
        self.unsure_ns, self.troubles = 0, []

    def close(self) -> None:
        """End listening; the capture's last mark is of the last moment that is known whole."""
        self._give_back()
        self._over.set()
        for listener in self._listeners:
            listener.stop()
        if self._pump.is_alive():
            self._pump.join()
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close(self._marked_monotonic_ns or None)

    @contextmanager
    def frames(self, match: Match | None = None) -> Iterator[Subscription]:
        """Show frames as they are heard, dated by their senders; those to the probe as it hears."""
        wanted = match or Match()
        if wanted.to_ports and wanted.to_ports != (self._probe_port,):
            refuse(f"what arrives at {', '.join(wanted.to_ports)} cannot be seen as it passes")
        subscription = Subscription(compile_match(wanted))
        if wanted.to_ports:
            self._borrow().heard = subscription.offer
        with self._lock:
            if not wanted.to_ports:
                self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                if subscription in self._subscriptions:
                    self._subscriptions.remove(subscription)

    def flush(self) -> None:
        """Return when all that was sent by now is recorded, and marked; or when that takes long.

        Then the capture has a hole there, and says so itself.
        """
        asked_ns, deadline = time.time_ns(), time.monotonic() + _FLUSH_S
        while self._marked_ns <= asked_ns and time.monotonic() < deadline:
            self._over.wait(_LOOK_S)

    def counters(self) -> dict[str, Any]:
        """Return what a wire counts: no guest of ours, no limits; the site is one run of itself."""
        return {"generation": 0, "reached": [], "ports": {}}

    def attach(self, port: str, segment: str) -> None:
        """Let a virtual host borrow the NIC of the machine that the site file names for it."""
        if not self._probe:
            refuse(
                "no host can be put on the network to ask services: the site file names no machine"
                " for it (probe)"
            )
        self._give_back()
        self._borrowed = Borrowed(
            self._probe,
            self._access[self._probe],
            self._nic(segment),
            port,
            segment,
            next(one for one in self._listeners if one.machine == self._probe).offsets,
            self._told.put,
        )
        self._borrowed.open()  # before anything is timed: a program starts there

    def inject(self, segment: str, raw: bytes, *, port: str = "probe/wire0") -> None:
        """Send a frame of the virtual host from the NIC that it borrows."""
        borrowed = self._borrow()
        if (port, segment) != (borrowed.port, borrowed.segment):
            refuse(f"nothing can be sent from {port} into {segment}")
        if not self._known.probe_mac:
            self._known = self._merge.known = Known(
                self._known.macs, self._known.addresses, raw[6:12], port
            )
        if raw[6:12] != self._known.probe_mac:
            refuse("no frame is sent with another's address")
        borrowed.send(raw)

    @property
    def _probe_port(self) -> str:
        return self._borrowed.port if self._borrowed is not None else ""

    def _give_back(self) -> None:
        borrowed, self._borrowed = self._borrowed, None
        if borrowed is not None:
            borrowed.close()

    def _borrow(self) -> Borrowed:
        if self._borrowed is None:
            refuse("no host was put on the network")
        return self._borrowed

    def _nic(self, segment: str) -> str:
        for nic in self._reached[self._probe].nics:
            if nic.segment == segment:
                return nic.interface
        raise NotHere(f"{self._probe} has no NIC on {segment}, where the probe is to be")

    def _go_on(self) -> None:
        with beside():
            while not self._over.is_set():
                try:
                    self._take(self._told.get(timeout=_LOOK_S))
                except queue.Empty:
                    self._record()
                except Exception as error:  # noqa: BLE001 - a machine had a say; it is told as trouble
                    self._note(f"what the machines tell cannot be recorded: {error!r}")

    def _take(self, told: Told) -> None:
        if isinstance(told, Heard):
            self._unsure(told)
            self._merge.hear(told.tap, told.at_ns, told.data)
            if told.tap.direction == "out":
                self._show(told)
        elif isinstance(told, Alive):
            self._merge.alive(told.tap, told.at_ns)
            if told.dropped > 0 and self._recorder is not None:
                self._recorder.dropped += told.dropped
            self._record()
        elif isinstance(told, Lost):
            for tap in told.taps:
                self._merge.lost(tap)
        elif isinstance(told, Trouble):
            self._note(told.what)

    def _unsure(self, told: Heard) -> None:
        self.unsure_ns = max(self.unsure_ns, told.uncertainty_ns)
        if told.uncertainty_ns > MOST_UNSURE_NS:
            limit = MOST_UNSURE_NS // 10**6
            self._note(
                f"the clock at {told.tap.port} is not known to {limit} ms: in which order frames"
                " were sent is not sure"
            )

    def _note(self, trouble: str) -> None:
        if trouble not in self.troubles and len(self.troubles) < 20:
            self.troubles.append(trouble)

    def _show(self, told: Heard) -> None:
        data = told.data
        if self._known.probe_mac and data[6:12] == self._known.probe_mac:
            return
        frame = Frame(told.at_ns, told.tap.port, told.tap.segment, data, "forwarded")
        headers = parse_headers(data)
        with self._lock:
            for one in self._subscriptions:
                if one.wants(told.tap.port, told.tap.segment, None, headers):
                    one.offer(frame)

    def _record(self) -> None:
        with self._lock:
            horizon, recorder = self._merge.horizon(), self._recorder
        if recorder is None or horizon is None or horizon < self._marked_ns + _MARK_NS:
            return
        for frame in self._merge.take(horizon):
            if frame.at_ns >= recorder.began_ns:
                number = self._interface(recorder, frame.interface)
                recorder.record(number, frame.at_ns, frame.data, frame.comment)
        recorder.dropped += self._merge.missed
        self._merge.missed = 0
        if not self._merge.uncovered(horizon):
            monotonic_ns = horizon - HostClock.now().epoch_ns
            unheard = self._merge.gap(self._marked_ns, horizon)
            why = f"nobody told what {unheard} sent" if unheard else ""
            recorder.mark(monotonic_ns=monotonic_ns, why=why)
            self._marked_ns, self._marked_monotonic_ns = horizon, monotonic_ns

    def _interface(self, recorder: Recorder, port: str) -> int:
        if port not in self._interfaces:
            what = "strangers" if port.startswith(f"{ELSEWHERE}/") else "heard by tcpdump"
            self._interfaces[port] = recorder.add_interface(port, what)
        return self._interfaces[port]


def _known(topology: Topology, reached: Mapping[str, Reached]) -> Known:
    macs, addresses = {}, {}
    for name, one in reached.items():
        for index, nic in enumerate(one.nics):
            port = topology.port(name, index)
            macs[mac_octets(nic.mac)] = port
            addresses[topology.machine(name).nics[index].ipv4.packed] = port
    return Known(macs, addresses)
