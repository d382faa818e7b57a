"""Machines of a site that tests play: SSH servers here, with programs that answer a script.

Each has a folder of its own, first in its PATH: `ip` shows its addresses, and `tcpdump` writes what
a test lets it hear.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.site import SiteFile, read_site
from tests.lab.ssh_server import SshServer

TOPOLOGY = """\
name = "two"
guide = "failover"

[networks.lan]
ipv4 = "192.168.70.0/24"

[[machines]]
name = "primary"
fqdn = "primary.vpn.example"
roles = ["primary"]
nics = [{ network = "lan", ipv4 = "192.168.70.1" }]

[[machines]]
name = "secondary"
fqdn = "secondary.vpn.example"
roles = ["secondary"]
nics = [{ network = "lan", ipv4 = "192.168.70.2" }]
"""
ADDRESSES = {"primary": "192.168.70.1", "secondary": "192.168.70.2"}
MACS = {"primary": "52:54:00:00:00:01", "secondary": "52:54:00:00:00:02"}

_TCPDUMP = """\
#!{python} -S
import os, signal, struct, sys, time
direction = "in" if sys.argv[-1].startswith("inbound") else "out"
heard = os.path.join({folder!r}, direction)
count = 0
def counters(*_):
    said = f"tcpdump: {{count}} packets captured, {{count + 1}} packets received by filter, "
    os.write(2, f"{{said}}0 packets dropped by kernel\\n".encode())
signal.signal(signal.SIGUSR1, counters)
os.write(2, b"tcpdump: listening on eth0\\n")
os.write(1, struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
pinged = os.path.join({folder!r}, "pinged")
begun = os.path.exists(heard + ".quiet")
open(heard, "a").close()
with open(heard) as lines:
    while os.getppid() != 1:
        if not begun and os.path.exists(pinged):
            count, begun = count + 1, True  # dated long ago; libpcap let go of the one before it
            os.write(1, struct.pack("<IIII", 1, 0, 60, 60) + bytes(60))
        if not (line := lines.readline()):
            time.sleep(0.02)
            continue
        at_ns, data = line.split()
        data, at_us = bytes.fromhex(data), int(at_ns) // 1000
        count, size = count + 1, len(data)
        os.write(1, struct.pack("<IIII", at_us // 10**6, at_us % 10**6, size, size) + data)
"""


@dataclass
class Host:
    """One machine, and the folder of its programs."""

    name: str
    server: SshServer
    folder: Path

    def program(self, name: str, text: str) -> None:
        """Put a program first in the machine's PATH."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    def hears(self, direction: str, data: bytes) -> int:
        """Let the machine send ("out") or receive ("in") a frame now; when that was."""
        at_ns = time.time_ns()
        with (self.folder / direction).open("a") as heard:
            heard.write(f"{at_ns} {data.hex()}\n")
        return at_ns


def _prepare(host: Host) -> None:
    links = [
        {
            "ifname": "eth0",
            "address": MACS[host.name],
            "addr_info": [{"local": ADDRESSES[host.name]}],
        }
    ]
    host.program("ip", f"#!/bin/sh\n/bin/cat <<'.'\n{json.dumps(links)}\n.\n")
    # Heard by every machine; without this one of ours this machine itself would send.
    heard = [str(host.folder.parent / name / "pinged") for name in ADDRESSES]
    host.program("ping", f"#!/bin/sh\ntouch {shlex.join(heard)}\n")
    host.program("tcpdump", _TCPDUMP.format(python=sys.executable, folder=str(host.folder)))
    host.server.environment["PATH"] = f"{host.folder}:/usr/bin:/bin"


@contextmanager
def hosts(directory: Path) -> Iterator[dict[str, Host]]:
    """Give both machines, up; they end with the block."""
    with ExitStack() as ends:
        made = {}
        for name in ADDRESSES:
            folder = directory / name
            folder.mkdir()
            server = SshServer(folder)
            ends.callback(server.close)
            made[name] = Host(name, server, folder)
            _prepare(made[name])
        yield made


def site_of(directory: Path, made: Mapping[str, Host], **more: str) -> SiteFile:
    """Write the site file of these machines, and read it. `more`: keys of a machine's table."""
    known, tables = [], []
    for name, host in made.items():
        port = host.server.access.port
        known.append(f"[127.0.0.1]:{port} {host.server.host_key.public}")
        table = f'[machines.{name}]\naddress = "127.0.0.1"\nport = {port}\n'
        tables.append(f'{table}key = "{host.server.access.key}"\n{more.get(name, "")}')
    (directory / "known").write_text("\n".join(known) + "\n" + more.get("known", ""))
    (directory / "two.toml").write_text(TOPOLOGY)
    head = f'topology = "two.toml"\nknown_hosts = "known"\n{more.get("head", "")}\n'
    path = directory / "site.toml"
    path.write_text("\n".join([head, *tables]))
    return read_site(path)
