"""The commands of controller and portal: what they print, and what they leave behind."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from provision.genuine.recipe import packaging
from tests.differential.listed import Permitted, compare
from tests.differential.test_api import controller
from tests.reference.drop_in import SOFTWARE, Machine, guide_config

API_STATE = "var/lib/vpn-server-api"
PORTAL_STATE = "var/lib/vpn-user-portal"
_READ = "echo json_encode(require $argv[1]);"

PERMITTED: Permitted = {
    "arguments": {"update-ip without a host": 2},
    "modes": {
        "mode of the API's database": 0o600,
        "mode of the portal's database": 0o600,
        "mode of a configuration after update-ip": 0o640,
        "mode of a configuration after update-api-secrets": 0o640,
    },
    "update-ip-options": {
        "options after update-ip": sorted([
            "blockLan", "defaultGateway", "displayName", "dns", "hostName", "managementIp",
            "profileNumber", "range", "range6",
        ]),
    },
    "password-prompt": {
        "no password": (1, "ERROR: a user needs a name and a password\n"),
    },
    "update-ip-refusal": {
        "update-ip of an unknown profile": (1, 'ERROR: "nope" is not a section\n'),
    },
}  # fmt: skip


def test_commands_of_controller_and_portal_do_the_same(
    genuine_machine: Machine, machine: Machine, quick_ca: Path
) -> None:
    found = []
    for one in (genuine_machine, machine):
        shutil.rmtree(one.root / API_STATE)
        (one.root / API_STATE).mkdir(mode=0o700)
        controller(one, quick_ca)
        found.append(
            {
                **_initialised(one),
                **_housekeeping(one),
                **_new_addresses(one),
                **_new_secrets(one),
                **_users(one),
            }
        )
    compare(found[0], found[1], PERMITTED)


def ended(machine: Machine, command: str, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Run a command; return how it ended and what it said, wherever it said it."""
    done = machine.run(f"/usr/bin/{command}", *arguments, stdin=stdin)
    return done.returncode, done.stdout + done.stderr


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def configuration(machine: Machine, package: str) -> Any:
    path = machine.root / "etc" / package / "config.php"
    done = subprocess.run(["php", "-r", _READ, path], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _initialised(machine: Machine) -> Mapping[str, object]:
    state = machine.root / API_STATE
    return {
        "init again": ended(machine, "vpn-server-api-init"),
        "what init makes": sorted(path.name for path in state.rglob("*")),
        "mode of the API's database": mode(state / "db.sqlite"),
        "mode of the CA's directory": mode(state / "ca"),
        "modes in the CA's directory": {mode(path) for path in (state / "ca").iterdir()},
    }


def _housekeeping(machine: Machine) -> Mapping[str, object]:
    def ago(days: float) -> str:
        return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S+00:00")

    database = machine.root / API_STATE / "db.sqlite"
    with sqlite3.connect(database) as db:
        db.execute(
            "INSERT INTO users (user_id, session_expires_at, permission_list, is_disabled)"
            " VALUES ('alice', '2020-01-01T00:00:00+00:00', '[]', 0)"
        )
        for name, came, went in (
            ("old", 40, 39),
            ("long", 40, 1),
            ("open", 40, None),
            ("young", 31, 31),
        ):
            db.execute(
                "INSERT INTO connection_log (user_id, profile_id, common_name, ip4, ip6,"
                " connected_at, disconnected_at) VALUES ('alice', 'node-a', ?, '', '', ?, ?)",
                (name, ago(came), None if went is None else ago(went)),
            )
        for name, ends in (("long gone", 8), ("gone", 6), ("good", -1)):
            db.execute(
                "INSERT INTO certificates (common_name, user_id, display_name, valid_from,"
                " valid_to) VALUES (?, 'alice', '', ?, ?)",
                (name, ago(90), ago(ends)),
            )
    found: dict[str, object] = {"housekeeping": ended(machine, "vpn-server-api-housekeeping")}
    with sqlite3.connect(database) as db:
        for table in ("connection_log", "certificates"):
            names = db.execute(f"SELECT common_name FROM {table}")  # noqa: S608
            found[f"{table} after housekeeping"] = sorted(name for (name,) in names)
    return found


def _new_addresses(machine: Machine) -> Mapping[str, object]:
    (machine.root / "etc/resolv.conf").write_bytes(Path("/etc/resolv.conf").read_bytes())
    update = ("vpn-server-api-update-ip", "--profile", "node-a", "--host")
    code, said = ended(machine, *update, "vpn.example.org")
    profile = configuration(machine, "vpn-server-api")["vpnProfiles"]["node-a"]
    ranges = f"{profile['range']} {profile['range6']}"
    found: dict[str, object] = {
        "update-ip": (code, re.sub(r"(10\.|fd)\S+", r"\1", said)),
        "update-ip says what it wrote": all(one in said for one in ranges.split()),
        "ranges after update-ip": re.sub(r"[0-9a-f]+\.[0-9a-f]+\.0|[0-9a-f:]{15,}", "", ranges),
        "resolvers after update-ip": profile["dns"],
        "host after update-ip": profile["hostName"],
        "options after update-ip": sorted(profile),
        "mode of a configuration after update-ip": mode(
            machine.root / "etc/vpn-server-api/config.php"
        ),
        "update-ip of an unknown profile": _settled(
            ended(machine, update[0], "--profile", "nope", "--host", "x")
        ),
        "update-ip without a host": ended(machine, *update[:3])[0],
    }
    return found


def _settled(ended: tuple[int, str]) -> tuple[int, str]:
    return ended[0], re.sub(r"(10\.|fd)[0-9a-f.:]+", r"\1", ended[1])


def _new_secrets(machine: Machine) -> Mapping[str, object]:
    config = guide_config(apiConsumers={"vpn-user-portal": "a", "vpn-server-node": "b", "x": "c"})
    machine.write_config("vpn-server-api", config)
    packages = ("vpn-user-portal", "vpn-server-node")
    for package in packages:
        machine.write_config(package, {"apiPass": "old", "apiUri": "http://localhost", "x": [1]})
        (machine.root / "etc" / package / "config.php").chmod(0o640)
    share = str(machine.root / "usr/share")
    code = ended(machine, "vpn-server-api-update-api-secrets", "--prefix", share)
    consumers = configuration(machine, "vpn-server-api")["apiConsumers"]
    given = {package: configuration(machine, package) for package in packages}
    assert len(set(consumers.values())) == 3
    return {
        "update-api-secrets": code,
        "consumers that are kept": consumers["x"],
        "secrets": {name: len(secret) for name, secret in consumers.items()},
        "consumers know theirs": {
            package: given[package]["apiPass"] == consumers[package] for package in packages
        },
        "the rest is kept": {package: sorted(given[package].items())[1:] for package in packages},
        "mode of a configuration after update-api-secrets": mode(
            machine.root / "etc/vpn-server-node/config.php"
        ),
    }


def _users(machine: Machine) -> Mapping[str, object]:
    state = machine.root / PORTAL_STATE
    shutil.rmtree(state)
    state.mkdir(mode=0o700)
    machine.write_config(
        "vpn-user-portal", {"authMethod": "FormPdoAuthentication", "sessionExpiry": "P90D"}
    )
    add = ("vpn-user-portal-add-user", "--user", "alice", "--pass")
    found: dict[str, object] = {
        "portal init": ended(machine, "vpn-user-portal-init"),
        "mode of the portal's database": mode(state / "db.sqlite"),
        "add-user": ended(machine, *add, "first word"),
    }
    with sqlite3.connect(state / "db.sqlite") as db:
        db.execute("UPDATE users SET created_at = 'once'")
    found["add-user again"] = ended(machine, *add, "second word")
    with sqlite3.connect(state / "db.sqlite") as db:
        rows = db.execute("SELECT user_id, created_at, password_hash FROM users").fetchall()
    verify = ["php", "-r", "echo password_verify('second word', $argv[1]) ? 1 : 0;", rows[0][2]]
    found["users"] = [row[:2] for row in rows]
    found["the second password is the user's"] = subprocess.run(
        verify, capture_output=True, check=True
    ).stdout
    found["no password"] = ended(machine, "vpn-user-portal-add-user", "--user", "bob", stdin="\n\n")
    return found


@pytest.mark.parametrize("package", ["vpn-server-api", "vpn-server-node", "vpn-user-portal"])
def test_the_drop_ins_configurations_hold_what_the_genuine_ones_hold(
    genuine_machine: Machine, machine: Machine, package: str
) -> None:
    """Compare what is installed, option by option; options that are defaults may be left out."""
    if package == "vpn-server-api":  # the tests' machine has the guide's in its place
        shutil.copy(
            SOFTWARE / "packages/etc/vpn-server-api/config.php", machine.root / "etc" / package
        )
    genuine, here = (configuration(one, package) for one in (genuine_machine, machine))
    assert _flat(here).items() <= _flat(genuine).items()


def test_housekeeping_is_started_as_often(machine: Machine) -> None:
    here = (machine.root / "etc/cron.d/vpn-server-api").read_text().splitlines()
    user = here[0].split()[1]
    published = packaging("vpn-server-api.cron").replace("@WEB_USER@", user).splitlines()
    assert here == [line for line in published if line.endswith("housekeeping")]


def _flat(value: Any, name: str = "") -> dict[str, str]:
    if isinstance(value, dict) and value:
        return {
            path: one
            for key, item in value.items()
            for path, one in _flat(item, f"{name}/{key}").items()
        }
    return {name: repr(value)}
