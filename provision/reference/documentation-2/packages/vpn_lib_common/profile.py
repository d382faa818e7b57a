"""A VPN profile: its options with their defaults, and what is counted from its number.

Like the genuine software this checks little and late: a value is looked at when it is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DEFAULTS: Mapping[str, Any] = {
    "aclPermissionList": [],
    "blockLan": False,
    "clientToClient": False,
    "defaultGateway": False,
    "dns": [],
    "dnsSuffix": [],
    "enableAcl": False,
    "enableLog": False,
    "exposedVpnProtoPorts": [],
    "hideProfile": False,
    "listen": "::",
    "managementIp": "127.0.0.1",
    "routes": [],
    "tlsProtection": "tls-crypt",
    "vpnProtoPorts": ["udp/1194", "tcp/1194"],
}
_MANAGEMENT_BASE = 11940
_PROCESSES = 64  # numbers set aside for each profile


class ProfileError(Exception):
    """A profile, or one of its options, is missing or wrong."""


def one_word(name: str, value: object) -> str:
    """Return ``value`` if OpenVPN reads it as one word and nothing else; else ProfileError."""
    if not isinstance(value, str) or re.fullmatch(r"[A-Za-z0-9_.:@/-]{1,255}", value) is None:
        raise ProfileError(f"{name}: {value!r} is not a single word")
    return value


def inline(tag: str, text: str) -> str:
    """Return an inline file; ProfileError when its text would end it and go on."""
    lines = text.strip().splitlines()
    if any(line.lstrip().startswith("<") or not line.isprintable() for line in lines):
        raise ProfileError(f"{tag}: what the controller sent is not a key or a certificate")
    return f"<{tag}>\n{text.strip()}\n</{tag}>"


@dataclass(frozen=True)
class Profile:
    """One entry of ``vpnProfiles``."""

    profile_id: str
    options: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - PHP options are of any type
        if name in self.options:
            return self._checked(name, self.options[name])
        if name in _DEFAULTS:
            return _DEFAULTS[name]
        raise ProfileError(f'item "{name}" not available')

    def _checked(self, name: str, value: Any) -> Any:  # noqa: ANN401 - PHP options are of any type
        """Return an option; ProfileError for one that has to be a list and is none."""
        if isinstance(_DEFAULTS.get(name), list) and not isinstance(value, list):
            raise ProfileError(f'profile "{self.profile_id}": "{name}" is not a list')
        return value

    def get(self, name: str, otherwise: Any) -> Any:  # noqa: ANN401 - PHP options are of any type
        """Return an option that has no default."""
        return self.options.get(name, otherwise)

    def word(self, name: str) -> str:
        """Return an option that becomes one word of OpenVPN's configuration.

        ProfileError when it would be more: a second word, or a directive of its own.
        """
        return one_word(name, self[name])

    def words(self, name: str) -> list[str]:
        """Return an option that is a list of such words."""
        return [one_word(name, value) for value in self[name]]

    def complete(self) -> dict[str, Any]:
        """Return every option, defaults filled in, keys sorted."""
        return dict(sorted({**_DEFAULTS, **self.options}.items()))

    def offset(self, process: int) -> int:
        """Return the number of a process' tun device, counted over all profiles."""
        number = self["profileNumber"]
        if not isinstance(number, int) or not 1 <= number <= _PROCESSES:
            raise ProfileError("1 <= profileNumber <= 64")
        return (number - 1) * _PROCESSES + process

    def management_port(self, process: int) -> int:
        """Return the TCP port of a process' management interface."""
        return _MANAGEMENT_BASE + self.offset(process)

    def management_ports(self) -> list[int]:
        """Return the management ports of all the profile's processes."""
        return [self.management_port(process) for process in range(len(self["vpnProtoPorts"]))]


def profiles(config: Mapping[str, Any]) -> dict[str, Profile]:
    """Return the profiles of the controller's configuration, in the file's order."""
    if "vpnProfiles" not in config:
        raise ProfileError('item "vpnProfiles" not available')
    listed = config["vpnProfiles"]
    if not isinstance(listed, dict):
        raise ProfileError('"vpnProfiles" is not a keyed array')
    return {name: Profile(name, _options(name, one)) for name, one in listed.items()}


def _options(name: str, given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ProfileError(f'"vpnProfiles": "{name}" is not a keyed array')
    return given


def profile(config: Mapping[str, Any], profile_id: str) -> Profile:
    """Return one profile; ProfileError when the configuration does not have it."""
    try:
        return profiles(config)[profile_id]
    except KeyError:
        raise ProfileError(f'"{profile_id}" is not a section') from None
