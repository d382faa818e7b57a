"""The configuration keys: defaults, and what a value must be.

Keys are flat and dotted, values are strings, as ConfigQuery of the genuine product shows them.
Of a key that is not listed only what every value must be is asked: some text on one line. Which
names are documented and which are this stand-in's own is told in README.md ("Invented").

Values become arguments of programs that run as root, and lines of files that they read. So they
are checked twice: where they are set, and again where they are used (`check_all`), since what a
partner sent is not set here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from openvpnas import ucarp_options
from openvpnas.errors import InvalidValue

SSH_PASSWORD_BYTES = 255
UCARP_PASSWORD_BYTES = 19  # ucarp refuses 20: "Password too long"
LARGEST_VALUE = 64 * 1024
_CONTROL = {*map(chr, range(32)), "\x7f"}
TEXT = f"a text of at most {LARGEST_VALUE} bytes without control characters"

DEFAULTS: Mapping[str, str] = {
    "auth.sessiontoken.lifetime": "600",
    "failover.engine": "ucarp",
    "failover.mode": "none",
    "failover.sync_period": "180",
    "keepalived.advert_int": "1",
    "keepalived.primary.priority": "150",
    "keepalived.secondary.priority": "100",
    "keepalived.version": "2",
    "ucarp.extra_parms": "",
    "ucarp.vhid": "94",
    "vpn.client.config_text": "",
    "vpn.daemon.0.client.netmask_bits": "20",
    "vpn.daemon.0.client.network": "172.27.224.0",
    "vpn.server.config_text": "",
    "vpn.server.daemon.tcp.port": "443",
    "vpn.server.daemon.udp.port": "1194",
    "vpn.server.ping": "12",
    "vpn.server.ping_restart": "50",
    "vpn.server.port_share.enable": "true",
    "vpn.server.port_share.ip_address": "127.0.0.1",
    "vpn.server.port_share.port": "943",
    "vpn.server.session_expire": "86100",
    "vpn.server.udp_exit_notify": "false",
    "vpn.tls_refresh.interval": "60",
    "admin_ui.https.port": "943",
}


def _number(low: int, high: int) -> tuple[Callable[[str], bool], str]:
    def right(value: str) -> bool:
        # not more digits than a number of ours has: int() itself gives up at 4300
        return re.fullmatch(r"[0-9]{1,9}", value) is not None and low <= int(value) <= high

    return right, f"a number from {low} to {high}"


def _one_of(*choices: str) -> tuple[Callable[[str], bool], str]:
    return (lambda value: value in choices), "one of " + ", ".join(choices)


def _is_address(value: str) -> bool:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def _is_host(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", value) is not None


def _is_password(value: str) -> bool:
    return value.isprintable() and 1 <= len(value.encode()) <= UCARP_PASSWORD_BYTES


def _is_ssh_password(value: str) -> bool:
    return value.isprintable() and len(value.encode()) <= SSH_PASSWORD_BYTES


def is_text(value: str, *, lines: bool = False) -> bool:
    """Whether a value is text that files and arguments can hold; with `lines`, of several lines."""
    allowed = "\n\t" if lines else "\t"
    try:
        short = len(value.encode()) <= LARGEST_VALUE
    except UnicodeEncodeError:
        return False
    return short and all(sign in allowed or sign not in _CONTROL for sign in value)


_ADDRESS = (_is_address, "an IPv4 address")
_HOST = (_is_host, "a host name or an address")
_PORT = _number(1, 65535)
_SSH_PASSWORD = (_is_ssh_password, f"a password of at most {SSH_PASSWORD_BYTES} bytes on one line")
_SSH_USER = (
    lambda value: re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value) is not None,
    "a user name",
)

_RULES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "admin_ui.https.port": _PORT,
    "failover.engine": _one_of("ucarp", "keepalived"),
    "failover.mode": _one_of("none", "ucarp"),
    "failover.primary.host": _ADDRESS,
    "failover.primary.ssh_password": _SSH_PASSWORD,
    "failover.primary.ssh_port": _PORT,
    "failover.primary.ssh_user": _SSH_USER,
    "failover.secondary.host": _ADDRESS,
    "failover.secondary.ssh_password": _SSH_PASSWORD,
    "failover.secondary.ssh_port": _PORT,
    "failover.secondary.ssh_user": _SSH_USER,
    "failover.sync_period": _number(1, 86400),
    "failover.vip": _ADDRESS,
    "host.name": _HOST,
    "keepalived.advert_int": (
        lambda value: (
            re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,2})?", value) is not None and float(value) > 0
        ),
        "an interval in seconds",
    ),
    "keepalived.primary.priority": _number(1, 254),
    "keepalived.secondary.priority": _number(1, 254),
    "keepalived.version": _one_of("2", "3"),
    "ucarp.password": (_is_password, f"1 to {UCARP_PASSWORD_BYTES} bytes: ucarp takes no more"),
    "ucarp.vhid": _number(1, 255),
    "vpn.daemon.0.client.netmask_bits": _number(8, 28),
    "vpn.daemon.0.client.network": _ADDRESS,
    "vpn.server.daemon.tcp.port": _PORT,
    "vpn.server.daemon.udp.port": _PORT,
    "vpn.server.ping": _number(1, 3600),
    "vpn.server.ping_restart": _number(1, 3600),
    "vpn.server.port_share.enable": _one_of("true", "false"),
    "vpn.server.port_share.ip_address": _ADDRESS,
    "vpn.server.port_share.port": _PORT,
    "vpn.server.session_expire": _number(0, 31_536_000),
    "vpn.server.udp_exit_notify": _one_of("true", "false"),
    # OpenVPN refuses a renewal time below twice its hand-window (60 s)
    "vpn.tls_refresh.interval": _number(2, 1440),
}

_OF_LINES = {"vpn.client.config_text", "vpn.server.config_text"}


def check(key: str, value: str) -> None:
    """Refuse a key or value that cannot be right; raises InvalidValue."""
    if re.fullmatch(r"[A-Za-z0-9_]{1,64}(\.[A-Za-z0-9_]{1,64}){0,8}", key) is None:
        raise InvalidValue("key", key, "letters, digits and underscores, joined by dots")
    shown = "(hidden)" if key.endswith("password") else value
    if not is_text(value, lines=key in _OF_LINES):
        raise InvalidValue(key, shown, TEXT)
    right, expected = _RULES.get(key, (None, ""))
    if right is not None and not right(value):
        raise InvalidValue(key, shown, expected)
    if key == "ucarp.extra_parms":
        try:
            ucarp_options.parse(value)
        except ucarp_options.NotAllowed as wrong:
            raise InvalidValue(key, value, f"a list of allowed ucarp options: {wrong}") from None


def check_all(values: Mapping[str, str]) -> None:
    """Refuse a configuration that is to be used, whoever has made it; raises InvalidValue."""
    for key, value in values.items():
        check(key, value)
