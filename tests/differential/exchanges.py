"""Requests to the API and what the genuine one answers, and asking them again of anybody.

`tests/data/vpn-server-api-2.1.5-answers.json` holds them in the order in which they are to be
asked: who asks, for what, and status, type, headers and body of the genuine answer. What is another
each time (a certificate, a moment, a name drawn at random) is a word in angle brackets there.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.reference.drop_in import NODE, PORTAL

RECORDED = Path(__file__).parents[1] / "data/vpn-server-api-2.1.5-answers.json"
CLIENT = "<client>"
"""Stands in requests and answers for the certificate that the exchanges are about."""

#: What the recorded API had for configuration; addresses of daemons are the test's.
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "node-a": {
        "profileNumber": 1,
        "displayName": "Secure Internet",
        "range": "10.1.0.0/25",
        "range6": "fd00:1:1:1::/64",
        "hostName": "nodes.frkovpn.tuxed.net",
        "managementIp": "145.0.6.72",
        "defaultGateway": True,
        "blockLan": True,
        "dns": ["145.0.6.10"],
    },
    "node-b": {
        "profileNumber": 2,
        "displayName": "Node B",
        "range": "10.2.0.0/25",
        "range6": "fd00:2:2:2::/64",
        "hostName": "nodes.frkovpn.tuxed.net",
        "managementIp": "145.0.6.73",
        "defaultGateway": True,
        "blockLan": True,
        "dns": ["145.0.6.10"],
        "hideProfile": True,
    },
}

_SECRETS = dict([PORTAL, NODE])
_NAME = re.compile(r"\b[0-9a-f]{32}\b")
_PLACE = re.compile(r"/[^ \"]*?(/usr/(?:bin|share)/vpn-)")
_STAMP = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")
_KEYS = {"certificate", "private_key", "ca", "tls_crypt"}
_JUST_NOW = timedelta(minutes=15)  # certificates begin five minutes ago
_FIVE_YEARS = timedelta(days=5 * 365)


@dataclass(frozen=True)
class Answer:
    """What came back, as far as it is the same each time."""

    status: int
    type: str
    www: str | None
    allow: str | None
    body: Any


@dataclass(frozen=True)
class Exchange:
    """A request, and the genuine answer."""

    label: str
    consumer: str | None
    """A consumer's name, or "NAME:SECRET" for one with a secret of its own; None: nobody's."""
    request: str
    form: Mapping[str, str] | None
    headers: Mapping[str, str]
    answer: Answer


def recorded() -> list[Exchange]:
    """Return the exchanges with the genuine API, in their order."""
    return [
        Exchange(
            label=one["label"],
            consumer=one.get("as"),
            request=one["request"],
            form=one.get("form"),
            headers=one.get("headers", {}),
            answer=Answer(
                one["status"], one["type"], one.get("www"), one.get("allow"), one["body"]
            ),
        )
        for one in json.loads(RECORDED.read_text())
    ]


def replay(uri: str, exchanges: Iterable[Exchange]) -> Iterator[tuple[str, Answer]]:
    """Ask the API at `uri` the same; yield each label with what is answered now."""
    client = CLIENT
    for exchange in exchanges:
        status, headers, body = _ask(uri, exchange, client)
        headers = {name.title(): value for name, value in headers.items()}
        if exchange.label == "list":
            listed = json.loads(body)["client_certificate_list"]["data"]
            (client,) = (one["common_name"] for one in listed if one["display_name"] == "l")
        yield (
            exchange.label,
            Answer(
                status,
                headers.get("Content-Type", ""),
                headers.get("Www-Authenticate"),
                headers.get("Allow"),
                _settled(_decoded(body), client),
            ),
        )


def _ask(uri: str, exchange: Exchange, client: str) -> tuple[int, Mapping[str, str], str]:
    method, _, target = exchange.request.partition(" ")
    headers = dict(exchange.headers)
    if exchange.consumer is not None and "Authorization" not in headers:
        name, colon, secret = exchange.consumer.partition(":")
        known = secret if colon else _SECRETS[name]
        headers["Authorization"] = "Basic " + base64.b64encode(f"{name}:{known}".encode()).decode()
    form = None
    if exchange.form is not None:
        values = {key: value.replace(CLIENT, client) for key, value in exchange.form.items()}
        form = urlencode(values)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    parts = urlsplit(uri)
    asking = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        asking.request(method, parts.path + target.replace(CLIENT, client), form, headers)
        answer = asking.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        asking.close()


def _decoded(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _settled(value: Any, client: str, key: str = "") -> Any:
    """Return an answer's value without what is another each time."""
    if isinstance(value, dict):
        return {name: _settled(item, client, name) for name, item in value.items()}
    if isinstance(value, list):
        settled = [_settled(item, client, key) for item in value]
        return sorted(settled, key=json.dumps) if _is_of_rows(settled) else settled
    if key == "managementIp" or (key in _KEYS and isinstance(value, str) and "\n" in value):
        return f"<{key}>"
    if isinstance(value, str):
        return _settled_text(value, client)
    if isinstance(value, int) and not isinstance(value, bool) and value > 10**9:
        return _moment(datetime.fromtimestamp(value, UTC)) or value
    return value


def _is_of_rows(items: list[Any]) -> bool:
    return bool(items) and isinstance(items[0], dict)


def _settled_text(text: str, client: str) -> str:
    text = _STAMP.sub("<now> ", _PLACE.sub(r"\1", text.replace(client, CLIENT)))
    text = _NAME.sub(lambda found: "<name>" if len(set(found.group())) > 1 else found.group(), text)
    try:
        return _moment(datetime.fromisoformat(text)) or text
    except (ValueError, TypeError):
        return text


def _moment(moment: datetime) -> str:
    """Return what a moment is in words, when it is about now or the end of a new CA; else ""."""
    away = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)
    if abs(away) < _JUST_NOW:
        return "<now>"
    return "<the CA's end>" if abs(away - _FIVE_YEARS) < timedelta(days=3) else ""
