"""What sacli can do: one function an action, each gives the text to print.

What needs the cryptography package imports it inside, because most actions don't and must be
quick on slow machines.
"""

from __future__ import annotations

import json
import os
import pprint
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openvpnas import rendering, status, subscription
from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.errors import AccessServerError, NotInitialised
from openvpnas.paths import Paths
from openvpnas.users import AUTOLOGIN_SUFFIX, Users, check_name

DONE = "[True, {}]"


@dataclass(frozen=True)
class Request:
    """The options given on the command line."""

    paths: Paths
    key: str = ""
    value: str | None = None
    user: str = ""
    new_pass: str | None = None

    def needed(self, name: str) -> str:
        """Give an option's value, or refuse its absence."""
        found = getattr(self, name)
        if not found and not (name == "value" and found == ""):
            raise AccessServerError(f"--{name} is needed for this action")
        return str(found)

    @property
    def config(self) -> Config:
        """The live configuration; NotInitialised where there is none."""
        config = Config.at(self.paths)
        if not config.database.exists:
            raise NotInitialised(
                "this node has no configuration of its own: it is a standby that never took "
                "over, or ovpn-init was not run"
            )
        return config

    @property
    def users(self) -> Users:
        """The live users."""
        _ = self.config
        return Users.at(self.paths)

    @property
    def store(self) -> CertificateStore:
        """The live certificates."""
        _ = self.config
        return CertificateStore.at(self.paths)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True)


def config_put(request: Request) -> str:
    """Set a key; most keys need `sacli start`, ucarp and failover keys a service restart."""
    request.config.put({request.needed("key"): request.needed("value")})
    return DONE


def config_query(request: Request) -> str:
    """Print all keys, or with --key that one."""
    values = request.config.all()
    if request.key:
        values = {key: value for key, value in values.items() if key == request.key}
    return _json(values)


def config_del(request: Request) -> str:
    """Forget a key: its default holds again."""
    request.config.delete(request.needed("key"))
    return DONE


def user_prop_put(request: Request) -> str:
    """Set a user's property."""
    request.users.put(request.needed("user"), request.needed("key"), request.needed("value"))
    rendering.render_refusals(request.paths)
    return DONE


def user_prop_get(request: Request) -> str:
    """Print the properties of all users, or of one; digests of passwords are left out."""
    return _json(
        {
            user: {key: value for key, value in kept.items() if not key.startswith("pvt_")}
            for user, kept in request.users.properties(request.user).items()
        }
    )


def user_prop_del(request: Request) -> str:
    """Remove one property of a user."""
    request.users.delete(request.needed("user"), request.needed("key"))
    rendering.render_refusals(request.paths)
    return DONE


def user_prop_del_all(request: Request) -> str:
    """Remove a user."""
    if not request.users.delete_all(request.needed("user")):
        raise AccessServerError(f"there is no user {request.user!r}")
    rendering.render_refusals(request.paths)
    return DONE


def set_local_password(request: Request) -> str:
    """Set a user's password: --new_pass, or --value_file so that no process list shows it."""
    word = request.new_pass if request.new_pass is not None else request.needed("value")
    request.users.set_password(request.needed("user"), word)
    return DONE


def add_one_time_passwords(request: Request) -> str:
    """Add one-time passwords to a user: --value or --value_file, separated by white space."""
    words = request.needed("value").split()
    unused = request.users.add_one_time_passwords(request.needed("user"), words)
    return _json({"user": request.user, "unused": unused})


def one_time_passwords(request: Request) -> str:
    """Print how many one-time passwords a user has left."""
    unused = request.users.unused_one_time_passwords(request.needed("user"))
    return _json({"user": request.user, "unused": unused})


def get_userlogin(request: Request) -> str:
    """Print a user-locked profile."""
    from openvpnas import profiles

    return profiles.user_login(request.needed("user"), request.config, request.users, request.store)


def get_autologin(request: Request) -> str:
    """Print an auto-login profile."""
    from openvpnas import profiles

    return profiles.auto_login(request.needed("user"), request.config, request.users, request.store)


def revoke_user(request: Request) -> str:
    """Revoke every certificate of a user; it holds for the next connect."""
    from openvpnas import certificates

    user = check_name(request.needed("user"))
    count = sum(
        certificates.revoke(request.store, name) for name in (user, user + AUTOLOGIN_SUFFIX)
    )
    if not count:
        raise AccessServerError(f"user {user!r} has no certificate to revoke")
    rendering.render_refusals(request.paths)
    return DONE


def load_subscription(request: Request) -> str:
    """Activate a subscription."""
    subscription.load(request.config, request.needed("value"))
    return DONE


def subscription_status(request: Request) -> str:
    """Print the subscription as a Python dict, which the genuine product does too."""
    return pprint.pformat(subscription.status(request.config))


def print_status(request: Request) -> str:
    """Print which services run."""
    return _json(status.status(request.paths))


def start(request: Request) -> str:
    """Restart what is being served, with the configuration as it is now (warm)."""
    from openvpnas import certificates

    values = request.config.all()
    hosts = [values.get("host.name", ""), values.get("failover.vip", "")]
    hosts += [values.get(f"failover.{name}.host", "") for name in ("primary", "secondary")]
    certificates.ensure_web_certificate(request.store, tuple(hosts))
    pid = status.service_state(request.paths).get("pid")
    restarted: list[str] = []
    if isinstance(pid, int):
        os.kill(pid, signal.SIGHUP)
        restarted = ["openvpn_0", "openvpn_1", "web"]
    return f"RunStart warm None\n{print_status(request)}\nWILL_RESTART {restarted}"


def failover_status(request: Request) -> str:
    """Print role, state, and both ends of the sync."""
    return _json(status.failover_status(request.paths))


def failover_sync(request: Request) -> str:
    """Send a snapshot to the partner now."""
    from openvpnas import sync
    from openvpnas.addresses import local_addresses
    from openvpnas.pair import Pair, partner_of
    from openvpnas.place import own_place
    from openvpnas.shell import LocalShell

    pair = Pair.of(request.config.all())
    if pair is None:
        raise AccessServerError("this node has no partner: failover.mode is none")
    name, _ = own_place(pair, local_addresses(LocalShell()))
    manifest = sync.send(request.paths, pair.node(partner_of(name)), LocalShell())
    return _json({"id": manifest.id, "term": manifest.term, "serial": manifest.serial})


def failover_validate(request: Request) -> str:
    """Validate the pair that --value or --value_file describes (JSON, as the web page sends)."""
    from openvpnas import commit
    from openvpnas.shell import LocalShell

    return _json(commit.check(request.paths, _pair_request(request), LocalShell()).to_json())


def failover_commit(request: Request) -> str:
    """Commit that pair and restart the service."""
    from openvpnas import commit
    from openvpnas.shell import LocalShell

    shell = LocalShell()

    def restart() -> None:
        if request.paths.is_machine:
            shell.run(commit.RESTART)

    return _json(commit.commit(request.paths, _pair_request(request), shell, restart).to_json())


def _pair_request(request: Request) -> Mapping[str, object]:
    _ = request.config
    try:
        found = json.loads(request.needed("value"))
    except (ValueError, RecursionError) as error:
        raise AccessServerError(f"--value is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise AccessServerError("--value is not a JSON object")
    return found


ACTIONS: Mapping[str, Callable[[Request], str]] = {
    "ConfigPut": config_put,
    "ConfigQuery": config_query,
    "ConfigDel": config_del,
    "UserPropPut": user_prop_put,
    "UserPropGet": user_prop_get,
    "UserPropDel": user_prop_del,
    "UserPropDelAll": user_prop_del_all,
    "SetLocalPassword": set_local_password,
    "AddOneTimePasswords": add_one_time_passwords,
    "OneTimePasswords": one_time_passwords,
    "GetUserlogin": get_userlogin,
    "GetAutologin": get_autologin,
    "RevokeUser": revoke_user,
    "LoadSubscription": load_subscription,
    "SubscriptionStatus": subscription_status,
    "status": print_status,
    "start": start,
    "FailoverStatus": failover_status,
    "FailoverSync": failover_sync,
    "FailoverValidate": failover_validate,
    "FailoverCommit": failover_commit,
}

READS = {
    "ConfigQuery",
    "UserPropGet",
    "OneTimePasswords",
    "SubscriptionStatus",
    "status",
    "FailoverStatus",
}


def perform(action: str, request: Request) -> str:
    """Do one action; a standby refuses every change, for it would be lost at its takeover."""
    if action not in READS and status.service_state(request.paths).get("state") == "BACKUP":
        raise AccessServerError(
            "this node is the standby: what is changed here would be lost; use the active node"
        )
    return ACTIONS[action](request)
