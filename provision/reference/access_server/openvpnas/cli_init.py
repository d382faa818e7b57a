"""`ovpn-init`: sets a node up, after wiping what it held.

It wipes only after the exact word DELETE, or with --batch --force, which never read standard
input. Anything else leaves the node as it was and ends with 1.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
from collections.abc import Sequence

from openvpnas import initialise
from openvpnas.errors import AccessServerError
from openvpnas.keys import check
from openvpnas.node_role import holds_data
from openvpnas.paths import Paths

CONFIRMATION = "DELETE"


def parser() -> argparse.ArgumentParser:
    """Make the parser; options without an effect here are taken because scripts give them."""
    found = argparse.ArgumentParser(prog="ovpn-init", description="Initialise this node")
    found.add_argument("--secondary", action="store_true", help="make it a standby node")
    found.add_argument("--batch", action="store_true", help="ask nothing")
    found.add_argument("--force", action="store_true", help="with --batch: wipe what it holds")
    found.add_argument("--host", default="", help="name or address that clients connect to")
    found.add_argument("--no_start", action="store_true", help="leave the service alone")
    for ignored in ("--local_auth", "--ec2", "--no_reroute_gw", "--no_reroute_dns"):
        found.add_argument(ignored, action="store_true", help="accepted, no effect here")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ovpn-init."""
    chosen = parser().parse_args(arguments)
    paths = Paths.here()
    host = chosen.host or socket.gethostname()
    try:
        check("host.name", host)
        secondary = chosen.secondary or (not chosen.batch and not _asks_to_be_primary())
        _confirm(paths, secondary=secondary, batch=chosen.batch, force=chosen.force)
    except AccessServerError as refused:
        print(f"ovpn-init: {refused}", file=sys.stderr)
        return 1
    _service(paths, "stop")
    print("Initializing OpenVPN...")
    initialise.wipe(paths)
    if secondary:
        initialise.make_secondary(paths)
        print("This node is a secondary (standby) node now and holds no configuration.")
    else:
        print("Initializing confdb...")
        administrator = initialise.make_primary(paths, host)
        print(f"Admin user: {administrator.name}\nAdmin password: {administrator.password}")
    if not chosen.no_start:
        print("Enabling service\nStarting openvpnas...")
        _service(paths, "enable", "--quiet")
        _service(paths, "start")
    print("Initial Configuration Complete!")
    return 0


def _confirm(paths: Paths, *, secondary: bool, batch: bool, force: bool) -> None:
    """Return if the node may be wiped; AccessServerError if not."""
    if batch and force:
        return
    if batch:
        if holds_data(paths):
            raise AccessServerError("this node holds data: --batch needs --force to wipe it")
        return
    if not secondary and not holds_data(paths):
        return
    answer = _ask(f"Please enter '{CONFIRMATION}' to delete existing configuration: ")
    if answer != CONFIRMATION:
        raise AccessServerError(f"{CONFIRMATION} was not entered: nothing has been changed")


def _asks_to_be_primary() -> bool:
    answer = _ask(
        "Will this be the primary Access Server node?\n"
        "(enter 'no' to configure as a backup or standby node)\n"
        "> Press ENTER for default [yes]: "
    )
    return answer.lower() not in ("no", "n")


def _ask(question: str) -> str:
    """Give the line that was typed, without its end; "" at the end of input."""
    print(question, end="", flush=True)
    return "" if sys.stdin is None else sys.stdin.readline().rstrip("\r\n")


def _service(paths: Paths, *action: str) -> None:
    """Ask systemd, which only a real machine has; a service that isn't there is no error."""
    if paths.is_machine:
        subprocess.run(
            ["systemctl", *action, "openvpnas.service"], check=False, stdin=subprocess.DEVNULL
        )
