"""MN-04, MN-05: the controller's profiles. MN-06: PHP files that parse.

Events read:
    controller.config   `config`: /etc/vpn-server-api/config.php read through PHP, without its
                        secrets; `merged`: whether /var/lib/vpn-server-api/ta.key exists, that is
                        whether the section "Load Balancing" has been applied
    php.lint            of each machine: `files`, a list of {path, status, output} of `php -l`
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from checks.engine.registry import check
from checks.engine.verdict import Findings, Verdict
from checks.multi_node.guide import MERGED_PROFILES, NODES, PROFILES
from evidence.errors import Imprecise
from evidence.scenario import Evidence

CONFIG = "/etc/vpn-server-api/config.php"
# sections "Controller" and "Nodes": the PHP files a person edits
EDITED: Mapping[str, tuple[str, ...]] = {
    "controller": (CONFIG,),
    **dict.fromkeys(
        NODES, ("/etc/vpn-server-node/config.php", "/etc/vpn-server-node/firewall.php")
    ),
}


def _profiles(config: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    profiles = config.get("vpnProfiles")
    if not isinstance(profiles, dict):
        raise Imprecise(f"{CONFIG} was recorded without a map of vpnProfiles")
    return profiles


@check("MN-04")
def profiles_as_printed(evidence: Evidence) -> Verdict:
    """Both profiles have every value of the guide's table; the daemon is used; nothing else is."""
    findings = Findings()
    event = evidence.last("controller.config", "controller")
    findings.saw(event.place)
    table = MERGED_PROFILES if event["merged"] else PROFILES
    profiles = _profiles(event["config"])
    daemon = event["config"].get("useVpnDaemon")
    findings.require(daemon is True, f"useVpnDaemon is {daemon!r}, not true")
    for name in profiles.keys() - table.keys():
        findings.require(False, f"there is a profile {name!r} that the guide does not have")
    for name, options in table.items():
        if not findings.require(name in profiles, f"there is no profile {name!r}"):
            continue
        for option, wanted in options.items():
            got = profiles[name].get(option)
            findings.require(
                got == wanted and type(got) is type(wanted),
                f"{name}: {option} is {got!r}, not {wanted!r}",
            )
    stage = "merged" if event["merged"] else "separate"
    return findings.verdict(f"{len(table)} {stage} profiles have every value of the guide's table")


@check("MN-05")
def profiles_apart(evidence: Evidence) -> Verdict:
    """No two profiles share a number, or an address of their ranges."""
    findings = Findings()
    event = evidence.last("controller.config", "controller")
    findings.saw(event.place)
    profiles = _profiles(event["config"])
    if len(profiles) < 2:
        raise Imprecise(f"{len(profiles)} profile: nothing to tell apart")
    for (one, first), (two, second) in combinations(profiles.items(), 2):
        number = first.get("profileNumber")
        findings.require(
            number != second.get("profileNumber"),
            f"{one} and {two} both have the profileNumber {number!r}",
        )
        for option in ("range", "range6"):
            findings.require(
                not _overlap(first[option], second[option]),
                f"{one} and {two}: the {option} {first[option]} overlaps {second[option]}",
            )
    return findings.verdict(f"{len(profiles)} profiles with numbers and ranges of their own")


def _overlap(one: str, two: str) -> bool:
    first, second = ipaddress.ip_network(one), ipaddress.ip_network(two)
    return first.version == second.version and first.overlaps(second)


@check("MN-06")
def php_parses(evidence: Evidence) -> Verdict:
    """`php -l` accepts each PHP file that the guide has a person edit."""
    findings = Findings()
    linted = 0
    for machine, paths in EDITED.items():
        event = evidence.last("php.lint", machine)
        findings.saw(event.place)
        files = {file["path"]: file for file in event["files"]}
        for path in paths:
            if path not in files:
                findings.gap(f"{machine}: {path} was not given to php -l")
        for path, file in files.items():
            linted += 1
            findings.require(
                file["status"] == 0, f"{machine}: php -l rejects {path}: {file['output'].strip()}"
            )
    return findings.verdict(f"php -l accepts all {linted} files")
