"""`sacli`: the command line of the running or resting node.

A running service does for its callers what `outcome` does; see `asked`.

Grammar of the genuine product: options first or last, and one action, like
`sacli --key ucarp.vhid --value 77 ConfigPut`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from openvpnas.actions import ACTIONS, Request, perform
from openvpnas.errors import REFUSALS
from openvpnas.paths import Paths


def parser(
    kind: type[argparse.ArgumentParser] = argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Make the parser of sacli's grammar."""
    found = kind(prog="sacli", description="Access Server command line")
    found.add_argument("-k", "--key", default="", help="configuration or property key")
    found.add_argument("-v", "--value", default=None, help="value of the key")
    found.add_argument("--value_file", type=Path, help="file that holds the value; - is stdin")
    found.add_argument("-u", "--user", default="", help="user name")
    found.add_argument("--new_pass", default=None, help="password, for SetLocalPassword")
    found.add_argument("action", choices=sorted(ACTIONS), metavar="ACTION", help=", ".join(ACTIONS))
    return found


def outcome(paths: Paths, chosen: argparse.Namespace, value: str | None) -> tuple[int, str]:
    """Do what was chosen: 0 and what to print, or 1 and a complaint if the node refused."""
    request = Request(paths, chosen.key, value, chosen.user, chosen.new_pass)
    try:
        answer = perform(chosen.action, request)
    except REFUSALS as error:
        return 1, f"ERROR: {error}\n"
    return 0, answer if answer.endswith("\n") else answer + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run sacli: 0, 1 if the node refused, 2 if the command line is wrong."""
    chosen = parser().parse_args(arguments)
    try:
        value = _value(chosen)
    except OSError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    status, text = outcome(Paths.here(), chosen, value)
    print(text, end="", file=sys.stderr if status else sys.stdout)
    return status


def _value(chosen: argparse.Namespace) -> str | None:
    if chosen.value_file is None:
        return None if chosen.value is None else str(chosen.value)
    if str(chosen.value_file) == "-":
        return sys.stdin.read().rstrip("\n")
    return str(chosen.value_file.read_text().rstrip("\n"))
