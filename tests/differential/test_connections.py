"""Who is connected: what a controller asks the nodes' vpn-daemon, says, prints and logs."""

from __future__ import annotations

import base64
import http.client
import json
import syslog
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.differential import genuine
from tests.differential.daemon import Credentials, Daemon, listening
from tests.differential.listed import Permitted, compare
from tests.differential.test_api import controller
from tests.differential.test_hooks import known
from tests.reference.drop_in import PORTAL, Machine, guide_profile, serving

ALICE, NOBODY = "a1" * 16, "0" * 31 + "1"
STATUS = "/usr/bin/vpn-server-api-status"
PRINTED = (
    (), ("--json",), ("--json", "--connections"), ("--connections",), ("--alert",),
    ("--alert", "0"), ("--alert", "2", "--json"), ("--json", "--alert", "100"),
)  # fmt: skip

PERMITTED: Permitted = {
    "daemon-unreachable": {"one of two nodes is away": (200, {"node-a": [], "node-b": []})},
}


@pytest.fixture(scope="module")
def credentials(quick_ca: Path, tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return Credentials.make(quick_ca, tmp_path_factory.mktemp("daemon"))


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keep what the drop-in API logs: here it runs in this process."""
    lines: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _, text: lines.append(text))
    return lines


@pytest.fixture
def both(
    genuine_machine: Machine,
    machine: Machine,
    quick_ca: Path,
    credentials: Credentials,
    own_loopback: str,
) -> tuple[Machine, Machine]:
    for one in (genuine_machine, machine):
        profiles = {
            name: guide_profile(number, name[-1], managementIp=address)
            for number, (name, address) in enumerate(
                {"node-a": own_loopback, "node-b": own_loopback[:-1] + "3"}.items(), 1
            )
        }
        controller(one, quick_ca, useVpnDaemon=True, vpnProfiles=profiles)
        known(one, ALICE)
        credentials.give_to(one)
    return genuine_machine, machine


def asked(uri: str, method: str, call: str, **given: str) -> tuple[int, Any]:
    parts = urlsplit(uri)
    asking = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    headers = {"Authorization": "Basic " + base64.b64encode(":".join(PORTAL).encode()).decode()}
    form = urlencode(given)
    target = f"{parts.path}/{call}"
    try:
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            asking.request(method, target, form, headers)
        else:
            asking.request(method, f"{target}?{form}", headers=headers)
        answer = asking.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text).get(call, text).get("data") if text else ""
    finally:
        asking.close()


@pytest.fixture
def served(
    both: tuple[Machine, Machine], tmp_path: Path, logged: list[str], own_loopback: str
) -> Any:
    """Return a way to let both do something, and what each logged meanwhile."""

    def compare_both(act: Callable[[str], Any]) -> tuple[list[Any], list[list[str]]]:
        log = tmp_path / "log"
        with genuine.serving(both[0], log) as uri:
            first = act(uri)
        lines = [
            line.partition("vpn-server-api: ")[2]
            for line in log.read_text().splitlines()
            if "vpn-server-api: " in line
        ]
        logged.clear()
        with serving(both[1].root) as uri:
            second = act(uri)
        return [first, second], [
            [line.replace(own_loopback[:-1], "HERE") for line in found] for found in (lines, logged)
        ]

    return compare_both


def test_clients_are_listed_alike_and_the_daemons_asked_alike(
    served: Any, credentials: Credentials, own_loopback: str
) -> None:
    first = Daemon([f"{ALICE} 10.1.0.2 fd00:1:1:1::1000", f"{NOBODY} 10.1.0.3 fd00:1:1:1::1001"])
    second = Daemon()

    def act(uri: str) -> Any:
        answers = [
            asked(uri, "GET", "client_connections"),
            asked(uri, "GET", "client_connections", user_id="alice"),
            asked(uri, "GET", "client_connections", user_id="bob"),
            asked(uri, "GET", "client_connections", client_id="org.example"),
            asked(uri, "POST", "kill_client", common_name=ALICE),
        ]
        lines = (list(first.asked), list(second.asked))
        first.asked.clear()
        second.asked.clear()
        return answers, lines

    with (
        listening(first, credentials, own_loopback),
        listening(second, credentials, own_loopback[:-1] + "3"),
    ):
        found, log = served(act)
    assert found[1] == found[0]
    assert log[1] == log[0]
    assert len(log[0]) == 4
    assert found[0][1][0][-2:] == ["SET_PORTS 11940 11941", f"DISCONNECT {ALICE}"]


def test_a_node_that_is_away_differs_as_listed(
    served: Any, credentials: Credentials, own_loopback: str
) -> None:
    with listening(Daemon(), credentials, own_loopback):
        found, _ = served(
            lambda uri: {"one of two nodes is away": asked(uri, "GET", "client_connections")}
        )
    compare(*found, PERMITTED)


def test_the_log_says_alike_that_no_node_is_there(served: Any) -> None:
    found, log = served(lambda uri: asked(uri, "GET", "client_connections"))
    assert found[0] == found[1]
    assert log[0] == log[1]


def test_the_status_command_prints_the_same(
    both: tuple[Machine, Machine], credentials: Credentials, own_loopback: str
) -> None:
    first = Daemon([f"{ALICE} 10.1.0.2 fd00:1:1:1::1000"] * 3)
    with (
        listening(first, credentials, own_loopback),
        listening(Daemon(), credentials, own_loopback[:-1] + "3"),
    ):
        found = [
            {" ".join(words): printed(machine, *words) for words in PRINTED} for machine in both
        ]
    compare(*found, {})
    assert "node-a,3,122,2" in found[0][""][1]


def printed(machine: Machine, *words: str) -> tuple[int, str]:
    done = machine.run(STATUS, *words)
    return done.returncode, done.stdout
