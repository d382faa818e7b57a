"""Commit and Restart: keep the pair's configuration, hand it to the standby, restart.

Refused unless Validate is good, and then nothing has been changed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from openvpnas import certificates, sync
from openvpnas.addresses import local_addresses
from openvpnas.certificate_store import CertificateStore
from openvpnas.config import Config
from openvpnas.errors import AccessServerError
from openvpnas.pair import Pair, pair_keys, partner_of
from openvpnas.paths import Paths
from openvpnas.place import own_place
from openvpnas.shell import Shell
from openvpnas.validation import Report, validate

RESTART = ("systemctl", "--no-block", "restart", "openvpnas.service")


class NotGood(AccessServerError):
    """Validate has found something; `report` says what."""

    def __init__(self, report: Report) -> None:
        wrong = [f"{row.name}: {row.detail}" for row in report.rows if row.status != "GOOD"]
        super().__init__("not committed: " + "; ".join([*report.problems, *wrong]))
        self.report = report


def requested_pair(paths: Paths, request: Mapping[str, object]) -> tuple[dict[str, str], Pair]:
    """Give the keys that a request would set, and the pair that they make; InvalidValue."""
    kept = Config.at(paths).all()
    found = pair_keys(request)
    pair = Pair.of({**kept, **found})
    if pair is None:
        raise AccessServerError('failover is switched off in this request ("mode": "none")')
    return found, pair


def check(paths: Paths, request: Mapping[str, object], shell: Shell) -> Report:
    """Validate a request; changes nothing."""
    _, pair = requested_pair(paths, request)
    return validate(pair, shell, CertificateStore.at(paths).pair_id())


def commit(
    paths: Paths, request: Mapping[str, object], shell: Shell, restart: Callable[[], None]
) -> Report:
    """Make this node one of a pair; NotGood, InvalidValue or SyncFailed if it cannot be.

    The partner gets the configuration into its staging area; its service must be restarted by
    hand to read it, as the guide says.
    """
    found, pair = requested_pair(paths, request)
    report = validate(pair, shell, CertificateStore.at(paths).pair_id())
    if not report.good:
        raise NotGood(report)
    config = Config.at(paths)
    if not pair.password and not config.get("ucarp.password"):
        found["ucarp.password"] = secrets.token_hex(8)
    own_name, _ = own_place(pair, local_addresses(shell))
    partner = pair.node(partner_of(own_name))
    before = config.all()
    config.put(found)
    hosts = (config.get("host.name"), pair.virtual_ip, pair.primary.host, pair.secondary.host)
    certificates.ensure_web_certificate(CertificateStore.at(paths), hosts)
    try:
        sync.send(paths, partner, shell)
    except sync.SyncFailed:
        _take_back(config, before, found)
        raise
    restart()
    return report


def _take_back(config: Config, before: Mapping[str, str], found: Mapping[str, str]) -> None:
    config.put({key: before[key] for key in found if key in before})
    for key in found:
        if key not in before:
            config.delete(key)
