"""Maintenance and outages as recordings: a deployment whose nodes stop, start and lose their power.

What it does follows from the scripts that are run, in whatever order: who is stopped stops no more,
who is not stopped does not start, and clients come back when their node does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from checks.multi_node.deployment import Deployment
from checks.multi_node.steps import ORDER, START, STOP, UPDATE_CONTROLLER
from evidence.capture import Frame
from tests.checks.factories import (
    SECOND,
    START_NS,
    Data,
    Run,
    sent,
    server_state,
    tcp,
    tunnel,
    udp,
)
from tests.checks.sites import GUIDE

CONTROL, DATA, RESET = 4, 9, 7
FIN = 0x11
CLOCK_NS = SECOND // 100
"""How far off it is what machines date themselves."""
BEGIN_S, EACH_S, LASTS_S = 10, 6, 5
"""When the first script is typed; from one to the next; how long each takes."""
DETAIL = "AUTH: Received control message: AUTH_FAILED"


def at(seconds: float) -> int:
    return START_NS + round(seconds * SECOND)


def opcode(code: int, octets: int, transport: str) -> bytes:
    """Return an OpenVPN packet of a kind, as it stands in a datagram or in a segment."""
    packet = bytes([code << 3]) + bytes(octets)
    return packet if transport == "udp" else len(packet).to_bytes(2, "big") + packet


@dataclass
class User:
    """A client, and how its connection to its node is going."""

    data: Data
    node: str
    since_s: float | None = None
    rows: list[Data] = field(default_factory=list)
    octets: int = 0
    port: int = 40000

    @property
    def name(self) -> str:
        return str(self.data["client"])


class Deployed:
    """A deployment in which things happen, and the recording of it."""

    def __init__(self, site: Deployment = GUIDE, seconds: int = 100) -> None:
        self.site = site
        self.run = Run(site=site, seconds=seconds)
        self.users: list[User] = []
        self.running = dict.fromkeys(site.nodes, True)

    def record(self, kind: str, source: str, seconds: float, **data: object) -> None:
        self.run.events.append((kind, source, {"at_ns": at(seconds), **data}))

    def user(self, node: str, transport: str, family: int) -> User:
        data = tunnel(node, transport, family, len(self.users), self.site)
        made = User(data, node)
        self.users.append(made)
        return made

    def each_way(self) -> None:
        """Let each node have a client by UDP and one by TCP, over both families."""
        for number, node in enumerate(self.site.nodes):
            self.user(node, "udp", 6 if number % 2 else 4)
            self.user(node, "tcp", 4 if number % 2 else 6)

    def send(self, user: User, payload: bytes, seconds: float, *, back: bool, flags: int = 0x18):
        data = user.data
        client = data["address4" if data["family"] == 4 else "address6"], user.port
        ends = (client, (data["remote"], 1194))
        source, target = reversed(ends) if back else ends
        made = (
            udp(source, target, payload)
            if data["transport"] == "udp"
            else tcp(source, target, payload, flags)
        )
        self.run.frames.append(replace(sent(made, site=self.site), at_ns=at(seconds)))
        user.octets += len(payload)

    def connect(self, user: User, seconds: float) -> None:
        """Let a client begin a session; its data packets begin half a second later."""
        way = user.data["transport"]
        user.octets = 0
        self.send(user, opcode(RESET, 50, way), seconds, back=False)
        self.send(user, opcode(CONTROL, 1200, way), seconds + 0.1, back=True)
        user.since_s = seconds + 0.5
        user.rows.append(
            {
                "profile_id": user.node,
                "ip4": user.data["tunnel4"],
                "connected_at": f"2023-11-14T22:13:{20 + seconds:.0f}+00:00",
                "disconnected_at": None,
                "bytes_transferred": None,
                "lost": False,
            }
        )

    def carry(self, user: User, until_s: float) -> None:
        """Let a client's data packets go to and fro, each second, until a moment."""
        if user.since_s is None:
            return
        seconds = user.since_s
        while seconds < until_s:
            for back in (False, True):
                packet = opcode(DATA, 100, user.data["transport"])
                self.send(user, packet, seconds + 0.01 * back, back=back)
            seconds += 1
        user.since_s = seconds

    def close(self, user: User, seconds: float) -> None:
        """Tell a client that its session is over, and log it."""
        self.carry(user, seconds)
        way = user.data["transport"]
        if way == "udp":
            self.send(user, opcode(CONTROL, 60, way), seconds, back=True)
        else:
            self.send(user, b"", seconds, back=True, flags=FIN)
        user.since_s = None
        user.rows[-1].update(
            disconnected_at=f"2023-11-14T22:13:{20 + seconds:.0f}+00:00",
            bytes_transferred=user.octets,
        )

    def tried(self, users: Iterable[User], seconds: float, detail: str = "no answer") -> None:
        for user in users:
            up = user.since_s is not None
            data = user.data | ({} if up else {"up": False, "detail": detail})
            self.record("tunnel.tried", self.site.client.name, seconds, **data)

    def started(self, users: Iterable[User], seconds: float) -> None:
        for user in users:
            self.record("tunnel.started", self.site.client.name, seconds, client=user.name)

    def log(self, seconds: float) -> None:
        rows = [dict(row) for user in self.users for row in user.rows]
        name = self.site.controller.name
        self.record("connections.logged", name, seconds, uncertainty_ns=CLOCK_NS, rows=rows)

    def unit(self, machine: str, unit: str, change: str, seconds: float) -> None:
        self.record(
            "unit.changed", machine, seconds, uncertainty_ns=CLOCK_NS, unit=unit, change=change
        )

    def script(
        self,
        machine: str,
        script: str,
        began_s: float,
        status: int = 0,
        output: str = "done",
        lasts_s: float = LASTS_S,
    ) -> None:
        self.record(
            "script.run",
            machine,
            began_s + lasts_s,
            script=script,
            typed=f"documentation-2/multi_node/{script}",
            began_ns=at(began_s),
            status=status,
            output=output,
        )

    def power(self, machine: str, seconds: float, *, on: bool, within_s: float = 0.1) -> None:
        within_ns = round(within_s * SECOND)
        self.record("power.switched", machine, seconds, on=on, uncertainty_ns=within_ns)

    def speak(self, machine: str, seconds: Iterable[float]) -> None:
        """Let a machine ask the name server, at some moments."""
        for number, second in enumerate(seconds):
            source = self.site.address(machine, 4), 50000 + number
            server = self.site.services.address(4), 53
            made = sent(udp(source, server, b"question"), site=self.site)
            self.run.frames.append(replace(made, at_ns=at(second)))

    # The four scripts

    def stop(self, node: str, began_s: float) -> None:
        if self.running[node]:
            for user in (one for one in self.users if one.node == node and one.since_s):
                self.close(user, began_s + 0.5)
            for number, after_s in ((0, 3), (1, 1)):
                unit = f"openvpn-server@{node}-{number}.service"
                self.unit(node, unit, "stopped", began_s + after_s)
        self.running[node] = False
        self.script(node, STOP, began_s)

    def start(self, node: str, began_s: float, script: str = START) -> None:
        if not self.running[node]:
            for number in (0, 1):
                unit = f"openvpn-server@{node}-{number}.service"
                self.unit(node, unit, "started", began_s + 1)
            for number, user in enumerate(one for one in self.users if one.node == node):
                self.connect(user, began_s + 2 + 0.2 * number)
        self.running[node] = True
        self.script(node, script, began_s)

    def update_node(self, node: str, began_s: float) -> None:
        self.script(node, "update_node.sh", began_s)
        written = [
            {"name": f"{node}-{number}.conf", "written_ns": at(began_s + 3)} for number in (0, 1)
        ]
        self.record(
            "server.files", node, began_s + LASTS_S + 0.2, uncertainty_ns=CLOCK_NS, files=written
        )

    def update_controller(self, began_s: float, *, reboot: bool = False) -> None:
        name = self.site.controller.name
        self.log(began_s - 0.5)
        self.unit(name, "apache2.service", "stopped", began_s + 0.2)
        self.unit(name, "apache2.service", "started", began_s + 4)
        self.unit(name, "cron.service", "stopped", began_s + 9)
        self.script(name, UPDATE_CONTROLLER, began_s)
        if reboot:
            self.unit(name, "apache2.service", "started", began_s + LASTS_S + 0.5)
            self.script(name, "reboot", began_s + LASTS_S + 0.1, lasts_s=0.8)


def maintenance(
    order: Sequence[str] = ORDER, site: Deployment = GUIDE, *, by_reboot: bool = False
) -> Run:
    """Return the recording of a maintenance with the scripts in some order."""
    made = Deployed(site)
    made.each_way()
    made.started(made.users, 1)
    for number, user in enumerate(made.users):
        made.connect(user, 2 + 0.2 * number)
    for user in made.users:
        made.carry(user, 6)
    made.tried(made.users, 6)
    made.log(7)
    made.record("maintenance.planned", "scenario", 8, order=list(order))
    for number, script in enumerate(order):
        began_s = BEGIN_S + EACH_S * number
        for user in made.users:
            made.carry(user, began_s)
        for node in site.nodes:
            if script == STOP:
                made.stop(node, began_s)
            elif script == START:
                made.start(node, began_s, "reboot" if by_reboot else script)
            elif script == "update_node.sh":
                made.update_node(node, began_s)
        if script == UPDATE_CONTROLLER:
            made.update_controller(began_s, reboot=by_reboot)
    for user in made.users:
        made.carry(user, 44)
    made.tried(made.users, 45)
    made.log(46)
    return made.run


def node_lost(
    site: Deployment = GUIDE,
    *,
    takes_s: float = 65,
    seconds: int = 100,
    first: str = "udp",
    first_stays: bool = False,
) -> Run:
    """Return the recording of a power cut on the first node, whose clients go to the next.

    first: the protocol by which the first client is connected when that happens. first_stays:
    whether it never goes anywhere else.
    """
    made = Deployed(site, seconds)
    lost, other, *_ = site.nodes
    users = [made.user(lost, first, 4), made.user(lost, "udp", 6), made.user(other, "udp", 4)]
    made.started(users, 1)
    for user in users:
        made.connect(user, 2)
        made.carry(user, 20)
    made.tried(users, 6)
    made.speak(lost, [3, 10])
    made.power(lost, 20, on=False)
    made.carry(users[2], seconds - 10)
    arrived_s = 20 + takes_s
    if arrived_s < seconds - 5:
        users[0].since_s = None if first_stays else users[0].since_s
        for number, user in enumerate(users[first_stays:2]):
            user.data = tunnel(other, "udp", user.data["family"], 10 + number, site) | {
                "client": user.name,
                "address4": user.data["address4"],
                "address6": user.data["address6"],
            }
            user.node = other
            made.connect(user, arrived_s - 0.5)
            made.carry(user, arrived_s + 5)
    else:
        for user in users[:2]:
            user.since_s = None
    made.tried(users, seconds - 1)
    return made.run


def controller_lost(site: Deployment = GUIDE) -> Run:
    """Return the recording of a controller that is off: who stands, who comes, who comes later."""
    made = Deployed(site)
    standing = [made.user(node, "udp", 4) for node in site.nodes]
    newcomers = [made.user(node, "udp", 6) for node in site.nodes]
    later = [made.user(node, "tcp", 4) for node in site.nodes]
    made.started(standing, 1)
    for user in standing:
        made.connect(user, 2)
        made.carry(user, 80)
    made.speak(site.controller.name, [3, 10, 61])
    made.power(site.controller.name, 20, on=False)
    made.started(newcomers, 25)
    for user in newcomers:
        made.connect(user, 26)
        user.since_s = None
    made.tried(newcomers, 40, DETAIL)
    made.power(site.controller.name, 60, on=True, within_s=5)
    made.started(later, 66)
    for user in later:
        made.connect(user, 67)
        made.carry(user, 80)
    made.tried(later, 75)
    made.tried(standing, 76)
    return made.run


def applied(site: Deployment = GUIDE) -> Run:
    """Return the recording of apply_changes, twice and without the controller."""
    made = Deployed(site)
    made.speak(site.controller.name, [3, 10, 61])
    failed = 'ERROR: failure performing the HTTP request: "Could not connect to server"'
    for node in site.nodes:
        for began_s in (10, 20):
            made.script(node, "apply_changes.sh", began_s)
            made.record("server.state", node, began_s + 6, **server_state(node, site))
        made.script(node, "apply_changes.sh", 45, 1, failed)
    made.power(site.controller.name, 40, on=False)
    made.power(site.controller.name, 60, on=True, within_s=5)
    return made.run


def frames_from(run: Run, machine: str) -> list[Frame]:
    return [one for one in run.frames if one.interface.startswith(f"{machine}/")]


def on(run: Run) -> Deployed:
    """Return a deployment in which more may happen, recorded in `run`."""
    made = Deployed(run.site)
    made.run = run
    return made
