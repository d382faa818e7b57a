"""Writes where the controller's API is, and the node's secret for it, into the configuration.

For the deploy scripts: two lines on stdin, the address and the secret, so that the secret is in
no process list. The genuine scripts do this with sed.
"""

from __future__ import annotations

import sys

from vpn_lib_common import php_config
from vpn_lib_common.command import CommandError, finish
from vpn_lib_common.installation import ROOT
from vpn_server_node.node import Node


def main() -> int:
    """Run the command; return its exit code."""
    return finish(lambda: _write(Node(ROOT), sys.stdin.read().splitlines()))


def _write(node: Node, lines: list[str]) -> None:
    if len(lines) != 2 or not all(line.strip() for line in lines):
        raise CommandError("the API's address and the secret are wanted, each on a line of stdin")
    uri, secret = (line.strip() for line in lines)
    config = php_config.read(node.config_file)
    php_config.write(node.config_file, {**config, "apiUri": uri, "apiPass": secret})


if __name__ == "__main__":
    sys.exit(main())
