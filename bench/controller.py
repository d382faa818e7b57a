"""What the drop-in controller bears: requests a second, memory, and kills in the middle.

API and portal run here, each in a process of its own, on the loopback, with a database on
/var/tmp. Rates are of four clients at once, each request over a connection of its own.

- Memory: of the API over so many connects and disconnects, after a tenth of them and at the end.
  What grows with each request shows between the two.
- Kills: the API is killed while hooks ask it, so many times. Whatever it had acknowledged must
  stand in the log: a hook that was told yes does not ask again.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.controller_place import (
    API,
    PASSWORD,
    PORTAL,
    Controller,
    Hooks,
    Served,
    basic,
    killed_in_the_middle,
    side_by_side,
)
from lab.errors import LabError

summary = "what the drop-in controller bears: requests, memory, kills"

_THREADS = 4
_CONSUMER = basic("vpn-user-portal", "portal")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how much is asked."""
    parser.add_argument("--requests", type=int, default=1000, help="of each kind")
    parser.add_argument("--clients", type=int, default=10_000, help="that connect and disconnect")
    parser.add_argument("--kills", type=int, default=50, help="of the API in the middle")
    parser.add_argument("--seed", type=int, default=1, help="when it is killed")


def measure(arguments: argparse.Namespace) -> Mapping[str, object]:
    """Return the figures; LabError when something that was acknowledged is lost."""
    with tempfile.TemporaryDirectory(prefix="vpnproof-bench-", dir="/var/tmp") as folder:
        controller = Controller.installed(Path(folder) / "root")
        with controller.serving("api") as api:
            rates = _rates(controller, api, arguments.requests)
            memory = _memory(controller, api, arguments.clients)
        return {**rates, **memory, **_kills(controller, arguments.kills, arguments.seed)}


def _rates(controller: Controller, api: Served, count: int) -> dict[str, object]:
    controller.point_portal_at(api)
    with controller.serving("portal") as portal:
        form = {
            "userName": "admin",
            "userPass": PASSWORD,
            "_form_auth_redirect_to": f"http://127.0.0.1:{portal.port}{PORTAL}home",
        }
        status, headers, _ = portal.ask(f"{PORTAL}_form/auth/verify", form, {})
        if status != 302:
            raise LabError(f"the portal of the benchmark lets nobody in: {status}")
        session = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
        asked: dict[str, tuple[Served, str, Mapping[str, str]]] = {
            "api_profile_list": (api, f"{API}profile_list", _CONSUMER),
            "portal_login_form": (portal, PORTAL, {}),
            "portal_connections": (portal, f"{PORTAL}connections", session),
            "portal_configurations": (portal, f"{PORTAL}configurations", session),
        }
        return {
            f"{name}_per_second": count / side_by_side(_asking(*one), count, _THREADS)
            for name, one in asked.items()
        }


def _asking(served: Served, path: str, headers: Mapping[str, str]) -> Callable[[], None]:
    def ask() -> None:
        status, _, _ = served.ask(path, None, headers)
        if status != 200:
            raise ValueError(f"{path} answers {status}")

    return ask


def _memory(controller: Controller, api: Served, clients: int) -> dict[str, object]:
    hooks = Hooks()
    first = clients // 10
    side_by_side(lambda: hooks.come_and_go(api), first, _THREADS)
    early = api.resident_kib
    seconds = side_by_side(lambda: hooks.come_and_go(api), clients - first, _THREADS)
    late = api.resident_kib
    if missing := clients - len(hooks.connected & hooks.disconnected) or hooks.lost(controller):
        raise LabError(f"{missing} of {clients} connects and disconnects are not in the log")
    return {
        "clients": clients,
        "api_hooks_per_second": 2 * (clients - first) / seconds,
        "api_resident_mib_early": early / 1024,
        "api_resident_mib": late / 1024,
        "api_growth_bytes_per_client": 1024 * (late - early) / (clients - first),
    }


def _kills(controller: Controller, kills: int, seed: int) -> dict[str, object]:
    hooks, chance = Hooks(began=2_000_000_000), random.Random(seed)  # noqa: S311 - no secret
    with controller.database() as db:
        db.execute("DELETE FROM connection_log")
    for number in range(kills):
        killed_in_the_middle(controller, hooks, _THREADS, chance)
        if lost := hooks.lost(controller):
            raise LabError(f"kill {number + 1}: {lost} acknowledged lines are not in the log")
    return {
        "kills": kills,
        "acknowledged_connects": len(hooks.connected),
        "acknowledged_disconnects": len(hooks.disconnected),
        "acknowledged_and_lost": 0,
    }
