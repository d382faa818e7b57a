"""What the hooks need of config.php, kept where curl reads it.

OpenVPN serves nobody while it waits for a hook, and on an emulated node the start of a Python and
of a PHP takes seconds. So the hooks are shells that ask with curl, by what root's last
``vpn-server-node-server-config`` has kept here. They use it only while the copy of config.php
beside it is the same as config.php; else they ask as slowly as it takes, and right.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpn_server_node.node import Node

# With a directory of trusted certificates curl looks up the one it needs; without a file it also
# reads all of them, 150 from one file, which is most of its time. So it gets a file: this expired
# certificate that vouches for nothing.
_CERTIFICATE_OF_NOBODY = """\
-----BEGIN CERTIFICATE-----
MIIBIDCBx6ADAgECAgEBMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBm5vYm9keTAe
Fw0wMDAxMDEwMDAwMDBaFw0wMDAxMDIwMDAwMDBaMBExDzANBgNVBAMMBm5vYm9k
eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABL+uLhs5S3QYDPiRQZdCWeXzsyxW
V1TwzaSTN1qJ/2J7Xyh2FoUhHwJls8NWV/m4WeB3KeLOHDDWIDWG2Qj8i7yjEDAO
MAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSAAwRQIgVj4xfJ/i4gSb7C1V/Npg
HW8FgZljdAK9bNmeOBjJwHoCIQCggasD1OYvF/YDerXgiCATyJDLKBbflxvBkSCa
zXH1CQ==
-----END CERTIFICATE-----
"""
_TRUSTED = Path("/etc/ssl/certs")
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
_TIMEOUT_S = 30  # OpenVPN serves nobody else meanwhile
_LONGEST_S = 90
_LARGEST_ANSWER = 65536  # octets; curl ends with what came till then

CALLS = {"client-connect": "connect", "client-disconnect": "disconnect"}


def keep(node: Node, read: bytes, config: Mapping[str, Any]) -> None:
    """Keep what ``config`` says for the hooks; ``read`` is the file as it was when PHP read it.

    The copy goes first and comes back last: what lies beside it is always its own. Whoever may
    not write there, or whose configuration lacks something, leaves the hooks slow.
    """
    with contextlib.suppress(OSError, KeyError):
        copy = node.kept / "config.php"
        copy.unlink(missing_ok=True)
        files = {name: _curl(node, config, call) for name, call in CALLS.items()}
        for name, text in {**files, "nobody.crt": _CERTIFICATE_OF_NOBODY}.items():
            _write(node, name, text.encode())
        if node.config_file.read_bytes() == read:
            _write(node, copy.name, read)


def _curl(node: Node, config: Mapping[str, Any], call: str) -> str:
    given = {
        "url": f"{config['apiUri']}/{call}",
        "user": f"{config['apiUser']}:{config['apiPass']}",
        "user-agent": "",
        "header": "Accept: application/json",
        "proto": "=http,https",
        "noproxy": "*",
        "connect-timeout": str(_TIMEOUT_S),
        "max-time": str(_LONGEST_S),
        "max-filesize": str(_LARGEST_ANSWER),
        "speed-limit": "1",
        "speed-time": str(_TIMEOUT_S),
        "write-out": "\n%{http_code}",
    }
    if _TRUSTED.is_dir() and any(_HASHED.fullmatch(file.name) for file in _TRUSTED.iterdir()):
        given.update(capath=str(_TRUSTED), cacert=str(node.kept / "nobody.crt"))
    lines = [f"{option} = {_quoted(value)}" for option, value in given.items()]
    return "\n".join(["silent", "show-error", "globoff", "http1.1", *lines, ""])


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _write(node: Node, name: str, content: bytes) -> None:
    """Write a file whole, readable by whoever may read config.php."""
    status = node.config_file.stat()
    descriptor, draft = tempfile.mkstemp(dir=node.kept, prefix=".", suffix=".draft")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), status.st_mode & 0o640)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), 0, status.st_gid)
        Path(draft).replace(node.kept / name)
    except BaseException:
        Path(draft).unlink()
        raise
