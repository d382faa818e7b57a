"""``vpn-user-portal-issue``: a client profile on stdout, through the API, without a browser.

This command is invented: the genuine portal hands profiles out on its web page only. It makes
the same calls in the same order, with the portal's own secret, and refuses what the page refuses.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timedelta, timezone

from vpn_lib_common import php_config
from vpn_lib_common.api_client import ApiClient
from vpn_lib_common.command import CommandError, finish
from vpn_lib_common.installation import ROOT
from vpn_lib_common.profile import Profile
from vpn_user_portal.client_profile import client_profile

_API_TIMEOUT_S = 180.0  # the controller makes an RSA key; emulated processors take their time
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="vpn-user-portal-issue")
    parser.add_argument("--user", required=True, help="whose certificate it is")
    parser.add_argument("--profile", required=True, help="the profile's id")
    parser.add_argument("--name", required=True, help="what the user calls this client")
    arguments = parser.parse_args()
    return finish(lambda: _issue(arguments.user, arguments.profile, arguments.name))


def session_end(duration: str, now: datetime) -> datetime:
    """Return the end of a session of ``duration``: ISO 8601, days, hours and minutes."""
    match = _DURATION.fullmatch(duration)
    if match is None or not any(match.groups()):
        raise CommandError(f'sessionExpiry "{duration}" is not a duration such as P90D or PT8H')
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return now + timedelta(days=days, hours=hours, minutes=minutes)


def _issue(user_id: str, profile_id: str, name: str) -> None:
    config = php_config.read(ROOT / "etc/vpn-user-portal/config.php")
    api = ApiClient.from_config(config, timeout=_API_TIMEOUT_S)
    now = datetime.now(timezone.utc)
    end = session_end(config.get("sessionExpiry", "P90D"), now).isoformat(timespec="seconds")
    api.post(
        "user_update_session_info",
        {"user_id": user_id, "session_expires_at": end, "permission_list": "[]"},
    )
    listed = dict(api.get("profile_list"))
    if profile_id not in listed or listed[profile_id].get("hideProfile"):
        raise CommandError("no permission to download a configuration for this profile")
    profile = Profile(profile_id, listed[profile_id])
    client = api.post(
        "add_client_certificate", {"user_id": user_id, "display_name": name, "expires_at": end}
    )
    server = api.get("server_info", {"profile_id": profile_id})
    sys.stdout.write(client_profile(profile, server, client))
