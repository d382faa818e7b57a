"""What is so of this machine's network: interfaces, routes, firewall, sockets others could reach.

Asked of `ip`, the firewall's own tools and the kernel. In which order the rules of a firewall
stand is not looked at.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

Facts = Mapping[str, str]
"""What is so, by name."""

_SETTINGS = ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv4/conf/all/proxy_arp")
_TABLES = ("ip_tables_names", "ip6_tables_names", "arp_tables_names")
_RULES = (
    ("nft", "--stateless", "list", "ruleset"),  # stateless: without the packets counted
    ("iptables-save",),
    ("ip6tables-save",),
)
_PACKETS_COUNTED = re.compile(r" ?\[\d+:\d+\]")  # they grow with every packet of anybody
_VOLATILE = (
    "valid_life_time",  # seconds until an address from DHCP or an advertisement ends
    "preferred_life_time",  # likewise
    "expires",  # likewise, of a route
    "used",  # packets that a route was used for
    "age",  # seconds since then
)


def interfaces() -> Facts:
    """Return each interface, by name."""
    return {each["ifname"]: _text({**each, "addr_info": None}) for each in _ip("address", "show")}


def addresses() -> Facts:
    """Return each address of each interface."""
    return {
        f"{each['ifname']} {address['local']}/{address['prefixlen']}": _text(address)
        for each in _ip("address", "show")
        for address in each["addr_info"]
        if not address.get("temporary")  # IPv6's privacy addresses are replaced from time to time
    }


def routes() -> Facts:
    """Return every route of every table."""
    found = (each for v in ("-4", "-6") for each in _ip(v, "route", "show", "table", "all"))
    return {f"{each['dst']} by {each.get('dev')} {_text(each)}": "" for each in found}


def routing_rules() -> Facts:
    """Return the rules that choose a routing table."""
    return {f"{v} {_text(each)}": "" for v in ("-4", "-6") for each in _ip(v, "rule", "show")}


def _ip(*words: str) -> list[dict[str, Any]]:
    command = [_program("ip") or "ip", "-json", *words]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [each for each in json.loads(said or "[]") if each]


def _text(found: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in found.items() if key not in _VOLATILE and value}
    return json.dumps(kept, sort_keys=True)


def firewall() -> Facts:
    """Return every rule with its table; where the tools are not, or may not, the tables' names."""
    facts = {}
    for name in _TABLES:
        try:
            facts[f"/proc/net/{name}"] = Path("/proc/net", name).read_text()
        except OSError as error:  # no such tables, or for root's eyes: and hands
            facts[f"/proc/net/{name}"] = str(error.strerror)
    for tool, *words in _RULES:
        if program := _program(tool):
            asked = subprocess.run([program, *words], capture_output=True, text=True)
            facts[tool] = asked.stderr.strip()
            facts |= {f"{tool} {rule}": f"{n} of it" for rule, n in _rules(asked.stdout).items()}
    return facts


def _rules(said: str) -> Mapping[str, int]:
    """Return how often each rule stands in each table of what a tool has said."""
    found: Counter[str] = Counter()
    table = ""
    for line in said.splitlines():
        if line.startswith(("*", "table ")):
            table = line
        elif line and not line.startswith("#"):  # those comments say when it was asked
            found[f"{table} {_PACKETS_COUNTED.sub('', line).strip()}"] += 1
    return found


def settings() -> Facts:
    """Return what the kernel forwards and answers for others."""
    paths = (path for name in _SETTINGS if (path := Path("/proc/sys/net", name)).exists())
    return {str(path): path.read_text().strip() for path in paths}


def sockets() -> Facts:
    """Return who could be reached from elsewhere: TCP that listens, UDP on a port of its choice."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    facts = {}
    for each in psutil.net_connections("inet"):
        stream = each.type == socket.SOCK_STREAM
        waits = not each.raddr and (not stream or each.status == psutil.CONN_LISTEN)
        if not each.laddr or not waits or _loopback(each.laddr.ip):
            continue
        # Whatever asks a name server has such a socket for a moment; see `off_loopback`.
        if stream or not low <= each.laddr.port <= high:
            facts[f"{'TCP' if stream else 'UDP'} {each.laddr.ip}:{each.laddr.port}"] = ""
    return facts


def _loopback(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def off_loopback(pids: Iterable[int]) -> list[str]:
    """Return the Internet sockets of processes that others than this machine could reach."""
    return [
        f"{process.name()} ({process.pid}): {connection.laddr.ip}:{connection.laddr.port}"
        for process in map(psutil.Process, pids)
        for connection in process.net_connections("inet")
        if connection.laddr and not _loopback(connection.laddr.ip)
    ]


def _program(name: str) -> str | None:
    """Return where a program is, in an administrator's directories, too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
