"""Pages of every user: home, and configurations to download and to delete."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from flask import Response

from vpn_user_portal.download import NOT_PERMITTED, configuration, session_end, visible_profiles
from vpn_user_portal.visit import HttpError, Visit

_OTHER = re.compile(r"[^A-Za-z0-9._-]")  # what is not safe in the name of a file


def start(visit: Visit) -> Response:
    """Lead to the home page."""
    return visit.go_to("home")


def home(visit: Visit) -> Response:
    """Welcome the user."""
    return visit.show("home")


def configurations(visit: Visit) -> Response:
    """Show the form to download one, and what was downloaded before."""
    profiles = visible_profiles(visit.api)
    certificates = visit.api.get("client_certificate_list", {"user_id": visit.user_id})
    if "all" not in visit.asked.args:  # those of apps are not shown unless asked for
        certificates = [one for one in certificates if one["client_id"] is None]
    expiry = session_end(visit.config.get("sessionExpiry", "P90D"), datetime.now(timezone.utc))
    return visit.show(
        "configurations", profiles=profiles, certificates=certificates, expiry=f"{expiry:%Y-%m-%d}"
    )


def download(visit: Visit) -> Response:
    """Make a configuration and hand it out."""
    name, profile_id = visit.display_name(), visit.profile_id()
    profile = visible_profiles(visit.api).get(profile_id)
    if profile is None:
        raise HttpError(400, NOT_PERMITTED)
    expires_at = visit.api.get("user_session_expires_at", {"user_id": visit.user_id})
    text = configuration(visit.api, visit.user_id, profile, name, expires_at)
    day = datetime.now(timezone.utc).strftime("%Y%m%d")
    file = f"{visit.place.server_name}_{profile_id}_{day}_{name}"
    return Response(
        text,
        200,
        {"Content-Disposition": f'attachment; filename="{_OTHER.sub("_", file)}.ovpn"'},
        content_type="application/x-openvpn-profile",
    )


def delete_certificate(visit: Visit) -> Response:
    """Delete one of the user's own certificates, and disconnect who uses it."""
    common_name = visit.common_name()
    owned = visit.api.get("client_certificate_list", {"user_id": visit.user_id})
    if common_name not in [one["common_name"] for one in owned]:
        raise HttpError(400, "this certificate is not yours")
    visit.api.post("delete_client_certificate", {"common_name": common_name})
    visit.api.post("kill_client", {"common_name": common_name})
    return visit.go_to("configurations")
