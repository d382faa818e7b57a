"""What the multi-node guide, and the software it installs, fix for every site.

Constants only. What differs from site to site (names, addresses, ranges) stands in the evidence:
see `deployment`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evidence.events.multi_node import Family, RecordType, Transport

FAMILIES: tuple[Family, ...] = (4, 6)
TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp")
RECORD_TYPE: Mapping[int, RecordType] = {4: "A", 6: "AAAA"}
PORT = 1194
DAEMON_PORT = 41194

WEB_SERVER = re.compile(r"(httpd|apache2|php[\d.]*-fpm)\.service")
"""The units that a controller is down without, on CentOS and on Debian."""

PING_RESTART_S = 60.0
"""A node's `keepalive 10 60`: a client over UDP that hears nothing for so long begins anew."""
POLL_TIMEOUT_S = 10.0
"""A client's `server-poll-timeout 10`: so long it waits for one address to answer."""
LONGEST_RETRY_S = 5.0
"""A client waits no longer before it tries the next address: vpn-clients' `connect-retry 1 5`."""
HANDSHAKE_S = 15.0
"""How long a node may take over a handshake and the hook that lets the client in."""

# What an installed profile has beside the guide's table (vpn-server-api 2.1.5), with the values
# that change nothing: as installed, or as if it were not there. Without values: it depends on the
# machine.
INSTALLED: Mapping[str, tuple[Any, ...]] = {
    "listen": ("::",),
    "defaultGateway": (True,),
    "blockLan": (True,),
    "dns": (),
    "vpnProtoPorts": (["udp/1194", "tcp/1194"],),
    "tlsProtection": ("tls-crypt",),
    "hideProfile": (False,),
    "clientToClient": (False,),
    "enableLog": (False,),
    "enableAcl": (False,),
    "routes": ([],),
    "dnsSuffix": ([],),
    "aclPermissionList": ([],),
    "exposedVpnProtoPorts": ([],),
}
