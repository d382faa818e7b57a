"""Mutants of what is synced, and of who is let in again: FO-32 to FO-40, FO-46, FO-49."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from evidence.events.sync import SyncCompleted
from evidence.moment import Moment
from lab.probe import Probe
from provision.failover import users
from provision.failover.access_server import TCP_PORT, UDP_PORT, WEB_PORT
from scenarios.failover import test_logs_and_sync, test_sessions
from scenarios.failover.faults import Fault
from scenarios.failover.observe import STAGED
from scenarios.failover.pair import Pair
from scenarios.failover.takeover import provoke, restore
from scenarios.mutants.access_server import NODES, Patched, with_options
from scenarios.mutants.failover_setup import one_way_key
from scenarios.mutants.mutant import Broken, Mutant

_SYNCS, _SESSIONS = "test_logs_and_sync.py::", "test_sessions.py::"
_OUTSIDE = f"{_SESSIONS}test_clients_outside_are_back_within_a_minute_and_show_no_password"
_OF_CLIENTS = ("FO-36", "FO-38", "FO-39", "FO-49")
_SECONDARY = ("secondary",)

_PUT = "    Shelf(paths.staging).put(incoming, manifest.id)\n    return manifest"
_FIRST_ONLY = (
    "    if not Shelf(paths.staging).complete.exists():\n"
    "        Shelf(paths.staging).put(incoming, manifest.id)\n"
    "    return manifest"
)


_OLD = "/root/old-snapshot"
_LOADS_OLD = Patched(
    _SECONDARY, "snapshot.py",
    "        place = Shelf(paths.staging).complete.resolve()", f'        place = Path("{_OLD}")',
)  # fmt: skip


def loads_an_old_snapshot(broken: Broken) -> None:
    """Let the secondary load what it has staged now, whatever is sent to it later."""
    broken.pair.sacli(broken.pair.active(), "FailoverSync", timeout=120)
    broken.lab["secondary"].run(f"cp -rL {STAGED} {_OLD}")
    _LOADS_OLD(broken)


def key_taken_after_the_takeover(broken: Broken) -> None:
    """Let the primary's root know the secondary's key no more, once it stands by.

    Not before: without its keys a pair is never set up, and a standby that lacks something is
    sent it first.
    """
    genuine = test_logs_and_sync.follow_a_change

    def follow(pair: Pair, active: str) -> None:
        one_way_key(broken)
        genuine(pair, active)

    broken.stand_in(test_logs_and_sync, "follow_a_change", follow)


def certificate_revoked(broken: Broken) -> None:
    """Revoke the certificate for automatic login once its client is in, and sync that.

    It holds for the next connect: that to the node which takes over.
    """

    def revoked(
        pair: Pair, fault: Fault, probe: Probe, watch: Callable[[str, Moment], None]
    ) -> str:
        active = pair.active()
        pair.sacli(active, "--user", users.AUTOLOGIN_USER, "RevokeUser")
        pair.sacli(active, "FailoverSync", timeout=120)
        return provoke(pair, fault, probe, watch)

    broken.stand_in(test_sessions, "provoke", revoked)


def accepts_one(node: str) -> Patched:
    """Let a node accept the first snapshot that it gets, and lay the others aside."""
    return Patched((node,), "snapshot.py", _PUT, _FIRST_ONLY)


def _others(requirement: str) -> tuple[str, ...]:
    return tuple(one for one in _OF_CLIENTS if one != requirement)


def other_authority(broken: Broken) -> None:
    """Let the secondary's OpenVPN trust an authority of its own."""
    broken.lab["secondary"].run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
        "-subj /CN=other -keyout /root/other.key -out /root/other.pem 2>/dev/null"
    )
    with_options(_SECONDARY, "openvpn", "--ca /root/other.pem")(broken)


def other_token_secret(broken: Broken) -> None:
    """Let the secondary's OpenVPN make and take tokens by another secret."""
    broken.lab["secondary"].run("openvpn --genkey auth-token /root/other.token")
    with_options(_SECONDARY, "openvpn", "--auth-gen-token-secret /root/other.token")(broken)


def tokens_live_for_ever(broken: Broken) -> None:
    """Let tokens have no end once the lab was rewound, which undoes what was done before."""
    for_ever = with_options(NODES, "openvpn", "--auth-gen-token 0")

    def restored(pair: Pair, fault: Fault, victim: str) -> None:
        restore(pair, fault, victim)
        replace(for_ever, restarts=False)(broken)  # the scenario restarts both

    broken.stand_in(test_sessions, "restore", restored)


def once_synced_never_again(broken: Broken) -> None:
    """Let the standby lay every snapshot aside that comes after the first recorded one."""
    standby = broken.standby
    broken.after(SyncCompleted, lambda: accepts_one(standby)(broken))


def forwarded_to_the_primary(broken: Broken) -> None:
    """Let the gateway forward to the primary's own address."""
    to = broken.pair.address("primary")
    ports = (("tcp", TCP_PORT), ("tcp", WEB_PORT), ("udp", UDP_PORT))
    for protocol, port in ports:
        rule = f"-I PREROUTING -p {protocol} --dport {port} -j DNAT --to-destination {to}"
        broken.lab["gateway"].run(f"iptables -t nat {rule}")


MUTANTS = (
    Mutant(
        "FO-32", f"{_SYNCS}test_changes_are_staged_on_the_standby_and_not_loaded", "secondary",
        "what is staged is loaded live", ("loaded live on the standby",),
        Patched(
            _SECONDARY, "snapshot.py", _PUT,
            "    shutil.copytree(incoming, paths.databases, dirs_exist_ok=True)\n" + _PUT,
        ),
    ),
    Mutant(
        "FO-33", f"{_SYNCS}test_the_new_active_node_runs_what_was_staged", "secondary",
        "it loads an old snapshot",
        ("revocations: what runs on secondary is not what was staged",), loads_an_old_snapshot,
    ),
    Mutant(
        "FO-33", f"{_SYNCS}test_the_new_active_node_runs_what_was_staged", "secondary",
        "a user is added to what it loads",
        ("users: what runs on secondary is not what was staged",),
        Patched(
            _SECONDARY, "snapshot.py",
            "    fresh.rename(paths.databases)\n    sync(paths.etc)\n    shutil",
            "    fresh.rename(paths.databases)\n    sync(paths.etc)\n"
            '    Users.at(paths).put("nobody", "prop_autologin", "true")\n    shutil',
        ),
        more="added",
    ),
    Mutant(
        "FO-34", f"{_SYNCS}test_after_a_takeover_changes_go_the_other_way", "primary",
        "the secondary's key is taken away after the takeover", ("did not reach primary",),
        key_taken_after_the_takeover,
    ),
    Mutant(
        "FO-35", f"{_SESSIONS}test_a_profile_of_one_node_works_on_the_other_as_it_is",
        "secondary", "it trusts an authority of its own",
        ("carol's profile of primary fails on secondary",), other_authority,
    ),
    Mutant(
        "FO-36", _OUTSIDE, "secondary", "tokens have another secret",
        ("alice-udp was not connected again",), other_token_secret, _others("FO-36"),
    ),
    Mutant(
        "FO-37", f"{_SESSIONS}test_a_token_is_refused_when_it_should_be", "both nodes",
        "tokens live for ever", ("was accepted although lifetime-over",),
        tokens_live_for_ever,
    ),
    Mutant(
        "FO-38", _OUTSIDE, "primary", "the certificate for automatic login is revoked",
        ("robot-udp was not connected again",), certificate_revoked, ("FO-39", "FO-49"),
    ),
    Mutant(
        "FO-39", _OUTSIDE, "primary", "clients wait for 300 s",
        ("-udp carrying traffic again", "budget 0.00 to 75.00 s"),
        with_options(("primary",), "openvpn", '--push "ping-restart 300"'), _others("FO-39"),
    ),
    Mutant(
        "FO-40", f"{_SESSIONS}test_the_subscription_goes_with_the_role", "primary",
        "the licence is left out of the sync", ("shows key",),
        Patched(
            ("primary",), "snapshot.py", "    if paths.sessions.exists():\n        shutil.copyfile",
            "    import sqlite3\n\n"
            '    with sqlite3.connect(draft / "config.db") as left:\n'
            "        left.execute(\"DELETE FROM config WHERE key LIKE 'subscription.%'\")\n"
            "    if paths.sessions.exists():\n        shutil.copyfile",
        ),
    ),
    Mutant(
        "FO-46", "test_survival.py::test_what_the_last_sync_held_survives_and_the_rest_is_counted",
        "secondary", "it accepts one snapshot only", ("no sync for",), once_synced_never_again,
    ),
    Mutant(
        "FO-49", _OUTSIDE, "gateway", "it forwards to the primary's own address",
        ("-udp carrying traffic again never came",),
        forwarded_to_the_primary, _others("FO-49"),
    ),
)  # fmt: skip
