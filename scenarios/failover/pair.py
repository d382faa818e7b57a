"""The failover pair of a running lab, as scenarios handle it: who is active, and what it runs.

Who is active is asked of the wire, never of a node: a node may be wrong about itself. Nothing here
judges; `record_configured` tells the checks which timers the pair was given.
"""

from __future__ import annotations

import argparse
import shlex
import time
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from checks.protocols.budgets import Budget, Keepalived, Ucarp
from evidence.events.pair import (
    HandoverBegan,
    HandoverEnded,
    KeepalivedTimers,
    NodeConfigured,
    PairConfigured,
    UcarpTimers,
)
from evidence.history import History
from evidence.moment import NS
from evidence.secret import Secrets
from lab.answers import json_object, understood
from lab.machine import Machine
from lab.testbed import Testbed
from lab.threads import threads
from lab.wait import until
from lab.wire import Match
from provision.failover.access_server import SACLI, SERVICE
from provision.failover.ready import in_step
from provision.failover.site import Site

NODES = ("primary", "secondary")
HEARTBEAT = 112  # the IP protocol of CARP and VRRP
_UP_S = 240.0
_LISTEN_S = 2.5  # two periods and a half of the slowest heartbeat that scenarios configure
_NOTHING_S = 0.001
_LONGEST_OPTIONS = 1000  # characters: splitting takes the square of it

_DEFAULTS = {"failover.engine": "ucarp", "ucarp.vhid": "94", "ucarp.extra_parms": ""}


class Pair:
    """Both nodes of a lab, and the history that what happens to them is recorded in.

    A context manager: until it is closed it listens to the pair's advertisements.
    """

    def __init__(self, lab: Testbed, history: History) -> None:
        self.lab = lab
        self.history = history
        self.site = Site.of(lab.topology)
        self._open = ExitStack()
        listening = lab.wire.frames(Match(protocol=HEARTBEAT, from_ports=tuple(self._ports)))
        self._advertisements = self._open.enter_context(listening)
        self._heard: deque[tuple[int, str]] = deque()
        self._since_ns = time.time_ns()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def _ports(self) -> dict[str, str]:
        return {self.port(node): node for node in NODES}

    @property
    def virtual_ip(self) -> str:
        """The address that the pair shares."""
        return self.site.virtual_ip

    def machine(self, node: str) -> Machine:
        """Return a node's machine."""
        return self.lab[node]

    def other(self, node: str) -> str:
        """Return the name of the other node."""
        return NODES[1 - NODES.index(node)]

    def address(self, node: str) -> str:
        """Return a node's own address."""
        return self.site.nodes[NODES.index(node)].ipv4

    def mac(self, node: str) -> str:
        """Return the address of a node's NIC on the wire."""
        return self.lab.mac(node, 0)

    def port(self, node: str) -> str:
        """Return a node's port on the wire, by the name that captures give it."""
        return self.lab.topology.port(node, 0)

    def masters(self, seconds: float = _LISTEN_S) -> frozenset[str]:
        """Listen to the wire for so many seconds; return the nodes that advertise."""
        advertisements = Match(protocol=HEARTBEAT, from_ports=tuple(self._ports))
        with self.lab.wire.frames(advertisements) as heard:
            return frozenset(self._ports[frame.port] for frame in heard.take_for(seconds))

    def active(self) -> str:
        """Wait until exactly one node has advertised for a while, and return its name.

        What was heard since the pair is listened to counts, so often there is nothing to wait for.
        """
        return until(self._alone, 60, "one node alone to advertise", every=0.05)

    def rewound(self) -> None:
        """Forget what was heard: the lab is another run of itself."""
        self._drain()
        self._heard.clear()
        self._since_ns = time.time_ns()

    def _alone(self) -> str | None:
        self._drain()
        from_ns = time.time_ns() - int(_LISTEN_S * NS)
        while self._heard and self._heard[0][0] < from_ns:
            self._heard.popleft()
        nodes = {node for _, node in self._heard}
        listened = self._since_ns <= from_ns
        return nodes.pop() if listened and len(nodes) == 1 else None

    def _drain(self) -> None:
        """Take what has come; frames that were lost to a slow reader are no silence."""
        lost, now_ns = self._advertisements.lost, time.time_ns()
        while (frame := self._advertisements.take(_NOTHING_S)) is not None:
            self._heard.append((frame.at_ns, self._ports[frame.port]))
            if frame.at_ns > now_ns:  # a guest that floods would keep us here for ever
                break
        if self._advertisements.lost != lost:
            self._heard.clear()
            self._since_ns = time.time_ns()

    def sacli(self, node: str, *words: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run sacli on a node and return what it printed."""
        return (
            self.machine(node).run(shlex.join([SACLI, *words]), stdin=stdin, timeout=timeout).stdout
        )

    def status(self, node: str) -> Mapping[str, Any]:
        """Return what a node says of its role, its state and its sync."""
        return json_object(node, "FailoverStatus", self.sacli(node, "FailoverStatus"))

    def config(self, active: str) -> dict[str, str]:
        """Return the configuration in force, read on the active node."""
        return _DEFAULTS | json_object(active, "ConfigQuery", self.sacli(active, "ConfigQuery"))

    def service(self, node: str, action: str) -> None:
        """Start, stop or restart a node's service, as the guide types it."""
        self.lab.announce(f"{node}: service {SERVICE} {action}")
        self.machine(node).run(f"service {SERVICE} {action}", timeout=120)

    def wait_for_state(self, node: str, *states: str) -> Mapping[str, Any]:
        """Wait until a node says that it is "MASTER" or "BACKUP"; return all that it says."""

        def reached() -> Mapping[str, Any] | None:
            status = self.status(node)
            return status if status.get("state") in states else None

        return until(reached, _UP_S, f"{node} to be {' or '.join(states)}", every=0.5)

    def wait_for_role(self, node: str) -> None:
        """Wait until a node says which it is of both: what it should be is for checks to say."""
        self.wait_for_state(node, "MASTER", "BACKUP")

    def wait_until_ready(self) -> str:
        """Wait until the pair is whole again: one serves, the other stands by and holds all of it.

        For a pair whose roles or settings were changed; one that was thawed is ready. A standby
        that lacks something is sent it. Returns the active node.
        """
        active = self.active()
        with threads() as beside:  # a login takes seconds on an emulated machine
            served = beside.submit(self._wait_for_web_service)
            serving = beside.submit(self.wait_for_state, active, "MASTER")
            waiting = beside.submit(self.wait_for_state, self.other(active), "BACKUP")
            if not in_step(serving.result(), waiting.result()):
                self.sacli(active, "FailoverSync", timeout=120)
            served.result()
        return active

    def _wait_for_web_service(self) -> None:
        ask = f"curl -sk -o /dev/null --max-time 10 https://{self.virtual_ip}:943/"
        until(
            lambda: self.lab["gateway"].run(ask, check=False).status == 0,
            _UP_S,
            "the web service on the virtual IP",
            every=0.5,
        )

    def make_active(self, node: str) -> None:
        """Move the active role to a node; the other's service starts again when it has moved.

        A restart, as the guide types it, is a race with ucarp's own timer when the lower address
        restarts: one that wakes up before it has heard the new master takes the role back.
        """
        if self.active() == node:
            return
        other = self.other(node)
        self.history.record(HandoverBegan(source="scenario", node=other))
        self.service(other, "stop")
        try:
            self.wait_for_state(node, "MASTER")
        finally:
            self.service(other, "start")
        self.wait_until_ready()
        self.history.record(HandoverEnded(source="scenario", node=other))

    def reconfigure(self, changes: Mapping[str, str]) -> str:
        """Set keys and restart both nodes with them; two masters never meet. Returns the active.

        The order is the standby's way to learn of a change: at its start it reads what is staged.
        """
        active = self.active()
        standby = self.other(active)
        for key, value in changes.items():
            self.sacli(active, "--key", key, "--value", value, "ConfigPut")
        self.sacli(active, "FailoverSync", timeout=120)
        self.service(standby, "stop")
        self.service(active, "restart")
        self.wait_for_state(active, "MASTER")
        self.service(standby, "start")
        return self.wait_until_ready()

    def record_configured(self, active: str) -> None:
        """Record the configuration that is in force, read on the active node."""
        config = self.config(active)
        with understood(active, "its configuration"):
            configured = self._configured(config)
        self.history.record(configured)

    def _configured(self, config: Mapping[str, str]) -> PairConfigured:
        if config["failover.engine"] == "keepalived":
            version = int(config.get("keepalived.version", 2))
            more: dict[str, Any] = {"version": version, "virtual_mac": False}
        else:
            secrets = Secrets(self.history.path.parent)
            more = {"password": secrets.refer("ucarp.password", config["ucarp.password"])}
        nodes = {
            name: NodeConfigured(
                address=self.address(name),
                mac=self.mac(name),
                port=self.port(name),
                timers=timers(config, name),
            )
            for name in NODES
        }
        return PairConfigured(
            source="scenario",
            virtual_ip=self.virtual_ip,
            vhid=int(config["ucarp.vhid"]),
            engine=nodes["primary"].timers.engine,
            nodes=nodes,
            **more,
        )


def timers(config: Mapping[str, str], node: str) -> UcarpTimers | KeepalivedTimers:
    if config["failover.engine"] == "keepalived":
        priority = {"primary": "150", "secondary": "100"}[node]
        return KeepalivedTimers(
            advert_int=float(config.get("keepalived.advert_int", 1)),
            priority=int(config.get(f"keepalived.{node}.priority", priority)),
        )
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    options.add_argument("-b", "--advbase", type=int, default=1)
    options.add_argument("-k", "--advskew", type=int, default=0)
    options.add_argument("-r", "--deadratio", type=int, default=3)
    extra = config["ucarp.extra_parms"]
    if len(extra) > _LONGEST_OPTIONS:
        raise ValueError(f"ucarp.extra_parms of {len(extra)} characters")
    try:
        known, _ = options.parse_known_args(shlex.split(extra))
    except argparse.ArgumentError as error:
        raise ValueError(f"ucarp.extra_parms: {error}") from error
    return UcarpTimers(**vars(known))


def silence(config: Mapping[str, str], node: str) -> Budget:
    """Return how long a node waits for a silent peer before it advertises itself, as configured."""
    own = timers(config, node)
    if isinstance(own, UcarpTimers):
        return Ucarp(own.advbase, own.advskew, own.deadratio).last_advert_to_takeover()
    version = int(config.get("keepalived.version", 2))
    return Keepalived(own.advert_int, own.priority, version).last_advert_to_takeover()
