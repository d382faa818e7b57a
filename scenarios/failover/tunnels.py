"""VPN clients outside, watched across a takeover: when packets pass again, and by what right.

A client's steady ping is dated by its own machine; the offset to the wire's clock is measured and
recorded with it. An echo shows that a client is back when its request was sent after the fault: one
that was on its way before it says nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal

from checks.failover.tunnels import INTERRUPTION_S
from evidence.events.takeover import TunnelCarried, TunnelWatched
from evidence.moment import NS
from evidence.secret import Secrets, in_profile
from lab.answers import understood
from lab.clock import ClockOffset
from lab.errors import DeadlinePassed
from lab.wait import pause, until
from provision.failover import users
from provision.failover.access_server import NODE_LOG
from provision.vpn_clients import Client, VpnClients
from scenarios.failover import observe
from scenarios.failover.pair import Pair

OUTSIDE = "outside"
CONNECT_S = 120.0
BACK_S = 100.0  # longer than the guide's "about a minute" as checks read it
STAYS_S = 5.0  # to see that it stays back
_FIRST_ADDRESS = 101
_ECHO_S = 30.0
_PING_EVERY_S = 0.5
_ECHO = re.compile(
    r"^\[(?P<s>\d{1,12})\.(?P<us>\d{6})\] \d+ bytes from .{1,200} "
    r"time=(?P<took_ms>\d{1,9}(?:\.\d{1,9})?) ms",
    re.MULTILINE | re.ASCII,
)
_VERIFY = re.compile(r"auth-user-pass-verify user='(?P<user>[^']*)' cn='(?P<name>[^']*)'")


@dataclass(frozen=True)
class RoamingClient:
    """A client: who it is, its protocol, and whether its certificate is enough."""

    user: str
    protocol: Literal["udp", "tcp"]
    number: int
    autologin: bool = False

    @property
    def name(self) -> str:
        """What the client is called on its machine."""
        return f"{self.user}-{self.protocol}"

    @property
    def common_name(self) -> str:
        """The name in its certificate."""
        return f"{self.user}_AUTOLOGIN" if self.autologin else self.user


@dataclass(frozen=True)
class Echo:
    """A packet that came back: when, and when it had been sent (ns, wire), and how far off."""

    at_ns: int
    sent_ns: int
    uncertainty_ns: int


def echoes(text: str, offset: ClockOffset) -> Iterator[Echo]:
    """Yield each echo of what `ping -D` printed on a machine whose clock is off by `offset`."""
    for match in _ECHO.finditer(text):
        at_ns = offset.on_host(int(match["s"]) * NS + int(match["us"]) * 1000)
        took_ns = round(float(match["took_ms"]) * 1_000_000)
        yield Echo(at_ns, at_ns - took_ns, offset.uncertainty_ns)


def silences(found: Sequence[Echo], since_ns: int) -> dict[Echo, int]:
    """Return how long (ns) no echo came before the first one, and before each after a long silence.

    since_ns: from when on (wire) they are looked at.
    """
    befores_ns = [since_ns, *(one.at_ns for one in found)]
    silent_ns = {one: one.at_ns - before for one, before in zip(found, befores_ns, strict=False)}
    return {one: ns for one, ns in silent_ns.items() if one is found[0] or ns > INTERRUPTION_S * NS}


class Outside:
    """The clients on the machine outside."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._machine = pair.lab[pair.site.client.name]
        self._clients = VpnClients(self._machine)
        self._known: list[str] = []

    def connect(self, *clients: RoamingClient, seconds: float = CONNECT_S) -> None:
        """Connect clients with profiles of the active node, and let each ping its far end.

        Each is watched from when its first packet has come back.
        """
        active = self._pair.machine(self._pair.active())
        configs, logins = {}, {}
        for one in clients:
            if one.autologin:
                profile = users.autologin_profile(active, one.user)
            else:
                profile = users.user_profile(active, one.user)
                logins[one.name] = one.user, users.one_time_password(one.user, one.number)
            configs[one.name] = users.only_by(profile, one.protocol)
        self.start(configs, logins)
        self._clients.wait_up(list(configs), seconds)
        for one in clients:
            self._ping(one)
        for one in clients:
            until(partial(self._echoes, one), _ECHO_S, f"a first echo to {one.name}")
            self._pair.history.record(
                TunnelWatched(source=one.name, client=OUTSIDE, protocol=one.protocol)
            )

    def start(self, configs: Mapping[str, str], logins: Mapping[str, tuple[str, str]]) -> None:
        """Start clients by name with their profiles, at addresses of their own outside.

        `logins` has user and password of each whose profile asks for them.
        """
        secrets = Secrets(self._pair.history.path.parent)
        secrets.keep({f"password of {name}": password for name, (_, password) in logins.items()})
        wanted = []
        for name, config in configs.items():
            secrets.keep(in_profile(name, config))
            address = f"198.51.100.{_FIRST_ADDRESS + len(self._known)}"
            wanted.append(Client(name, config, address, login=logins.get(name)))
            self._known.append(name)
        self._clients.connect_all(wanted)

    def is_up(self, name: str, seconds: float = CONNECT_S) -> bool:
        """Wait for a tunnel; say whether it came up."""
        try:
            self._clients.wait_up([name], seconds)
        except DeadlinePassed:
            return False
        return True

    def log(self, name: str) -> str:
        """Return the whole log of a client."""
        return self._machine.run(f"cat /var/log/vpn-clients/{name}.log").stdout

    def wait_until_back(
        self, clients: Iterable[RoamingClient], since_ns: int
    ) -> dict[RoamingClient, bool]:
        """Wait for each client's first echo of what was sent after `since_ns` (wire); record it.

        All at once, for at most `BACK_S`. Says of each whether it came.
        """
        wanted = tuple(clients)
        first: dict[RoamingClient, Echo] = {}

        def are_back() -> bool:
            for one in wanted:
                if one not in first and (found := self._echoes(one, since_ns)):
                    first[one] = found[0]
            return len(first) == len(wanted)

        with suppress(DeadlinePassed):
            until(are_back, BACK_S, "the clients' packets to pass again", every=1.0)
        for one, echo in first.items():
            self._record(echo, one, silent_ns=silences([echo], since_ns)[echo])
        return {one: one in first for one in wanted}

    def see_whether_they_stay(self, back: Mapping[RoamingClient, bool], since_ns: int) -> None:
        """Watch a while longer, then record each interruption's end, and the last echo until then.

        back: for each client whether its first echo of what was sent after `since_ns` (wire) is
        recorded already.
        """
        pause(STAYS_S)
        for one, known in back.items():
            looked_ns = time.time_ns()
            found = self._echoes(one, since_ns)
            ends = silences(found, since_ns)
            for first in found[:1] if known else ():
                del ends[first]
            for echo in found[:-1]:
                if echo in ends:
                    self._record(echo, one, silent_ns=ends[echo])
            for last in found[-1:]:  # what came while they were read was seen, too
                looked_ns = max(looked_ns, last.at_ns)
                self._record(last, one, silent_ns=ends.get(last), looked_until_ns=looked_ns)

    def _echoes(self, one: RoamingClient, since_ns: int = 0) -> list[Echo]:
        """Return the latest echoes to a client of what was surely sent after `since_ns` (wire)."""
        offset = self._machine.clock()
        text = self._machine.run(f"tail -n 400 {_pings(one)}", check=False).stdout
        return [
            echo for echo in echoes(text, offset) if echo.sent_ns - echo.uncertainty_ns > since_ns
        ]

    def leave(self) -> None:
        """End every client."""
        self._machine.run("pkill -x ping", check=False)
        self._clients.disconnect(self._known)
        self._known.clear()

    def _record(
        self,
        echo: Echo,
        one: RoamingClient,
        *,
        silent_ns: int | None = None,
        looked_until_ns: int | None = None,
    ) -> None:
        self._pair.history.record(
            TunnelCarried(
                source=one.name,
                at_ns=echo.at_ns,
                uncertainty_ns=echo.uncertainty_ns,
                client=OUTSIDE,
                protocol=one.protocol,
                sent_ns=echo.sent_ns,
                silent_ns=silent_ns,
                looked_until_ns=looked_until_ns,
            )
        )

    def _ping(self, one: RoamingClient) -> None:
        """Ping the server's own address in the client's tunnel, from now on."""
        self._clients.run(
            one.name,
            # the first address of the network: no interpreter for that, it takes a second
            "net=$(ip -4 route show dev tun0 scope link | awk 'NR == 1 {print $1}'); "
            "net=${net%/*}; far=${net%.*}.$((${net##*.} + 1)); "
            f'setsid ping -D -n -i {_PING_EVERY_S} "$far" >{_pings(one)} 2>/dev/null </dev/null &',
        )


def _pings(one: RoamingClient) -> str:
    return f"/run/vpn-clients/{one.name}.pings"


def verify_calls(pair: Pair, node: str, one: RoamingClient, since_ns: int) -> list[str]:
    """Return the user name of each log-in check for a client on a node since `since_ns`."""
    machine = pair.machine(node)
    offset = machine.clock()
    text = machine.run(f"cat {NODE_LOG}").stdout
    lines = (line for _, line in observe.dated_since(text, offset, since_ns))
    matches = (match for line in lines for match in _VERIFY.finditer(line))
    return [match["user"] for match in matches if match["name"] == one.common_name]


def unspent(pair: Pair, node: str, user: str) -> int:
    """Return how many one-time passwords of a user are left."""
    said = pair.sacli(node, "--user", user, "OneTimePasswords")
    with understood(node, "OneTimePasswords"):
        return int(json.loads(said)["unused"])
