"""A call's parameters, each checked when it is asked for.

Missing ones and wrong ones are HTTP 400, in the words of the genuine software.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address

from vpn_lib_common.api_client import PHP_TYPES

_COMMON_NAME = re.compile(r"[0-9a-fA-F]{32}")
_NAME = re.compile(r"[a-zA-Z0-9.-]+")
_CLIENT_ID = re.compile(r"[\x20-\x7e]+")
_NUMBER = re.compile(r"[0-9]{1,18}")
_LAST_SECOND = 253_402_300_799
_CONTROL = dict.fromkeys(range(0x20))


class HttpError(Exception):
    """The request is answered with an HTTP error."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Parameters:
    """The parameters of one request; ``kind`` is "query" or "post"."""

    kind: str
    values: Mapping[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.values or self._has_parts_of(name)

    def _has_parts_of(self, name: str) -> bool:
        """Whether it is given as what PHP makes an array of."""
        return any(key.startswith(f"{name}[") for key in self.values)

    def user_id(self) -> str:
        """Return the parameter user_id: 1 to 256 characters."""
        value = self._encoded("user_id", "userId")
        if not 1 <= len(value) <= 256:
            raise HttpError(400, "invalid length: 0 < userId <= 256")
        return value

    def display_name(self) -> str:
        """Return the parameter display_name, without control characters."""
        value = self._encoded("display_name", "displayName").translate(_CONTROL)
        if not value:
            raise self._invalid("display_name")
        return value

    def client_id(self) -> str | None:
        """Return the parameter client_id; None when it is not given."""
        if "client_id" not in self:
            return None
        return self._matching("client_id", _CLIENT_ID.fullmatch(self._value("client_id")))

    def common_name(self) -> str:
        """Return the name of a client's certificate: 32 hexadecimal digits."""
        value = self._value("common_name")
        return self._matching("common_name", _COMMON_NAME.fullmatch(value))

    def profile_id(self) -> str:
        """Return the parameter profile_id."""
        return self._matching("profile_id", _NAME.fullmatch(self._value("profile_id")))

    def server_common_name(self) -> str:
        """Return the parameter common_name, where it is a server's."""
        value = self._value("common_name")
        if _NAME.fullmatch(value) is None:
            raise self._invalid("server_common_name")
        return value

    def number(self, name: str) -> int:
        """Return a whole number, not negative."""
        return int(self._matching(name, _NUMBER.fullmatch(self._value(name))))

    def unix_time(self, name: str) -> int:
        """Return a number of seconds since 1970, of a year with four digits."""
        value = self.number(name)
        if value > _LAST_SECOND:
            raise self._invalid(name)
        return value

    def ip4(self) -> str:
        """Return the parameter ip4."""
        try:
            return str(IPv4Address(self._value("ip4")))
        except AddressValueError:
            raise self._invalid("ip4") from None

    def ip6(self) -> str:
        """Return the parameter ip6 in its normal form."""
        try:
            return str(IPv6Address(self._value("ip6")))
        except AddressValueError:
            raise self._invalid("ip6") from None

    def ip(self, name: str) -> str:
        """Return an address of either family in its normal form."""
        try:
            return str(ip_address(self._value(name)))
        except ValueError:
            raise self._invalid(name) from None

    def moment(self, name: str, layout: str = "%Y-%m-%dT%H:%M:%S%z") -> datetime:
        """Return a time in ATOM form, or in ``layout``; one without zone is UTC."""
        value = self._value(name)
        try:
            moment = datetime.strptime(value, layout)
        except ValueError:
            raise self._invalid(name) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)

    def permissions(self) -> str:
        """Return permission_list: a JSON list of texts (or an object of some), as JSON."""
        try:
            value = json.loads(self._value("permission_list"))
        except ValueError:
            raise HttpError(500, "unable to parse/decode JSON") from None
        if not isinstance(value, (list, dict)):
            raise HttpError(500, f'expected JSON object, got "{PHP_TYPES[type(value)]}"')
        items = value.values() if isinstance(value, dict) else value
        if not all(isinstance(item, str) for item in items):
            raise self._invalid("permissionList")
        return json.dumps(value or [])

    def _encoded(self, name: str, called: str) -> str:
        value = self._value(name)
        try:
            value.encode()
        except UnicodeEncodeError:
            raise HttpError(400, f'invalid encoding for "{called}"') from None
        return value

    def _value(self, name: str) -> str:
        if self._has_parts_of(name):
            raise HttpError(400, f'value of {self.kind} parameter "{name}" MUST be string')
        try:
            return self.values[name]
        except KeyError:
            raise HttpError(400, f'missing {self.kind} parameter "{name}"') from None

    def _matching(self, name: str, found: re.Match[str] | None) -> str:
        if found is None:
            raise self._invalid(name)
        return found.string

    def _invalid(self, name: str) -> HttpError:
        return HttpError(400, f'invalid "{name}"')
