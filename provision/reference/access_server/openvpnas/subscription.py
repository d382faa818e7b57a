"""The licence: a subscription activation key, kept in the configuration.

As configuration it goes to the standby with every sync, and so migrates at a takeover. No
licence server is asked: any key of a sensible shape is good, for 10 connections or for the
number in a key of the form `LAB-<connections>-...`.
"""

from __future__ import annotations

import json
import re
import time

from openvpnas.config import Config
from openvpnas.errors import InvalidValue

BUNDLE = "subscription.bundle"
SAVED_STATE = "subscription.saved_state"
FALLBACK_CONNECTIONS = 2
USUAL_CONNECTIONS = 10


def load(config: Config, activation_key: str) -> None:
    """Activate a subscription on this node; InvalidValue for what cannot be a key."""
    if re.fullmatch(r"[A-Za-z0-9._+/=:-]{8,4096}", activation_key) is None:
        raise InvalidValue("activation key", "(hidden)", "8 or more letters, digits or ._+/=:-")
    counted = re.match(r"LAB-(\d{1,6})-", activation_key)
    limit = int(counted.group(1)) if counted else USUAL_CONNECTIONS
    state = {"max_cc": limit, "last_successful_update": int(time.time())}
    config.put({BUNDLE: activation_key, SAVED_STATE: json.dumps(state)})


def status(config: Config) -> dict[str, object]:
    """Give what SubscriptionStatus shows, with the names of the genuine product."""
    values = config.all()
    kept = json.loads(values.get(SAVED_STATE, "{}"))
    active = BUNDLE in values
    updated = kept.get("last_successful_update")
    return {
        "agent_disabled": not active,
        "cc_limit": kept.get("max_cc", FALLBACK_CONNECTIONS),
        "current_cc": 0,
        "error": None,
        "fallback_cc": FALLBACK_CONNECTIONS,
        "grace_period": None,
        "last_successful_update": updated,
        "last_successful_update_age": None if updated is None else int(time.time()) - updated,
        "max_cc": kept.get("max_cc", FALLBACK_CONNECTIONS),
        "name": values.get(BUNDLE, ""),
        "next_update": None,
        "next_update_in": None,
        "notes": [],
        "overdraft": False,
        "server": None,
        "state": "SUBSCRIPTION_OK" if active else "NO_SUBSCRIPTION",
        "type": "subscription" if active else "fallback",
        "updates_failed": 0,
    }
