"""A request to a page: who asks, for what, with which fields; and how it is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Request, Response, render_template

from vpn_lib_common.api_client import ApiClient

_COMMON_NAME = re.compile(r"[a-fA-F0-9]{32}")
_PROFILE_ID = re.compile(r"[a-zA-Z0-9.-]+")
_CONTROL = re.compile(r"[\x00-\x1f]")
_LONGEST_NAME, _LONGEST_USER = 64, 256


class HttpError(Exception):
    """The request is answered with an HTTP error."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Place:
    """Where the portal is, as the browser sees it."""

    scheme: str
    server_name: str
    port: str
    root: str
    """The path all pages are below, with a slash at either end."""

    @classmethod
    def of(cls, asked: Request) -> Place:
        """Read it from a request's environment, as the web server made it."""
        said = asked.environ
        root = said.get("SCRIPT_NAME", "").rstrip("/") + "/"
        return cls(said["wsgi.url_scheme"], said["SERVER_NAME"], str(said["SERVER_PORT"]), root)

    @property
    def origin(self) -> str:
        """Scheme and authority: what a browser's Origin says."""
        usual = {"https": "443", "http": "80"}.get(self.scheme)
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{self.server_name}{port}"

    @property
    def root_uri(self) -> str:
        """The address of the portal itself."""
        return self.origin + self.root


@dataclass(frozen=True)
class Visit:
    """A request of somebody who has logged in and is not disabled."""

    api: ApiClient
    config: Mapping[str, Any]
    place: Place
    asked: Request
    user_id: str
    is_admin: bool

    def show(self, page: str, **values: Any) -> Response:  # noqa: ANN401 - a template's values
        """Return a page; it is the menu's item of that name."""
        return render(page, self.place, visit=self, **values)

    def go_to(self, page: str) -> Response:
        """Send the browser to another page."""
        return Response("", 302, {"Location": self.place.root_uri + page})

    def field(self, name: str) -> str:
        """Return a field of the form."""
        return field(self.asked, name)

    def common_name(self) -> str:
        """Return the name of a client's certificate, from the form."""
        return _valid("common_name", self.field("commonName"), _COMMON_NAME)

    def profile_id(self) -> str:
        """Return a profile's id, from the form."""
        return _valid("profile_id", self.field("profileId"), _PROFILE_ID)

    def display_name(self) -> str:
        """Return what the user calls a configuration, without control characters."""
        name = _CONTROL.sub("", self.field("displayName"))
        if not 1 <= len(name) <= _LONGEST_NAME:
            raise HttpError(400, 'invalid "display_name"')
        return name


def field(asked: Request, name: str) -> str:
    """Return a field of a form that was sent."""
    if name not in asked.form:
        raise HttpError(400, f'missing post parameter "{name}"')
    return asked.form[name]


def user_id(text: str) -> str:
    """Return ``text`` if a user can be called so."""
    if not 1 <= len(text) <= _LONGEST_USER:
        raise HttpError(400, "invalid length: 0 < userId <= 256")
    return text


def render(page: str, place: Place, status: int = 200, **values: Any) -> Response:  # noqa: ANN401
    """Return the template of a page as an answer."""
    text = render_template(f"{page}.html", page=page, place=place, **values)
    return Response(text, status, content_type="text/html; charset=UTF-8")


def _valid(name: str, value: str, form: re.Pattern[str]) -> str:
    if form.fullmatch(value) is None:
        raise HttpError(400, f'invalid "{name}"')
    return value
