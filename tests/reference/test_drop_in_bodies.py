"""The bodies of requests to the API and the portal: how much of them is read, and what is refused.

Both are asked as a web server hands them a request: Apache's mod_wsgi says that the body has an end
of its own (`wsgi.input_terminated`), whether or not somebody has said its length.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from tests.reference.drop_in import PORTAL, Machine

LARGEST = 65_536
FORM = "application/x-www-form-urlencoded"
CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}
TOO_LARGE = "the body of a request has 65536 octets at most"
CALLS = {
    "api": ("/kill_client", {"common_name": "?"}, 'invalid "common_name"'),
    "portal": (
        "/_form/auth/verify",
        {"userName": "", "userPass": "", "_form_auth_redirect_to": "nowhere"},
        "invalid redirect_to URL",
    ),
}
"""Calls whose answer tells that all fields were read; they change nothing."""


class Body(io.RawIOBase):
    """A body that knows how much of it was read; no more of it comes at once than 1000 octets."""

    def __init__(self, content: bytes = b"", *, endless: bool = False) -> None:
        super().__init__()
        self._left, self._endless = io.BytesIO(content), endless
        self.taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        assert size >= 0, "who reads without a limit reads whatever is sent"
        size = min(size, 1000)
        some = self._left.read(size) or (b"x" * size if self._endless else b"")
        self.taken += len(some)
        return some


def taken(body: Body, length: str | None = None, **environ: Any) -> bytes:
    """Let a body be taken; return what is in its place then."""
    from vpn_lib_common import request_body

    given = {"wsgi.input": body, "wsgi.input_terminated": True, **environ}
    if length is not None:
        given["CONTENT_LENGTH"] = length
    request_body.take(given)
    found = given["wsgi.input"].read()
    assert given["CONTENT_LENGTH"] == str(len(found))
    assert "HTTP_TRANSFER_ENCODING" not in given
    return bytes(found)


def refused(body: Body, length: str | None = None, **environ: Any) -> tuple[int, str]:
    """Let a body be taken; return how it is refused."""
    from vpn_lib_common import request_body

    with pytest.raises(request_body.BodyError) as error:
        taken(body, length, **environ)
    return error.value.status, str(error.value)


@pytest.mark.parametrize("octets", [0, 1, LARGEST])
def test_a_body_is_taken_up_to_the_limit_with_a_length_and_without(octets: int) -> None:
    sent = b"a" * octets
    assert taken(Body(sent), str(octets)) == sent
    assert taken(Body(sent), f"000{octets}") == sent
    assert taken(Body(sent), **CHUNKED) == sent
    assert taken(Body(sent), "5", **CHUNKED) == sent  # in chunks, a length does not count


def test_no_more_is_taken_than_the_length() -> None:
    body = Body(endless=True)
    assert taken(body, "5") == b"xxxxx"
    assert body.taken == 5


@pytest.mark.parametrize(
    "length", [str(LARGEST + 1), "0" * 9 + "9" * 30, "9" * 5000], ids=["next", "huge", "digits"]
)
def test_what_is_said_to_be_too_large_is_not_read(length: str) -> None:
    body = Body(endless=True)
    assert (refused(body, length), body.taken) == ((413, TOO_LARGE), 0)


@pytest.mark.parametrize("length", [None, "5"])
def test_what_has_no_end_is_read_to_the_limit_and_refused(length: str | None) -> None:
    body = Body(endless=True)
    assert refused(body, length, **CHUNKED) == (413, TOO_LARGE)
    assert body.taken == LARGEST + 1


@pytest.mark.parametrize("length", ["-1", "+5", "0x10", "1e3", "5,5", " 5", "1_0", "\u0663", "x"])
def test_a_length_that_is_no_number_is_refused_and_nothing_is_read(length: str) -> None:
    body = Body(endless=True)
    assert (refused(body, length), body.taken) == ((400, 'invalid "Content-Length"'), 0)


def test_what_ends_before_its_length_is_refused() -> None:
    assert refused(Body(b"user_id=ali"), "13") == (400, "the body ends before its Content-Length")


def test_nothing_is_read_where_nobody_says_that_there_is_an_end() -> None:
    body = Body(endless=True)
    assert (taken(body, **{"wsgi.input_terminated": False}), body.taken) == (b"", 0)


@dataclass(frozen=True)
class Asked:
    """One of the two applications."""

    what: str
    client: FlaskClient

    def send(self, body: Body, kind: str = FORM, **environ: Any) -> tuple[int, Any]:
        """Send a body with the portal's secret; return status and error of the answer."""
        secret = base64.b64encode(":".join(PORTAL).encode()).decode()
        answer = self.client.post(
            CALLS[self.what][0],
            content_type=kind,
            headers={"Authorization": f"Basic {secret}"},
            environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True, **environ},
        )
        return answer.status_code, answer.json["error"]


@pytest.fixture(params=CALLS)
def asked(request: pytest.FixtureRequest, installed: Machine) -> Asked:
    from vpn_server_api.app import create_app as api
    from vpn_user_portal.app import create_app as portal

    create = {"api": api, "portal": portal}[request.param]
    return Asked(request.param, create(installed.root).test_client())


def test_both_take_a_form_whether_or_not_its_length_is_said(asked: Asked) -> None:
    _, fields, answer = CALLS[asked.what]
    form = urlencode(fields).encode()
    assert asked.send(Body(form), CONTENT_LENGTH=str(len(form))) == (400, answer)
    assert asked.send(Body(form), **CHUNKED) == (400, answer)


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x", "text/plain"])
def test_both_refuse_what_is_too_large_or_has_no_end(asked: Asked, kind: str) -> None:
    body = Body(endless=True)
    assert asked.send(body, kind, CONTENT_LENGTH=str(LARGEST + 1)) == (413, TOO_LARGE)
    assert body.taken == 0
    assert asked.send(body, kind, **CHUNKED) == (413, TOO_LARGE)
    assert asked.send(body, kind, CONTENT_LENGTH="-1") == (400, 'invalid "Content-Length"')


def test_of_who_may_not_ask_the_api_nothing_is_read(installed: Machine) -> None:
    from vpn_server_api.app import create_app

    body, client = Body(endless=True), create_app(installed.root).test_client()
    given = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_LENGTH": "5"}
    answer = client.post("/kill_client", environ_overrides=given)
    assert (answer.status_code, body.taken) == (401, 0)
