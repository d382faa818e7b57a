"""Logging in and out, and what a form of another site may not do."""

from __future__ import annotations

import re
import threading
from urllib.parse import urlsplit

from flask import Request, Response

from vpn_user_portal.sessions import Sessions
from vpn_user_portal.users import Users
from vpn_user_portal.visit import HttpError, Place, field, render

COOKIE = "SID"

_SESSION_ID = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(r"https?://[!-~]+")
_TRIMMED = " \t\n\r\0\x0b"
# Each takes a process of PHP and most of a second of a processor, and a stranger can ask for it.
_AT_ONCE, _WAIT_S = threading.BoundedSemaphore(2), 30


def session_id(asked: Request) -> str:
    """Return the cookie's value, "" when it is none of ours."""
    value = asked.cookies.get(COOKIE, "")
    return value if _SESSION_ID.fullmatch(value) else ""


def refuse_forgery(asked: Request, place: Place) -> None:
    """Refuse what a browser sends that another site made it send."""
    if not is_browser(asked) or asked.method in ("GET", "HEAD", "OPTIONS"):
        return
    origin, referrer = asked.headers.get("Origin"), asked.headers.get("Referer")
    if origin is not None:
        if origin != place.origin:
            raise HttpError(400, "CSRF protection failed: unexpected HTTP_ORIGIN")
    elif referrer is None:
        raise HttpError(400, "CSRF protection failed, no HTTP_ORIGIN or HTTP_REFERER")
    elif not referrer.startswith(f"{place.origin}/"):
        raise HttpError(400, "CSRF protection failed: unexpected HTTP_REFERER")


def is_browser(asked: Request) -> bool:
    """Whether the answer is for somebody to look at."""
    return "text/html" in asked.headers.get("Accept", "")


def form(place: Place, leads_to: str, *, refused_user: str | None = None) -> Response:
    """Return the login form; with ``refused_user`` after a login that failed."""
    return render("login", place, leads_to=leads_to, refused_user=refused_user)


def log_in(
    asked: Request, place: Place, users: Users, sessions: Sessions, *, secure: bool
) -> Response:
    """Let a user in who knows the password, under a new session."""
    sessions.end(session_id(asked))
    user = field(asked, "userName").strip(_TRIMMED)
    password = field(asked, "userPass")
    leads_to = _checked(field(asked, "_form_auth_redirect_to"), place)
    if not _AT_ONCE.acquire(timeout=_WAIT_S):
        raise HttpError(503, "too many log in at once")
    try:
        known = users.verified(user, password)
    finally:
        _AT_ONCE.release()
    if not known:
        return form(place, leads_to, refused_user=user)
    answer = Response("", 302, {"Location": leads_to})
    answer.set_cookie(
        COOKIE, sessions.begin(user), path=place.root, secure=secure, httponly=True, samesite="Lax"
    )
    return answer


def log_out(asked: Request, place: Place, sessions: Sessions) -> Response:
    """End the session; lead back to where the user was."""
    referrer = asked.headers.get("Referer")
    if referrer is None:
        raise HttpError(400, 'missing request header "HTTP_REFERER"')
    sessions.end(session_id(asked))
    leads_to = referrer if referrer.startswith(f"{place.origin}/") else place.root_uri
    return Response("", 302, {"Location": leads_to})


def _checked(leads_to: str, place: Place) -> str:
    """Return where a login leads to, if that is a page of this server."""
    try:
        parts = urlsplit(leads_to)
    except ValueError:
        raise HttpError(400, "invalid redirect_to URL") from None
    # A browser reads "\\" as "/", and "@" ends what is no host: neither is where it may mislead.
    if _ADDRESS.fullmatch(leads_to) is None or not parts.path or {"\\", "@"} & set(parts.netloc):
        raise HttpError(400, "invalid redirect_to URL")
    if parts.hostname != place.server_name.strip("[]").lower():
        raise HttpError(400, "redirect_to does not match expected host")
    return leads_to
