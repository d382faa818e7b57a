"""OpenVPN's hooks: the same environment and the same API; how they end, and what they ask for."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.differential import genuine
from tests.differential.listed import Permitted, compare
from tests.differential.stub import Reply, Stub, answering
from tests.differential.test_api import controller, rows
from tests.differential.test_server_config import configured, said
from tests.reference.drop_in import Machine, serving
from tests.reference.test_drop_in_hooks import GONE, LEASE, NAME, kept

HOOKS = "/usr/lib/vpn-server-node"
ALL = {**LEASE, **GONE}

#: The hook, the environment changed ("-": not there), and what the API answers.
CASES: dict[str, tuple[str, Mapping[str, str], Reply | None]] = {
    "comes": ("connect", {}, None),
    "goes": ("disconnect", {}, None),
    "goes after nothing": ("disconnect", {"bytes_received": "0", "bytes_sent": "0"}, None),
    "goes with much": ("disconnect", {"bytes_received": "4294967296000"}, None),
    "IPv6 in another form": ("connect", {"ifconfig_pool_remote_ip6": "FD00:1::2"}, None),
    "odd name": ("connect", {"common_name": "a&ip4=1 %20+\"'é="}, None),
    "empty name": ("connect", {"common_name": ""}, None),
    "refused": ("connect", {}, (200, {"connect": {"ok": False, "error": "[VPN] no"}})),
    "refused, goes": ("disconnect", {}, (200, {"disconnect": {"ok": False, "error": "x"}})),
    "wrong parameter": ("connect", {}, (400, {"error": 'invalid "ip4"'})),
    "not allowed": ("connect", {}, (403, {"error": "not allowed"})),
    "API died": ("connect", {}, (500, {"error": "database is locked"})),
    "API died, goes": ("disconnect", {}, (500, {"error": "database is locked"})),
    "a page": ("connect", {}, (200, "<html>welcome</html>")),
    "an empty page": ("connect", {}, (500, "")),
    "another call's answer": ("connect", {}, (200, {"disconnect": {"ok": True}})),
    "no verdict": ("connect", {}, (200, {"connect": {}})),
    "refused without a reason": ("connect", {}, (200, {"connect": {"ok": False}})),
    "error without a reason": ("connect", {}, (500, {})),
    "a list": ("connect", {}, (200, [1])),
    "data nobody asked for": ("connect", {}, (200, {"connect": {"ok": True, "data": 5}})),
    "no profile": ("connect", {"PROFILE_ID": "-"}, None),
    "no address": ("connect", {"ifconfig_pool_remote_ip": "-"}, None),
    "no duration": ("disconnect", {"time_duration": "-"}, None),
    "no bytes": ("disconnect", {"bytes_sent": "-"}, None),
    "bytes are a word": ("disconnect", {"bytes_sent": "many"}, None),
    "time is a word": ("connect", {"time_unix": "soon"}, None),
}  # fmt: skip


def _lacks(hook: str, variable: str) -> tuple[int, str, str, list[object]]:
    return 1, "", f'client-{hook}: item "{variable}" not available\n', []


PERMITTED: Permitted = {
    "hook-variables": {
        "no profile": _lacks("connect", "PROFILE_ID"),
        "no address": _lacks("connect", "ifconfig_pool_remote_ip"),
        "no duration": _lacks("disconnect", "time_duration"),
        "no bytes": _lacks("disconnect", "bytes_sent"),
        "bytes are a word": (
            1,
            "",
            "client-disconnect: invalid literal for int() with base 10: 'many'\n",
            [],
        ),
    },
}


def ended(machine: Machine, stub: Stub, case: str) -> object:
    """Run a hook; return how it ended, what it said and logged, and what it asked for."""
    call, changes, reply = CASES[case]
    stub.reply = lambda _: reply or (200, {call: {"ok": True}})
    stub.asked.clear()
    environment = (
        {name: value for name, value in {**ALL, **changes}.items() if value != "-"}
        | {"PATH": os.environ["PATH"]}
        | INHERITED
    )
    done = machine.run(f"{HOOKS}/client-{call}", "an argument", env=environment)
    asked = [(one.method, one.path, one.consumer, one.form, one.type) for one in stub.asked]
    return done.returncode, done.stdout, said(done.stderr, stub), asked


INHERITED = {name: os.environ[name] for name in ("PHP_INI_SCAN_DIR",) if name in os.environ}


@pytest.fixture(scope="module")
def stub() -> Any:
    with answering(lambda _: (404, {})) as one:
        yield one


@pytest.mark.parametrize("way", ["alone", "by curl"])
def test_hooks_end_alike_and_ask_for_the_same(
    genuine_machine: Machine, machine: Machine, stub: Stub, way: str
) -> None:
    configured(genuine_machine, stub.uri, {})
    configured(machine, stub.uri, {})
    if way == "by curl":
        kept(machine)
    compare(
        {case: ended(genuine_machine, stub, case) for case in CASES},
        {case: ended(machine, stub, case) for case in CASES},
        PERMITTED,
    )


#: What happens in turn: the hook, and what is special about the client.
COMINGS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("connect", {}),
    ("connect", {"common_name": "f" * 32}),
    ("disconnect", {}),
    ("disconnect", {}),
    ("connect", {"time_unix": "1586174500"}),
    ("connect", {"time_unix": "1586174600"}),
    ("disconnect", {"time_unix": "1586174600", "bytes_received": "4294967296000"}),
    ("connect", {"PROFILE_ID": "node-z"}),
    ("connect", {"ifconfig_pool_remote_ip": "nowhere"}),
)


def test_hooks_leave_the_same_rows_with_the_api_of_their_own_kind(
    genuine_machine: Machine, machine: Machine, quick_ca: Path
) -> None:
    found = []
    for one, serve in (
        (genuine_machine, genuine.serving(genuine_machine)),
        (machine, serving(machine.root)),
    ):
        controller(one, quick_ca)
        known(one, NAME)
        with serve as uri:
            configured(one, uri, {})
            ends = [hook(one, uri, *coming) for coming in COMINGS]
        found.append((ends, rows(one, "connection_log")))
    assert found[0] == found[1]
    assert [row["client_lost"] for row in found[0][1]] == [0, 1, 0]


def hook(machine: Machine, uri: str, call: str, changes: Mapping[str, str]) -> tuple[int, str]:
    environment = {**ALL, **changes, "PATH": os.environ["PATH"]} | INHERITED
    done = machine.run(f"{HOOKS}/client-{call}", env=environment)
    return done.returncode, done.stderr.replace(uri, "API")


def known(machine: Machine, name: str) -> None:
    """Let the controller know a certificate of that name."""
    now = "2020-01-01T00:00:00+00:00"
    with sqlite3.connect(machine.root / "var/lib/vpn-server-api/db.sqlite") as db:
        db.execute(
            "INSERT INTO users (user_id, session_expires_at, permission_list, is_disabled)"
            " VALUES ('alice', ?, '[]', 0)",
            (now,),
        )
        db.execute(
            "INSERT INTO certificates"
            " (common_name, user_id, display_name, valid_from, valid_to, client_id)"
            " VALUES (?, 'alice', 'laptop', ?, ?, NULL)",
            (name, now, now),
        )
