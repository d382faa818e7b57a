"""What the running service reports of itself, for `sacli status`, FailoverStatus and the web."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from openvpnas import snapshot
from openvpnas.node_role import role
from openvpnas.paths import Paths


def service_state(paths: Paths) -> dict[str, object]:
    """Give the state that the service wrote; {} where none is running."""
    state = _read(paths.state_file)
    pid = state.get("pid")
    return state if isinstance(pid, int) and _alive(pid) else {}


def status(paths: Paths) -> dict[str, object]:
    """Give `sacli status`: the genuine product's names, as far as this stand-in has the part."""
    state = service_state(paths)
    services = state.get("services", {})
    started = state.get("started")
    return {
        "active_profile": "Default",
        "errors": {},
        "last_restarted": time.ctime(started) if isinstance(started, float) else None,
        "service_status": services if isinstance(services, dict) else {},
    }


def failover_status(paths: Paths) -> dict[str, object]:
    """Give role, state and both ends of the sync. Ages are (term, serial): greater is newer."""
    state = service_state(paths)
    staged = snapshot.staged(paths)
    term, serial = snapshot.live_age(paths)
    return {
        "role": role(paths),
        "mode": state.get("mode", "stopped"),
        "node": state.get("node", ""),
        "state": state.get("state", "STOPPED"),
        "since": state.get("since"),
        "engine": state.get("engine", ""),
        "live": {"term": term, "serial": serial} if term >= 0 else None,
        "staged": asdict(staged) if staged else None,
        "staged_is_newer": snapshot.newer_staged(paths) is not None,
        "last_sync": _read(paths.sync_file) or None,
    }


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
