"""`sacli`: the command line of the running or resting node.

Grammar of the genuine product: options first or last, and one action, like
`sacli --key ucarp.vhid --value 77 ConfigPut`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from openvpnas.actions import ACTIONS, Request, perform
from openvpnas.errors import AccessServerError
from openvpnas.paths import Paths


def parser() -> argparse.ArgumentParser:
    """Make the parser of sacli's grammar."""
    found = argparse.ArgumentParser(prog="sacli", description="Access Server command line")
    found.add_argument("-k", "--key", default="", help="configuration or property key")
    found.add_argument("-v", "--value", default=None, help="value of the key")
    found.add_argument("--value_file", type=Path, help="file that holds the value; - is stdin")
    found.add_argument("-u", "--user", default="", help="user name")
    found.add_argument("--new_pass", default=None, help="password, for SetLocalPassword")
    found.add_argument("action", choices=sorted(ACTIONS), metavar="ACTION", help=", ".join(ACTIONS))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run sacli: 0, 1 if the node refused, 2 if the command line is wrong."""
    chosen = parser().parse_args(arguments)
    try:
        value = _value(chosen)
        request = Request(Paths.here(), chosen.key, value, chosen.user, chosen.new_pass)
        answer = perform(chosen.action, request)
    except (AccessServerError, OSError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(answer, end="" if answer.endswith("\n") else "\n")
    return 0


def _value(chosen: argparse.Namespace) -> str | None:
    if chosen.value_file is None:
        return None if chosen.value is None else str(chosen.value)
    if str(chosen.value_file) == "-":
        return sys.stdin.read().rstrip("\n")
    return str(chosen.value_file.read_text().rstrip("\n"))
