"""MN-04, MN-05: the controller's profiles. MN-06: PHP files that parse.

A file may be looked at more than once: what is shown must be right every time.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from itertools import combinations

from pydantic import JsonValue

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment
from checks.multi_node.guide import INSTALLED
from evidence.events.multi_node import ControllerConfig, PhpLinted
from evidence.scenario import Evidence

Options = Mapping[str, JsonValue]

CONFIG = "/etc/vpn-server-api/config.php"
NODE_FILES = "/etc/vpn-server-node/config.php", "/etc/vpn-server-node/firewall.php"


def edited(site: Deployment) -> Mapping[str, tuple[str, ...]]:
    """Return by machine the PHP files that a person edits: sections "Controller" and "Nodes"."""
    return {site.controller.name: (CONFIG,), **dict.fromkeys(site.nodes, NODE_FILES)}


@check("MN-04")
def profiles_as_printed(evidence: Evidence, owed: Obligations) -> None:
    """Each profile has every value of the guide's table; the daemon is used; nothing else is."""
    site = deployment(evidence, owed)
    for event in evidence.need(ControllerConfig, site.controller.name):
        table = site.profiles(merged=event.merged)
        daemon = event.use_vpn_daemon
        owed.require(
            daemon is True,
            "useVpnDaemon is on",
            f"useVpnDaemon is {daemon!r}, not true",
            event.place,
        )
        one = owed.owe("there are no profiles but the guide's")
        one.met(event.place)
        for name in sorted(event.profiles.keys() - table.keys()):
            one.broken(f"there is a profile {name!r} that the guide does not have")
        for name, options in table.items():
            stage = "merged" if event.merged else "separate"
            one = owed.owe(f"{name} has every value of the guide's table ({stage})")
            if one.settle(name in event.profiles, f"there is no profile {name!r}", event.place):
                _judge_options(name, event.profiles[name], options, one)


def _judge_options(name: str, got: Options, wanted: Options, one: Obligation) -> None:
    for option in sorted(wanted.keys() | got.keys()):
        value = got.get(option)
        if option in wanted:
            if value != wanted[option] or type(value) is not type(wanted[option]):
                one.broken(f"{name}: {option} is {value!r}, not {wanted[option]!r}")
        elif option not in INSTALLED:
            one.broken(f"{name}: {option} is set, to {value!r}: the guide does not have it")
        elif INSTALLED[option] and value not in INSTALLED[option]:
            one.broken(f"{name}: {option} is {value!r}, which the guide does not say")


@check("MN-05")
def profiles_apart(evidence: Evidence, owed: Obligations) -> None:
    """No two profiles share a number, or an address of their ranges."""
    site = deployment(evidence, owed)
    for event in evidence.need(ControllerConfig, site.controller.name):
        owed.at_least(len(site.nodes), event.profiles, "profiles", event.place)
        for (name, first), (other, second) in combinations(event.profiles.items(), 2):
            pair = f"{name} and {other}"
            one = owed.owe(f"{pair} have numbers of their own")
            numbers = [_number(options.get("profileNumber")) for options in (first, second)]
            one.met(event.place)
            if None in numbers:
                one.broken(f"{pair}: a profileNumber must be an integer")
            elif numbers[0] == numbers[1]:
                one.broken(f"{pair} both have the profileNumber {numbers[0]}")
            for option in ("range", "range6"):
                one = owed.owe(f"{pair} share no address of their {option}")
                one.met(event.place)
                _judge_ranges(f"{pair}: the {option}", first.get(option), second.get(option), one)


def _number(value: JsonValue) -> int | None:
    """Return what PHP makes of a number: '1' is 1, too."""
    try:
        return int(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def _judge_ranges(what: str, first: JsonValue, second: JsonValue, one: Obligation) -> None:
    try:
        one_range, other = (
            ipaddress.ip_network(str(text), strict=False) for text in (first, second)
        )
    except ValueError as error:
        one.broken(f"{what} is not a range of addresses: {error}")
        return
    if one_range.version == other.version and one_range.overlaps(other):
        one.broken(f"{what} {first} overlaps {second}")


@check("MN-06")
def php_parses(evidence: Evidence, owed: Obligations) -> None:
    """`php -l` accepts each PHP file that the guide has a person edit."""
    for machine, paths in edited(deployment(evidence, owed)).items():
        ones = {path: owed.owe(f"php -l accepts {path} of {machine}") for path in paths}
        for event in evidence.events(PhpLinted, machine):
            for file in event.files:
                if file.path not in ones:
                    ones[file.path] = owed.owe(f"php -l accepts {file.path} of {machine}")
                said = f"{machine}: php -l rejects {file.path}: {file.output.strip()}"
                ones[file.path].settle(file.status == 0, said, event.place)
