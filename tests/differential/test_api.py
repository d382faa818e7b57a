"""The controller's API: what the genuine one answered, what it answers, what the drop-in does."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.differential import genuine
from tests.differential.exchanges import PROFILES, Answer, recorded, replay
from tests.differential.listed import Permitted, compare
from tests.reference.drop_in import Machine, guide_config, serving

_STATIC_KEY = "#\n# 2048 bit OpenVPN static key\n#\n(static key)"


def _refused(name: str) -> Answer:
    return Answer(400, "application/json", None, None, {"error": f'invalid "{name}"'})


def _absent(call: str) -> Answer:
    return Answer(404, "application/json", None, None, {"error": f'"/{call}" not found'})


PERMITTED: Permitted = {
    "api-times": {
        "session frac": _refused("session_expires_at"),
        "session bad date": _refused("session_expires_at"),
        "session empty date": _refused("session_expires_at"),
        "log day over": _refused("date_time"),
    },
    "api-numbers": {
        "connect time float": _refused("connected_at"),
        "connect time exp": _refused("connected_at"),
        "connect time huge": _refused("connected_at"),
        "connect time space": _refused("connected_at"),
        # what of these the genuine one has in its log
        "log none": Answer(
            200, "application/json", None, None, {"log": {"ok": True, "data": False}}
        ),
    },
    "api-newline": {"info nl": _refused("common_name")},
    "api-left-out": {
        "user_messages": _absent("user_messages"),
        "system_messages": _absent("system_messages"),
        "stats": _absent("stats"),
        "has_totp": _absent("has_totp_secret"),
    },
}


def controller(machine: Machine, authority: Path, **options: Any) -> Machine:
    """Make a controller with a CA and the tls-crypt keys that its nodes have asked for."""
    profiles = {
        name: {**profile, "managementIp": options.get("managementIp", profile["managementIp"])}
        for name, profile in PROFILES.items()
    }
    options.pop("managementIp", None)
    config = {"vpnProfiles": profiles, "vpnCaPath": str(authority), **options}
    machine.write_config("vpn-server-api", guide_config(**config))
    data = machine.root / "var/lib/vpn-server-api"
    if not (data / "db.sqlite").exists():
        done = machine.run("/usr/bin/vpn-server-api-init")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for profile in ("node-a", "internet"):
        (data / f"tls-crypt-{profile}.key").write_text(_STATIC_KEY)
    return machine


def test_the_drop_in_answers_as_the_genuine_api_was_recorded(
    machine: Machine, quick_ca: Path
) -> None:
    controller(machine, quick_ca)
    exchanges = recorded()
    with serving(machine.root) as uri:
        here = dict(replay(uri, exchanges))
    compare({one.label: one.answer for one in exchanges}, here, PERMITTED)


@pytest.fixture
def both(
    genuine_machine: Machine, machine: Machine, quick_ca: Path, own_loopback: str
) -> dict[str, Machine]:
    """Make two controllers with the same configuration; no daemon answers at their nodes."""
    options = {"managementIp": own_loopback, "useVpnDaemon": True}
    return {
        "genuine": controller(genuine_machine, quick_ca, **options),
        "here": controller(machine, quick_ca, **options),
    }


def test_the_genuine_api_answers_as_it_was_recorded(both: dict[str, Machine]) -> None:
    exchanges = recorded()
    with genuine.serving(both["genuine"]) as uri:
        compare({one.label: one.answer for one in exchanges}, dict(replay(uri, exchanges)), {})


def test_what_is_asked_alike_leaves_the_same_rows(both: dict[str, Machine]) -> None:
    allowed = {case for cases in PERMITTED.values() for case in cases}
    exchanges = [one for one in recorded() if one.label not in allowed]
    with genuine.serving(both["genuine"]) as uri:
        answers = dict(replay(uri, exchanges))
    with serving(both["here"].root) as uri:
        compare(answers, dict(replay(uri, exchanges)), {})
    for table in ("users", "certificates", "connection_log"):
        assert rows(both["here"], table) == rows(both["genuine"], table)
    assert len(rows(both["here"], "connection_log")) > 2


def rows(machine: Machine, table: str) -> list[Mapping[str, Any]]:
    """Return a table's rows without what is drawn at random or about now."""
    with sqlite3.connect(machine.root / "var/lib/vpn-server-api/db.sqlite") as db:
        db.row_factory = sqlite3.Row
        found = [dict(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY rowid")]  # noqa: S608
    for row in found:
        drawn = {"common_name", "valid_from"}
        for name in drawn | ({"session_expires_at"} if row["user_id"] != "fuzz" else set()):
            if name in row:
                row[name] = len(row[name])
    return found
