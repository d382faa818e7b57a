"""The client of the controller's API: HTTP Basic, JSON answers, errors in the genuine words.

Only the standard library's HTTP, no session, no redirects, no proxies: the API is either there or
it is not. What has been asked otherwise (hooks ask with curl) is judged here too.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

PHP_TYPES: Mapping[type, str] = {
    type(None): "NULL",
    bool: "boolean",
    int: "integer",
    float: "double",
    str: "string",
}


_LARGEST_ANSWER = 64 * 1024 * 1024
"""Octets: a list of 65,536 clients has some twelve million."""


class ApiError(Exception):
    """The API could not be asked, or answered with an HTTP error."""


class ApiRefusal(Exception):
    """The API understood, and says no (``"ok":false``)."""


@dataclass(frozen=True)
class ApiClient:
    """The API at ``uri`` for one consumer; ``timeout`` in seconds holds for each read."""

    uri: str
    user: str
    password: str
    timeout: float

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, timeout: float) -> ApiClient:
        """Return the client that ``apiUri``, ``apiUser`` and ``apiPass`` name."""
        return cls(config["apiUri"], config["apiUser"], config["apiPass"], timeout)

    def get(self, call: str, parameters: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401
        """Return the answer's ``data`` (None when it has none)."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self._ask("GET", call, query, None)

    def post(self, call: str, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON
        """Send ``parameters`` as a form; return the answer's ``data`` (None when it has none)."""
        return self._ask("POST", call, "", urlencode(parameters))

    def _ask(self, method: str, call: str, query: str, body: str | None) -> Any:  # noqa: ANN401
        url = f"{self.uri}/{call}"
        try:
            status, text = self._exchange(method, f"{url}{query}", body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(f'failure performing the HTTP request: "{error}"') from None
        return self.judge(method, call, status, text)

    def judge(self, method: str, call: str, status: int, text: bytes) -> Any:  # noqa: ANN401
        """Return the ``data`` of an answer that has come, or raise what it means."""
        try:
            return _data(call, status, text)
        except _OddAnswer as odd:
            raise ApiError(f'[{status}] {method} "{self.uri}/{call}": {odd}') from None

    def _exchange(self, method: str, url: str, body: str | None) -> tuple[int, bytes]:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an HTTP address: {url}")
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.hostname,
                parts.port,
                timeout=self.timeout,
                context=ssl.create_default_context(),
            )
        else:
            connection = http.client.HTTPConnection(
                parts.hostname, parts.port, timeout=self.timeout
            )
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            text = response.read(_LARGEST_ANSWER + 1)
            if len(text) > _LARGEST_ANSWER:
                raise ValueError(f"the answer has more than {_LARGEST_ANSWER} octets")
            return response.status, text
        finally:
            connection.close()


class _OddAnswer(Exception):
    """An answer that is none, or an error of the API."""


def _data(call: str, status: int, text: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        answer = json.loads(text)
    except ValueError:
        # A web server's own page (403, 404, 500) is no answer of the API.
        raise _OddAnswer("unable to parse/decode JSON") from None
    if not isinstance(answer, (dict, list)):
        raise _OddAnswer(f'expected JSON object, got "{PHP_TYPES[type(answer)]}"')
    if status >= 400:
        raise _OddAnswer(_field(answer, "error", "error"))
    said = _field(answer, call, call)
    if not _field(said, "ok", f"{call}/ok"):
        raise ApiRefusal(_field(said, "error", f"{call}/error"))
    return said.get("data")


def _field(answer: object, name: str, path: str) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(answer, dict) or name not in answer:
        raise _OddAnswer(f'responseData MUST contain "{path}" field')
    return answer[name]
