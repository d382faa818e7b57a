"""``vpn-server-node-generate-firewall``: the node's firewall, printed, or written with --install.

Both families' texts are made before either file is written. Loading them is not this program's
part: see apply_changes.sh.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vpn_lib_common import php_config
from vpn_lib_common.api_client import ApiClient
from vpn_lib_common.command import CommandError, finish
from vpn_lib_common.installation import ROOT
from vpn_server_node.firewall import Firewall, RuleError
from vpn_server_node.node import Node
from vpn_server_node.server_config import selected, write_privately

_API_TIMEOUT_S = 60.0
_SYSTEMS = (
    # in /etc: a file that tells the system; what it is called; where it keeps its rules
    ("redhat-release", "RHEL/CentOS/Fedora", "sysconfig/iptables", "sysconfig/ip6tables"),
    ("debian_version", "Debian/Ubuntu", "iptables/rules.v4", "iptables/rules.v6"),
)


def main() -> int:
    """Run the command; return its exit code. Arguments other than --install are ignored."""
    install = "--install" in sys.argv[1:]
    return finish(lambda: generate(Node(ROOT), install=install))


def generate(node: Node, *, install: bool) -> None:
    """Print the firewall of both families, or write it where the system loads it from."""
    config = php_config.read(node.config_file)
    rules = php_config.read(node.firewall_file)
    api = ApiClient.from_config(config, timeout=_API_TIMEOUT_S)
    profiles = list(selected(config, api.get("profile_list")))
    try:
        firewall = Firewall.of(rules, profiles)
    except RuleError as error:
        raise CommandError(f"{node.firewall_file}: {error}") from None
    texts = [firewall.text(family) for family in (4, 6)]
    if not install:
        box = "#" * 42
        for family, text in zip((4, 6), texts):
            sys.stdout.write(f"{box}\n# IPv{family}\n{box}\n{text}")
        return
    files = _files(node.root)
    if config.get("manageFirewall") is False:
        sys.stdout.write("**FIREWALL NOT MANAGED**: firewall rules NOT written...\n")
        return
    for file, text in zip(files, texts):
        write_privately(file, text)


def _files(root: Path) -> list[Path]:
    for told_by, name, *files in _SYSTEMS:
        if (root / "etc" / told_by).exists():
            sys.stdout.write(f"OS Detected: {name}...\n")
            return [root / "etc" / file for file in files]
    raise CommandError("only RHEL/CentOS/Fedora or Debian/Ubuntu supported")
