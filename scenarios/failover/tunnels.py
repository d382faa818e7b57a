"""VPN clients outside, watched across a takeover: when packets pass again, and by what right.

A client's steady ping is dated by its own machine; the offset to the wire's clock is measured and
recorded with it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from lab.errors import DeadlinePassed
from lab.wait import until
from provision.failover import users
from provision.failover.access_server import NODE_LOG
from provision.vpn_clients import Client, VpnClients
from scenarios.failover import observe
from scenarios.failover.pair import Pair

OUTSIDE = "outside"
NS = 1_000_000_000
CONNECT_S = 120.0
BACK_S = 100.0  # longer than the guide's "about a minute" as checks read it
_FIRST_ADDRESS = 101
_PING_EVERY_S = 0.5
_ECHO = re.compile(r"^\[(?P<at>\d+\.\d+)\] \d+ bytes from ", re.MULTILINE)
_VERIFY = re.compile(r"auth-user-pass-verify user='(?P<user>[^']*)' cn='(?P<name>[^']*)'")


@dataclass(frozen=True)
class Traveller:
    """A client: who it is, its protocol, and whether its certificate is enough."""

    user: str
    protocol: str
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


class Outside:
    """The clients on the machine outside."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._machine = pair.lab[pair.site.client.name]
        self._clients = VpnClients(self._machine)
        self._known: list[str] = []

    def connect(self, *travellers: Traveller, seconds: float = CONNECT_S) -> None:
        """Connect clients with profiles of the active node, and let each ping its far end."""
        active = self._pair.machine(self._pair.active())
        configs = {}
        for one in travellers:
            if one.autologin:
                profile = users.autologin_profile(active, one.user)
            else:
                password = users.one_time_password(one.user, one.number)
                profile = users.user_profile(active, one.user, password)
            configs[one.name] = users.only_by(profile, one.protocol)
        self.start(configs)
        self._clients.wait_up(list(configs), seconds)
        for one in travellers:
            self._watch(one)
            self._record("tunnel.watched", one)

    def start(self, configs: dict[str, str]) -> None:
        """Start clients by name with their profiles, at addresses of their own outside."""
        wanted = []
        for name, config in configs.items():
            number = _FIRST_ADDRESS + len(self._known)
            wanted.append(Client(name, config, f"198.51.100.{number}", ""))
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

    def wait_for_echo(self, one: Traveller, since_ns: int) -> bool:
        """Wait for the first echo after `since_ns` (wire), record it; say whether it came."""
        offset = self._machine.clock()

        def first() -> int | None:
            text = self._machine.run(f"tail -n 400 {_pings(one)}", check=False).stdout
            stamps = (int(float(match["at"]) * NS) for match in _ECHO.finditer(text))
            later = (stamp for stamp in map(offset.on_host, stamps) if stamp > since_ns)
            return next(later, None)

        try:
            at_ns = until(first, BACK_S, f"{one.name}'s packets to pass again", every=1.0)
        except DeadlinePassed:
            return False
        self._record("tunnel.back", one, at_ns=at_ns, uncertainty_ns=offset.uncertainty_ns)
        return True

    def leave(self) -> None:
        """End every client."""
        self._machine.run("pkill -x ping", check=False)
        self._clients.disconnect(self._known)
        self._known.clear()

    def _record(self, kind: str, one: Traveller, **moment: int) -> None:
        self._pair.history.record(kind, one.name, client=OUTSIDE, protocol=one.protocol, **moment)

    def _watch(self, one: Traveller) -> None:
        """Ping the server's own address in the client's tunnel, from now on."""
        self._clients.run(
            one.name,
            # the first address of the network: no interpreter for that, it takes a second
            "net=$(ip -4 route show dev tun0 scope link | awk 'NR == 1 {print $1}'); "
            "net=${net%/*}; far=${net%.*}.$((${net##*.} + 1)); "
            f'setsid ping -D -n -i {_PING_EVERY_S} "$far" >{_pings(one)} 2>/dev/null </dev/null &',
        )


def _pings(one: Traveller) -> str:
    return f"/run/vpn-clients/{one.name}.pings"


def verify_calls(pair: Pair, node: str, one: Traveller, since_ns: int) -> list[str]:
    """Return the user name of each log-in check for a client on a node since `since_ns`."""
    machine = pair.machine(node)
    offset = machine.clock()
    text = machine.run(f"cat {NODE_LOG}").stdout
    lines = (line for _, line in observe.dated_since(text, offset, since_ns))
    matches = (match for line in lines for match in _VERIFY.finditer(line))
    return [match["user"] for match in matches if match["name"] == one.common_name]


def unspent(pair: Pair, node: str, user: str) -> int:
    """Return how many one-time passwords of a user are left."""
    answer = json.loads(pair.sacli(node, "--user", user, "OneTimePasswords"))
    return int(answer["unused"])
