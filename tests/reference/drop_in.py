"""A folder with the drop-in software in it as on a machine; its API on the loopback."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOFTWARE = Path(__file__).parents[2] / "provision/reference/documentation-2"
sys.path.insert(0, str(SOFTWARE / "packages"))  # guest-side packages, not part of the project's own

PORTAL = ("vpn-user-portal", "portal-secret")
NODE = ("vpn-server-node", "node-secret")


@dataclass(frozen=True)
class Machine:
    """A machine's files under ``root``."""

    root: Path

    def run(
        self,
        program: str,
        *arguments: str,
        cwd: Path | None = None,
        stdin: str = "",
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run an installed program, given by its path on the machine."""
        return subprocess.run(
            [self.root / program.lstrip("/"), *arguments],
            cwd=cwd,
            input=stdin,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def write_config(self, package: str, config: dict[str, Any]) -> None:
        """Replace a package's config.php."""
        (self.root / "etc" / package / "config.php").write_text(f"<?php return {php(config)};\n")


def php(value: Any) -> str:
    """Return a value as a PHP literal."""
    if isinstance(value, dict):
        return "[" + ", ".join(f"{php(key)} => {php(item)}" for key, item in value.items()) + "]"
    if isinstance(value, list):
        return "[" + ", ".join(map(php, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def guide_profile(number: int, letter: str, **options: Any) -> dict[str, Any]:
    """Return a profile with the values of the guide's table."""
    return {
        "profileNumber": number,
        "displayName": f"Node {letter.upper()}",
        "range": f"10.{number}.0.0/25",
        "range6": f"fd00:{number}:{number}:{number}::/64",
        "hostName": f"node-{letter}.frkovpn.tuxed.net",
        "managementIp": f"145.0.6.7{number + 1}",
        "defaultGateway": True,
        "blockLan": True,
        "dns": ["9.9.9.9", "2620:fe::fe"],
        **options,
    }


def guide_config(**options: Any) -> dict[str, Any]:
    """Return the controller's configuration as the guide leaves it."""
    return {
        "vpnProfiles": {"node-a": guide_profile(1, "a"), "node-b": guide_profile(2, "b")},
        "apiConsumers": dict([PORTAL, NODE]),
        **options,
    }


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """Serve the API of the machine under ``root``; yield its URI."""
    from vpn_server_api.app import create_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            pass

        def parse_request(self) -> bool:
            good = super().parse_request()
            if good:  # two slashes are two, as Apache has it
                self.path = self.requestline.split()[1]
            return good

    server = make_server("127.0.0.1", 0, create_app(root), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
