"""The API as a WSGI application: who asks, for what, and how answers and refusals look.

The calls themselves are in `node_calls` and `portal_calls`.
"""

from __future__ import annotations

import hmac
import json
import syslog
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from vpn_lib_common import request_body
from vpn_lib_common.installation import ROOT
from vpn_lib_common.php_config import ConfigSyntaxError
from vpn_server_api import node_calls, portal_calls
from vpn_server_api.answers import NOTHING, Answer, Call, Refused
from vpn_server_api.controller import Controller
from vpn_server_api.parameters import HttpError, Parameters

_REALM = "vpn-server-backend"
_CALLS: Mapping[str, Call] = {**node_calls.CALLS, **portal_calls.CALLS}


def create_app(root: Path = ROOT) -> Flask:
    """Return the API of the controller installed under ``root``."""
    app = Flask("vpn-server-api")
    controller = Controller(root)
    syslog.openlog("vpn-server-api")

    # Ahead of Flask's routing: authentication comes before it, refusals have the genuine form, and
    # the bare address (which the guide tries) is not redirected to one with a slash.
    app.before_request(lambda: _serve(controller, _path(request)))
    return app


def _path(asked: Request) -> str:
    """Return the path behind the API's address as it was asked for: two slashes are two."""
    asked_for = asked.environ.get("REQUEST_URI", asked.environ["PATH_INFO"]).partition("?")[0]
    return str(asked_for).removeprefix(asked.environ["SCRIPT_NAME"])[1:]


def _serve(controller: Controller, path: str) -> Response:
    try:
        consumer = _authenticate(controller, request)
        call = _route(path, request.method)
        if consumer not in call.consumers:
            raise HttpError(403, f'user "{consumer}" is not allowed to perform this operation')
        return _answer(path, call.run(controller, _parameters(request)))
    except HttpError as error:
        return _refusal(error.status, str(error), error.headers)
    except request_body.BodyError as error:
        return _refusal(error.status, str(error), {})
    except HTTPException as error:  # a form that Werkzeug does not take
        return _refusal(error.code or 400, error.name, {})
    except ConfigSyntaxError as error:
        syslog.syslog(syslog.LOG_ERR, str(error))
        return Response(b"", 500, content_type="text/html; charset=UTF-8")
    except Exception as error:  # noqa: BLE001 - whatever a call dies of is an answer, and logged
        syslog.syslog(syslog.LOG_ERR, str(error))
        return _refusal(500, str(error), {})


def _authenticate(controller: Controller, asked: Request) -> str:
    challenge = {"WWW-Authenticate": f'Basic realm="{_REALM}"'}
    given = asked.authorization
    # PHP takes an empty password for none, and an empty name for a name.
    if given is None or given.username is None or not given.password:
        raise HttpError(401, "missing authentication information", challenge)
    secret = dict(controller.config.get("apiConsumers", {})).get(given.username)
    if secret is None or not hmac.compare_digest(secret.encode(), given.password.encode()):
        raise HttpError(401, "invalid authentication information", challenge)
    return str(given.username)


def _route(path: str, method: str) -> Call:
    if path not in _CALLS:
        raise HttpError(404, f'"/{path}" not found')
    call = _CALLS[path]
    if method != call.method:
        raise HttpError(405, f'method "{method}" not allowed', {"Allow": call.method})
    return call


def _parameters(asked: Request) -> Parameters:
    if asked.method != "POST":
        return Parameters("query", _fields(asked.query_string))
    request_body.take(asked.environ)
    if asked.mimetype == "application/x-www-form-urlencoded":
        return Parameters("post", _fields(asked.get_data()))
    return Parameters("post", asked.form)


def _fields(encoded: bytes) -> dict[str, str]:
    """Return fields as PHP reads them: the last of a name counts. Bytes that are no UTF-8 stay."""
    text = encoded.decode("utf-8", "surrogateescape")
    return dict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))


def _answer(call: str, answer: Answer) -> Response:
    if isinstance(answer, Refused):
        return _json({call: {"ok": False, "error": answer.error}}, 200)
    body: dict[str, object] = {"ok": True}
    if answer.data is not NOTHING:
        body["data"] = answer.data
    return _json({call: body}, answer.status)


def _refusal(status: int, message: str, headers: Mapping[str, str]) -> Response:
    if "text/html" in request.headers.get("Accept", ""):
        response = Response(f"{status}: {message}", status, content_type="text/plain;charset=UTF-8")
    else:
        response = _json({"error": message}, status)
    response.headers.extend(headers)
    return response


def _json(body: Mapping[str, object], status: int) -> Response:
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, content_type="application/json")
