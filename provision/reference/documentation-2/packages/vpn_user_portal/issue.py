"""``vpn-user-portal-issue``: a client profile on stdout, through the API, without a browser.

This command is invented: the genuine portal hands profiles out on its web page only. It makes
the same calls in the same order, with the portal's own secret, and refuses what the page refuses.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone

from vpn_lib_common import php_config
from vpn_lib_common.api_client import ApiClient
from vpn_lib_common.command import CommandError, finish
from vpn_lib_common.installation import ROOT
from vpn_user_portal.download import (
    API_TIMEOUT_S,
    NOT_PERMITTED,
    configuration,
    session_end,
    visible_profiles,
)


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="vpn-user-portal-issue")
    parser.add_argument("--user", required=True, help="whose certificate it is")
    parser.add_argument("--profile", required=True, help="the profile's id")
    parser.add_argument("--name", required=True, help="what the user calls this client")
    arguments = parser.parse_args()
    return finish(lambda: _issue(arguments.user, arguments.profile, arguments.name))


def _issue(user_id: str, profile_id: str, name: str) -> None:
    config = php_config.read(ROOT / "etc/vpn-user-portal/config.php")
    api = ApiClient.from_config(config, timeout=API_TIMEOUT_S)
    now = datetime.now(timezone.utc)
    end = session_end(config.get("sessionExpiry", "P90D"), now).isoformat(timespec="seconds")
    api.post(
        "user_update_session_info",
        {"user_id": user_id, "session_expires_at": end, "permission_list": "[]"},
    )
    profile = visible_profiles(api).get(profile_id)
    if profile is None:
        raise CommandError(NOT_PERMITTED)
    sys.stdout.write(configuration(api, user_id, profile, name, end))
