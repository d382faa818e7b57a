"""Handing out a configuration: which profiles a user may have, and the calls that make one.

The page and the command do the same, in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta

from vpn_lib_common.api_client import ApiClient
from vpn_lib_common.command import CommandError
from vpn_lib_common.profile import Profile
from vpn_user_portal.client_profile import client_profile

# The controller makes an RSA key; emulated processors take their time.
API_TIMEOUT_S = 180.0
NOT_PERMITTED = "no permission to download a configuration for this profile"

_DURATION = re.compile(
    r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?"
    r"(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)


def session_end(duration: object, now: datetime) -> datetime:
    """Return the end of a session of ``duration``: ISO 8601, as PHP's DateInterval has it.

    A month is counted on the calendar: one after 31 January is 3 March, or the 2nd in a leap year.
    """
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None:
        raise CommandError(f'sessionExpiry "{duration}" is not a duration such as P90D or PT8H')
    years, months, weeks, days, hours, minutes, seconds = (int(one or 0) for one in match.groups())
    try:
        year, month = divmod(now.year * 12 + now.month - 1 + years * 12 + months, 12)
        begin = now.replace(year=year, month=month + 1, day=1)
        more = timedelta(weeks=weeks, days=now.day - 1 + days, hours=hours, minutes=minutes)
        return begin + more + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise CommandError(f'sessionExpiry "{duration}" ends after the last year') from None


def visible_profiles(api: ApiClient, permissions: Collection[str] = ()) -> dict[str, Profile]:
    """Return the profiles a user with these permissions sees, by id."""
    listed = {
        name: Profile(name, options) for name, options in dict(api.get("profile_list")).items()
    }
    return {
        name: profile
        for name, profile in listed.items()
        if not profile["hideProfile"]
        and (not profile["enableAcl"] or set(profile["aclPermissionList"]) & set(permissions))
    }


def configuration(
    api: ApiClient, user_id: str, profile: Profile, display_name: str, expires_at: str
) -> str:
    """Let a certificate be made; return the client profile with it."""
    client = api.post(
        "add_client_certificate",
        {"user_id": user_id, "display_name": display_name, "expires_at": expires_at},
    )
    server = api.get("server_info", {"profile_id": profile.profile_id})
    return client_profile(profile, server, client)
