"""The portal as a WSGI application: what every request passes before its page.

In this order, as the genuine portal does it: no forged forms, a login, no disabled user, the API
told once a session when it ends, administrators only where it says so; then the page. Who has not
logged in gets the form at whatever address, with 200.
"""

from __future__ import annotations

import json
import syslog
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from vpn_lib_common import php_config, request_body
from vpn_lib_common.api_client import ApiClient
from vpn_lib_common.command import EXPECTED, describe
from vpn_lib_common.installation import ROOT
from vpn_user_portal import admin_pages, login, pages
from vpn_user_portal.download import API_TIMEOUT_S, session_end
from vpn_user_portal.sessions import Session, Sessions
from vpn_user_portal.users import Users
from vpn_user_portal.visit import HttpError, Place, Visit, render

Page = Callable[[Visit], Response]

_USERS: Mapping[str, Mapping[str, Page]] = {
    "/": {"GET": pages.start},
    "/home": {"GET": pages.home},
    "/configurations": {"GET": pages.configurations, "POST": pages.download},
    "/deleteCertificate": {"POST": pages.delete_certificate},
}
_ADMINS: Mapping[str, Mapping[str, Page]] = {
    "/connections": {"GET": admin_pages.connections, "POST": admin_pages.disconnect},
    "/users": {"GET": admin_pages.users},
    "/user": {"GET": admin_pages.user, "POST": admin_pages.manage_user},
}
_STYLE = Path(__file__).with_name("screen.css")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store, no-cache, must-revalidate",
    "Pragma": "no-cache",
}


@dataclass(frozen=True)
class Portal:
    """The portal installed under ``root`` (``/`` on a machine)."""

    root: Path

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration as it stands now."""
        return php_config.read(self.root / "etc/vpn-user-portal/config.php")

    @property
    def users(self) -> Users:
        """Who can log in."""
        return Users(self.root / "var/lib/vpn-user-portal/db.sqlite")

    @property
    def sessions(self) -> Sessions:
        """Who has logged in."""
        return Sessions(self.root / "var/lib/vpn-user-portal/sessions.sqlite")


def create_app(root: Path = ROOT) -> Flask:
    """Return the portal installed under ``root``."""
    app = Flask("vpn_user_portal", root_path=str(Path(__file__).parent), static_folder=None)
    portal = Portal(root)
    # Ahead of Flask's routing: a login comes before it.
    app.before_request(lambda: _serve(portal, request))
    return app


def _serve(portal: Portal, asked: Request) -> Response:
    place, path = Place.of(asked), asked.path
    if path == "/css/screen.css":
        return Response(_STYLE.read_bytes(), content_type="text/css; charset=UTF-8")
    try:
        answer = _answer(portal, asked, place, path)
    except HttpError as error:
        answer = _refusal(asked, place, error.status, str(error), error.headers)
    except request_body.BodyError as error:
        answer = _refusal(asked, place, error.status, str(error), {})
    except HTTPException as error:  # a form that Werkzeug does not take
        answer = _refusal(asked, place, error.code or 400, error.name, {})
    except EXPECTED as error:
        syslog.syslog(syslog.LOG_ERR, f"vpn-user-portal: {describe(error)}")
        answer = _refusal(asked, place, 500, describe(error), {})
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


def _answer(portal: Portal, asked: Request, place: Place, path: str) -> Response:
    login.refuse_forgery(asked, place)
    request_body.take(asked.environ)
    if (asked.method, path) == ("POST", "/_form/auth/verify"):
        secure = portal.config.get("secureCookie", True) is not False
        return login.log_in(asked, place, portal.users, portal.sessions, secure=secure)
    session_id = login.session_id(asked)
    session = portal.sessions.find(session_id) if session_id else None
    if session is None:
        return login.form(place, place.origin + _target(asked))
    if (asked.method, path) == ("POST", "/_logout"):
        return login.log_out(asked, place, portal.sessions)
    visit = _visit(portal, asked, place, session)
    if not session.api_knows:
        _tell_api(visit)
        portal.sessions.api_was_told(session_id)
    return _page(path, asked.method, visit)(visit)


def _visit(portal: Portal, asked: Request, place: Place, session: Session) -> Visit:
    config = portal.config
    api = ApiClient.from_config(config, timeout=API_TIMEOUT_S)
    if api.get("is_disabled_user", {"user_id": session.user_id}):
        raise HttpError(403, "account disabled")
    is_admin = session.user_id in php_config.texts(config, "adminUserIdList")
    return Visit(api, config, place, asked, session.user_id, is_admin)


def _tell_api(visit: Visit) -> None:
    now = datetime.now(timezone.utc)
    end = session_end(visit.config.get("sessionExpiry", "P90D"), now)
    visit.api.post(
        "user_update_session_info",
        {
            "user_id": visit.user_id,
            "session_expires_at": end.isoformat(timespec="seconds"),
            "permission_list": "[]",
        },
    )


def _page(path: str, method: str, visit: Visit) -> Page:
    offered = {**_USERS, **_ADMINS}.get(path)
    if offered is None:
        raise HttpError(404, f'"{path}" not found')
    if method not in offered:
        allowed = {"Allow": ",".join(offered)}
        raise HttpError(405, f'method "{method}" not allowed', allowed)
    if path in _ADMINS and not visit.is_admin:
        raise HttpError(403, "user is not an administrator")
    return offered[method]


def _target(asked: Request) -> str:
    """Return path and query as they were asked for."""
    query = asked.query_string.decode("latin-1")
    return quote(asked.root_path + asked.path) + (f"?{query}" if query else "")


def _refusal(
    asked: Request, place: Place, status: int, message: str, headers: Mapping[str, str]
) -> Response:
    if login.is_browser(asked):
        answer = render("error", place, status, code=status, message=message)
    else:
        text = json.dumps({"error": message}, separators=(",", ":"))
        answer = Response(text, status, content_type="application/json")
    answer.headers.extend(headers)
    return answer
