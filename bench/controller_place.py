"""A controller in a folder, for `bench.controller`: installed, asked over the loopback, killed."""

from __future__ import annotations

import base64
import http.client
import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import urlencode

from lab.errors import LabError
from lab.wait import pause, until

_SOFTWARE = Path(__file__).parents[1] / "provision/reference/documentation-2/packages"
_SERVER = Path(__file__).with_name("controller_server.py")
_CONFIG = """<?php return ['vpnProfiles' => ['internet' => [
    'profileNumber' => 1, 'displayName' => 'Internet', 'range' => '10.0.0.0/8',
    'range6' => 'fd00::/64', 'hostName' => 'vpn.example']],
    'apiConsumers' => ['vpn-user-portal' => 'portal', 'vpn-server-node' => 'node']];
"""
_PORTAL = """<?php return ['adminUserIdList' => ['admin'], 'secureCookie' => false,
    'apiUser' => 'vpn-user-portal', 'apiPass' => 'portal', 'apiUri' => '{uri}'];
"""
API, PORTAL = "/vpn-server-api/api.php/", "/vpn-user-portal/"
PASSWORD = "of-the-benchmark"  # noqa: S105 - of a user of this folder
NAME = "0123456789abcdef" * 2
_MOMENT = "2030-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Served:
    """The API or the portal while it is served."""

    process: subprocess.Popen[str]
    port: int

    @property
    def resident_kib(self) -> int:
        """How much memory it has."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def ask(
        self, path: str, form: Mapping[str, object] | None, headers: Mapping[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask once, over a connection of its own, as hooks and browsers do."""
        sent = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
        body = urlencode(dict(form)) if form is not None else None
        method = "GET" if form is None else "POST"
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, {**sent, **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()


@dataclass(frozen=True)
class Controller:
    """API and portal installed below `root`, with one user and one certificate."""

    root: Path

    @classmethod
    def installed(cls, root: Path) -> Controller:
        """Install them; LabError says what went wrong."""
        made = cls(root)
        line = [_SOFTWARE / "install", "--root", root, "--python", sys.executable]
        made._run([*line, "vpn-server-api", "vpn-user-portal"])
        (root / "etc/vpn-server-api/config.php").write_text(_CONFIG)
        made._run([root / "usr/bin/vpn-server-api-init"])
        made._run([root / "usr/bin/vpn-user-portal-init"])
        made._run([root / "usr/bin/vpn-user-portal-add-user", "--user", "admin"], PASSWORD)
        with made.database() as db:
            db.execute(
                "INSERT INTO users (user_id, session_expires_at) VALUES ('admin', ?)", (_MOMENT,)
            )
            certificate = (NAME, "admin", "laptop", _MOMENT, _MOMENT, None)
            db.execute("INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?)", certificate)
        return made

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """Open the API's database."""
        path = self.root / "var/lib/vpn-server-api/db.sqlite"
        with closing(sqlite3.connect(path, timeout=60)) as db, db:
            yield db

    @contextmanager
    def serving(self, what: str) -> Iterator[Served]:
        """Serve "api" or "portal" until the block ends; it may be killed before."""
        line = [sys.executable, str(_SERVER), str(self.root), what]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
            try:
                said = process.stdout.readline() if process.stdout else ""
                if not said.strip().isdigit():
                    raise LabError(f"the {what} of the benchmark does not start")
                yield Served(process, int(said))
            finally:
                process.kill()

    def point_portal_at(self, api: Served) -> None:
        """Let the portal ask this API."""
        uri = f"http://127.0.0.1:{api.port}{API.rstrip('/')}"
        (self.root / "etc/vpn-user-portal/config.php").write_text(_PORTAL.format(uri=uri))

    def _run(self, line: Sequence[object], stdin: str = "") -> None:
        done = subprocess.run(
            [str(word) for word in line], input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise LabError(f"{line[0]}: {done.stderr.strip()}", hint="is php-cli installed?")


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header that a consumer of the API shows."""
    shown = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {shown}"}


_NODE = basic("vpn-server-node", "node")


@dataclass
class Hooks:
    """The connect and disconnect hooks of many clients; what the API acknowledged is kept."""

    began: int = 1_900_000_000
    connected: set[int] = field(default_factory=set)
    disconnected: set[int] = field(default_factory=set)
    _next: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def come_and_go(self, api: Served) -> None:
        """Let one client connect and disconnect; OSError when the API is not there."""
        with self._lock:
            number, self._next = self._next, self._next + 1
        lease = {
            "profile_id": "internet",
            "common_name": NAME,
            "ip4": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "ip6": f"fd00::{number:x}",
            "connected_at": self.began + number,
        }
        if self._says_yes(api, "connect", lease):
            self.connected.add(number)
        gone = {"disconnected_at": self.began + number + 1, "bytes_transferred": number}
        if self._says_yes(api, "disconnect", {**lease, **gone}):
            self.disconnected.add(number)

    def _says_yes(self, api: Served, call: str, form: Mapping[str, object]) -> bool:
        status, _, text = api.ask(API + call, form, _NODE)
        return status == 200 and json.loads(text) == {call: {"ok": True}}

    def lost(self, controller: Controller) -> int:
        """Return how much of what was acknowledged the log does not have as it was told."""
        query = "SELECT ip6, disconnected_at, bytes_transferred FROM connection_log"
        with controller.database() as db:
            rows = {row[0]: row[1:] for row in db.execute(query)}
            sound = [row[0] for row in db.execute("PRAGMA integrity_check")] == ["ok"]
        if not sound:
            raise LabError("the API's database is damaged")
        opened = {number for number in self.connected if _address(number) not in rows}
        closed = {number for number in self.disconnected if not _closed(rows, number)}
        return len(opened) + len(closed)


def _closed(rows: Mapping[str, tuple[object, ...]], number: int) -> bool:
    disconnected_at, transferred = rows.get(_address(number), (None, None))
    return disconnected_at is not None and transferred == number


def _address(number: int) -> str:
    return str(IPv6Address(f"fd00::{number:x}"))


def side_by_side(act: Callable[[], object], count: int, threads: int) -> float:
    """Do something `count` times by several threads; return how long that took."""
    left = iter(range(count))
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work() -> None:
        while not failures:
            with lock:
                if next(left, None) is None:
                    return
            try:
                act()
            except (OSError, http.client.HTTPException, ValueError) as error:
                failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    began = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise LabError(f"a request of the benchmark failed: {failures[0]}")
    return time.monotonic() - began


def killed_in_the_middle(
    controller: Controller, hooks: Hooks, threads: int, chance: random.Random
) -> None:
    """Kill the API while hooks ask it, at some moment after it has answered the first of them."""
    before = len(hooks.connected)
    with controller.serving("api") as api:

        def work() -> None:
            with suppress(OSError, http.client.HTTPException, ValueError):
                while True:
                    hooks.come_and_go(api)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        try:
            until(lambda: len(hooks.connected) > before, 30, "the first hook to be answered")
            pause(chance.uniform(0, 0.4))
        finally:
            api.process.kill()
            for worker in workers:
                worker.join()
