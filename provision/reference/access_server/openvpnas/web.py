"""The web application: a public status page, and the admin's Failover page.

The same addresses answer people (HTML) and programs (`Accept: application/json`, HTTP Basic
authentication). A person's form posts carry a token of the session; a program's JSON body cannot
be sent by a foreign page.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, Flask, current_app, jsonify, redirect, request, session
from flask import render_template_string as page
from werkzeug.wrappers import Response

from openvpnas import commit, pages, status
from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.errors import AccessServerError
from openvpnas.pair import PRIMARY, SECONDARY
from openvpnas.paths import Paths
from openvpnas.shell import Shell
from openvpnas.users import Users
from openvpnas.validation import Report

blueprint = Blueprint("access_server", __name__)
NODE_FIELDS = ("host", "ssh_user", "ssh_password", "ssh_port")
PAIR_FIELDS = ("virtual_ip", "engine", "vhid", "ucarp_password", "extra_parms", "sync_period")


@dataclass(frozen=True)
class Node:
    """What the application works on."""

    paths: Paths
    shell: Shell
    restart: Callable[[], None]


def make_app(node: Node) -> Flask:
    """Make the application of one node; it must have been initialised."""
    app = Flask(__name__)
    app.secret_key = CertificateStore.at(node.paths).secret("web-session.key")
    app.config.update(
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=64 * 1024,
    )
    app.extensions["access_server"] = node
    app.register_blueprint(blueprint)
    return app


def _node() -> Node:
    found = current_app.extensions["access_server"]
    assert isinstance(found, Node)  # noqa: S101 - narrows what make_app has put there
    return found


def _wants_json() -> bool:
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return request.is_json or best == "application/json"


def _user() -> str:
    """Give the administrator who asks, "" if nobody has logged in."""
    login = request.authorization
    users = Users.at(_node().paths)
    if login is not None and login.username and login.password:
        right = users.is_administrator(login.username, login.password)
        return login.username if right else ""
    name, begun = str(session.get("user", "")), str(session.get("session", ""))
    return name if users.goes_on(name, begun, _secret()) else ""


def _secret() -> str:
    return str(current_app.secret_key)


@blueprint.before_request
def _guard() -> Response | tuple[Response, int] | None:
    if not request.path.startswith("/admin") or request.path == "/admin/login":
        return None
    if not _user():
        if _wants_json():
            return jsonify(error="log in as an administrator"), 401
        return redirect("/admin/login")
    if request.method == "POST" and not request.is_json and not _token_fits():
        return jsonify(error="the form is out of date: load the page again"), 400
    return None


def _token_fits() -> bool:
    sent, kept = request.form.get("token", ""), str(session.get("token", ""))
    return bool(kept) and hmac.compare_digest(sent.encode(), kept.encode())


@blueprint.get("/")
def overview() -> Response | str:
    """Say which node answers, and in which state: what a port probe may know."""
    state = status.service_state(_node().paths)
    shown = {key: state.get(key) for key in ("mode", "node", "state", "services")}
    return jsonify(shown) if _wants_json() else page(pages.STATUS, **shown)


@blueprint.get("/admin/")
def admin() -> Response:
    """Lead to the only admin page there is."""
    return redirect("/admin/failover")


@blueprint.route("/admin/login", methods=["GET", "POST"])
def login() -> Response | str | tuple[str, int]:
    """Log an administrator in."""
    if request.method == "GET":
        return page(pages.LOGIN, error="")
    name, word = request.form.get("username", ""), request.form.get("password", "")
    begun = Users.at(_node().paths).begin_session(name, word, _secret())
    session.clear()
    if not begun:
        return page(pages.LOGIN, error="Wrong user name or password."), 401
    session.update(user=name, session=begun, token=secrets.token_hex(16))
    return redirect("/admin/failover")


@blueprint.get("/admin/failover")
def failover() -> Response | str:
    """Show the pair as configured, and what the service reports."""
    node = _node()
    values = Config.at(node.paths).all()
    if _wants_json():
        return jsonify(settings=_settings(values), status=status.failover_status(node.paths))
    return _failover_page(_settings(values), None, "")


@blueprint.post("/admin/failover/validate")
def validate() -> Response | str | tuple[Response, int] | tuple[str, int]:
    """Validate what was sent; changes nothing."""
    node = _node()
    return _answer(lambda sent: commit.check(node.paths, sent, node.shell), "")


@blueprint.post("/admin/failover/commit")
def commit_and_restart() -> Response | str | tuple[Response, int] | tuple[str, int]:
    """Commit and Restart."""
    node = _node()
    return _answer(
        lambda sent: commit.commit(node.paths, sent, node.shell, node.restart),
        "Committed. The service restarts now.",
    )


def _answer(
    act: Callable[[Mapping[str, object]], Report], done: str
) -> Response | str | tuple[Response, int] | tuple[str, int]:
    sent = _sent()
    report: Report | None = None
    problem = ""
    try:
        report = act(sent)
    except commit.NotGood as refused:
        report, problem = refused.report, str(refused)
    except AccessServerError as refused:
        problem = str(refused)
    code = 409 if problem and report else 400 if problem else 200
    if _wants_json():
        found: dict[str, object] = report.to_json() if report else {"good": False}
        if problem:
            found["error"] = problem
        elif done:
            found["committed"] = True
        return jsonify(found), code
    return _failover_page(sent, report, problem or done), code


def _sent() -> Mapping[str, object]:
    if request.is_json:
        try:
            body = request.get_json(silent=True)
        except RecursionError:  # brackets in brackets: Python's reader gives up
            body = None
        return body if isinstance(body, dict) else {}
    form = request.form
    found: dict[str, object] = {key: form[key] for key in PAIR_FIELDS if form.get(key)}
    found["mode"] = form.get("mode", "none")
    for name in (PRIMARY, SECONDARY):
        found[name] = {part: form.get(f"{name}_{part}", "") for part in NODE_FIELDS}
    return found


def _settings(values: Mapping[str, str]) -> dict[str, object]:
    """Give the pair as the page shows it; passwords never leave the node."""
    found: dict[str, object] = {
        "mode": values["failover.mode"],
        "virtual_ip": values.get("failover.vip", ""),
        "engine": values["failover.engine"],
        "vhid": values["ucarp.vhid"],
        "sync_period": values["failover.sync_period"],
    }
    for name in (PRIMARY, SECONDARY):
        found[name] = {
            "host": values.get(f"failover.{name}.host", ""),
            "ssh_user": values.get(f"failover.{name}.ssh_user", "root"),
            "ssh_port": values.get(f"failover.{name}.ssh_port", "22"),
        }
    return found


def _failover_page(settings: Mapping[str, object], report: Report | None, message: str) -> str:
    return page(
        pages.FAILOVER,
        settings=settings,
        report=report,
        message=message,
        token=session.get("token", ""),
        status=status.failover_status(_node().paths),
    )
