"""The heartbeat engines: command lines and files of ucarp and of keepalived.

Both are asked never to force a failover back: ucarp runs without `--preempt`, keepalived with
`nopreempt`. Starting and watching them is the supervisor's work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from openvpnas import ucarp_options
from openvpnas.addresses import LocalAddress
from openvpnas.pair import Pair
from openvpnas.paths import Paths

MASTER = "MASTER"
BACKUP = "BACKUP"


class Heartbeat(Protocol):
    """An engine, ready to be started."""

    name: str

    def command(self) -> list[str]:
        """Give its command line; it stays in the foreground."""
        ...

    def files(self) -> Mapping[str, str]:
        """Give the files it reads, by name inside the rendered directory."""
        ...

    def role_in(self, line: str) -> str | None:
        """Read the role that a line of its output announces, if it does."""
        ...


class Ucarp:
    """ucarp: `--shutdown` drops the virtual IP at exit, `--neutral` spares a start's down script.

    Equal advertisement settings on both nodes: after a split the lower source address stays.
    """

    name = "ucarp"

    def __init__(self, pair: Pair, own: LocalAddress, paths: Paths) -> None:
        self._pair = pair
        self._own = own
        self._paths = paths

    def command(self) -> list[str]:
        """Give ucarp's command line; what `ucarp.extra_parms` says comes last and wins.

        Only what `ucarp_options` allows: what ucarp starts and who it is are said here.
        """
        # line buffered, or its informational lines are lost when it exits
        return [
            "stdbuf",
            "-oL",
            "ucarp",
            f"--interface={self._own.interface}",
            f"--srcip={self._own.address}",
            f"--vhid={self._pair.vhid}",
            f"--passfile={self._paths.rendered / 'ucarp.pass'}",
            f"--addr={self._pair.virtual_ip}",
            f"--upscript={self._paths.libexec / 'vip-up'}",
            f"--downscript={self._paths.libexec / 'vip-down'}",
            "--shutdown",
            "--neutral",
            *ucarp_options.parse(self._pair.extra_parms),
        ]

    def files(self) -> Mapping[str, str]:
        """Give the password file: a command line would show it to every user."""
        return {"ucarp.pass": self._pair.password + "\n"}

    def role_in(self, line: str) -> str | None:
        """Read `Switching to state: MASTER` or `... BACKUP`."""
        found = re.search(r"Switching to state: (MASTER|BACKUP)", line)
        return found.group(1) if found else None


class Keepalived:
    """keepalived: `state BACKUP` on both nodes, without which `nopreempt` is ignored."""

    name = "keepalived"

    def __init__(self, pair: Pair, own: LocalAddress, paths: Paths, node: str) -> None:
        self._pair = pair
        self._own = own
        self._paths = paths
        self._node = node

    def command(self) -> list[str]:
        """Give keepalived's command line."""
        return [
            "keepalived",
            "--dont-fork",
            "--log-console",
            "--vrrp",
            f"--use-file={self._paths.rendered / 'keepalived.conf'}",
            f"--pid={self._paths.runtime / 'keepalived.pid'}",
            f"--vrrp_pid={self._paths.runtime / 'keepalived-vrrp.pid'}",
        ]

    def files(self) -> Mapping[str, str]:
        """Give its configuration file."""
        return {
            "keepalived.conf": f"""\
global_defs {{
    router_id openvpnas
    script_user root
    enable_script_security
    vrrp_version {self._pair.vrrp_version}
    vrrp_garp_master_delay 1
    notify_fifo {self._paths.notify_fifo}
}}
vrrp_instance openvpnas {{
    state BACKUP
    nopreempt
    interface {self._own.interface}
    mcast_src_ip {self._own.address}
    virtual_router_id {self._pair.vhid}
    priority {self._pair.priority(self._node)}
    advert_int {self._pair.advert_int}
    virtual_ipaddress {{
        {self._pair.virtual_ip}/32 dev {self._own.interface}
    }}
}}
"""
        }

    def role_in(self, line: str) -> str | None:
        """Read what it writes into its FIFO, `INSTANCE "openvpnas" MASTER 150`.

        Its log says the same in other words; only the FIFO is read. Any state but MASTER is
        BACKUP.
        """
        found = re.match(r'INSTANCE "openvpnas" (MASTER|BACKUP|FAULT|STOP)\b', line)
        if found is None:
            return None
        return MASTER if found.group(1) == MASTER else BACKUP


def heartbeat(pair: Pair, own: LocalAddress, paths: Paths, node: str) -> Heartbeat:
    """Give the engine that `failover.engine` names."""
    if pair.engine == "keepalived":
        return Keepalived(pair, own, paths, node)
    return Ucarp(pair, own, paths)
