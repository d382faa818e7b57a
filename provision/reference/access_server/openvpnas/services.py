"""What the active node offers: two OpenVPN daemons and the web service.

The web service is started as soon as the node is a standby, but opens no port before it is told
to: loading its libraries would else be a large part of a takeover.
"""

from __future__ import annotations

import os
import threading

from openvpnas import rendering
from openvpnas.child import Child, Event, Events, Restart, Say
from openvpnas.paths import Paths

RESTART_SECONDS = 1.0
WEB = "WEB"
OPENVPN = {"udp": "OVPN 0", "tcp": "OVPN 1"}


class Services:
    """Starts and stops them together; a service that dies alone comes back after a second."""

    def __init__(self, paths: Paths, events: Events[Event], say: Say) -> None:
        self._paths = paths
        self._events = events
        self._say = say
        self._children: dict[str, Child] = {}
        self._serving = False

    def prepare(self) -> None:
        """Have a web service waiting."""
        self._start_web()

    def serve(self, node_log: str) -> None:
        """Offer everything, with what the databases say now."""
        rendering.render(self._paths, node_log)
        self._serving = True
        for daemon in rendering.DAEMONS:
            self._start(OPENVPN[daemon])
        self._start_web()
        self._children[WEB].tell("serve")

    def stop(self) -> None:
        """Offer nothing; returns when all ports are closed."""
        self._serving = False
        for child in self._children.values():
            child.stop()
        self._children.clear()

    def ended(self, child: Child) -> bool:
        """Note the end of a child; True if it was a service that is needed and comes back."""
        if self._children.get(child.name) is not child or child.stopping:
            return False
        del self._children[child.name]
        timer = threading.Timer(RESTART_SECONDS, self._events.put, [Restart(child.name)])
        timer.daemon = True
        timer.start()
        return True

    def restart(self, name: str) -> None:
        """Start a service again that had died, if it is still wanted."""
        if name == WEB:
            self._start_web()
            if self._serving:
                self._children[WEB].tell("serve")
        elif self._serving and name in OPENVPN.values():
            self._start(name)

    def states(self) -> dict[str, str]:
        """Give {service: "on" or "off"} by the names that `sacli status` uses."""
        names = {"openvpn_0": OPENVPN["udp"], "openvpn_1": OPENVPN["tcp"], "web": WEB}
        return {
            shown: "on" if self._serving and self._is_running(name) else "off"
            for shown, name in names.items()
        }

    def _is_running(self, name: str) -> bool:
        child = self._children.get(name)
        return child is not None and child.running

    def _start(self, name: str) -> None:
        if self._is_running(name):
            return
        daemon = next(daemon for daemon, shown in OPENVPN.items() if shown == name)
        command = rendering.openvpn_command(self._paths, daemon)
        self._children[name] = Child(name, command, self._events, self._say)

    def _start_web(self) -> None:
        if not self._is_running(WEB):
            command = [os.fspath(self._paths.libexec / "web-service")]
            self._children[WEB] = Child(WEB, command, self._events, self._say)
