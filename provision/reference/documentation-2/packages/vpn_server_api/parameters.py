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

_COMMON_NAME = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[a-zA-Z0-9.-]+")
_NUMBER = re.compile(r"[0-9]{1,15}")


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
        return name in self.values

    def text(self, name: str, longest: int = 256) -> str:
        """Return a text of 1 to ``longest`` characters."""
        value = self._value(name)
        return self._matching(name, 1 <= len(value) <= longest)

    def common_name(self) -> str:
        """Return the name of a client's certificate: 32 hexadecimal digits."""
        value = self._value("common_name")
        return self._matching("common_name", _COMMON_NAME.fullmatch(value) is not None)

    def name(self, name: str) -> str:
        """Return a profile's id or a server's common name."""
        return self._matching(name, _NAME.fullmatch(self._value(name)) is not None)

    def number(self, name: str) -> int:
        """Return a whole number, not negative."""
        self._matching(name, _NUMBER.fullmatch(self._value(name)) is not None)
        return int(self.values[name])

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
        """Return permission_list: a JSON list of texts, as JSON."""
        try:
            value = json.loads(self._value("permission_list"))
        except ValueError:
            raise self._invalid("permission_list") from None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._invalid("permission_list")
        return json.dumps(value)

    def _value(self, name: str) -> str:
        try:
            return self.values[name]
        except KeyError:
            raise HttpError(400, f'missing {self.kind} parameter "{name}"') from None

    def _matching(self, name: str, good: bool) -> str:
        if not good:
            raise self._invalid(name)
        return self.values[name]

    def _invalid(self, name: str) -> HttpError:
        return HttpError(400, f'invalid "{name}"')
