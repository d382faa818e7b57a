"""Pages of administrators: who is connected, and users."""

from __future__ import annotations

from flask import Response

from vpn_user_portal.visit import HttpError, Visit, user_id


def connections(visit: Visit) -> Response:
    """Show who is connected, profile by profile."""
    profiles = visit.api.get("profile_list")
    names = {name: options["displayName"] for name, options in profiles.items()}
    connected = visit.api.get("client_connections")
    return visit.show("connections", names=names, connected=connected)


def disconnect(visit: Visit) -> Response:
    """Disconnect a client; it may come back. Invented: the genuine page only shows."""
    visit.api.post("kill_client", {"common_name": visit.common_name()})
    return visit.go_to("connections")


def users(visit: Visit) -> Response:
    """Show all users."""
    return visit.show("users", users=visit.api.get("user_list"))


def user(visit: Visit) -> Response:
    """Show one user, with what can be done."""
    if "user_id" not in visit.asked.args:
        raise HttpError(400, 'missing query parameter "user_id"')
    shown = user_id(visit.asked.args["user_id"])
    certificates = visit.api.get("client_certificate_list", {"user_id": shown})
    disabled = visit.api.get("is_disabled_user", {"user_id": shown})
    return visit.show("user", shown=shown, certificates=certificates, disabled=disabled)


def manage_user(visit: Visit) -> Response:
    """Disable or enable another user; who is disabled is disconnected."""
    managed = user_id(visit.field("user_id"))
    if managed == visit.user_id:
        raise HttpError(400, "cannot manage own account")
    action = visit.field("user_action")
    if action == "disableUser":
        connected = visit.api.get("client_connections", {"user_id": managed})
        visit.api.post("disable_user", {"user_id": managed})
        for clients in connected.values():
            for client in clients:
                visit.api.post("kill_client", {"common_name": client["common_name"]})
    elif action == "enableUser":
        visit.api.post("enable_user", {"user_id": managed})
    else:
        raise HttpError(400, 'unsupported "user_action"')
    return visit.go_to("users")
