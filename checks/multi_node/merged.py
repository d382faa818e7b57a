"""MN-20: merged profiles look like one: those of the other nodes are hidden, and all have one name.

What is downloaded leads to that name, by each protocol and port of the profile, and nowhere else:
the lab's own clients are told where to go, so nothing else shows it.

And one TLS Crypt key is served to all: it stands in what a user downloads, in each node's own
files, and on the controller, told by its digest. From the first look that shows it so, it stays so;
what was offered and served before that was of profiles that were not merged yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from checks.engine.obligations import Obligation, Obligations
from checks.engine.registry import check
from checks.multi_node.deployment import Deployment, deployment, from_first, named
from checks.multi_node.guide import INSTALLED
from checks.multi_node.unanswered import settle_answer
from evidence.events.installed import TlsCryptKeysShown
from evidence.events.multi_node import ControllerConfig
from evidence.events.portal import ConfigurationAsked, ConfigurationsShown
from evidence.events.run import HostLate
from evidence.scenario import Evidence

Seen = TypeVar("Seen", ConfigurationAsked, ConfigurationsShown, TlsCryptKeysShown)

REFUSED = 400
"""vpn-user-portal 2.2.5: no permission to download a configuration for this profile."""


@check("MN-20")
def merged(evidence: Evidence, owed: Obligations) -> None:
    """Judge the controller's configuration, what the portal offers and serves, and the keys."""
    site = deployment(evidence, owed)
    shown, looks = _shown(site), evidence.need(ControllerConfig, site.controller.name)
    if len(shown) == len(site.nodes):
        owed.open("no profile was to be hidden: nothing was to be merged", looks[-1].place)
    for config in from_first(looks, lambda look: look.merged):
        _judge_config(config, site, owed)
    named_shown = named(shown) if shown else "nothing"
    one, late = owed.owe(f"the portal offers {named_shown} alone"), evidence.events(HostLate)
    since_ns = _since(looks)
    for event in _from(since_ns, evidence.events(ConfigurationsShown, site.client.name)):
        got = f"{event.status}, and {', '.join(event.offered) or 'nothing'}"
        good = (event.status, event.offered) == (200, shown)
        said = f"the portal offers {event.user} {got}, not {named_shown} alone"
        settle_answer(good, said, event, site, late, one)
    asked = _from(since_ns, evidence.events(ConfigurationAsked, site.client.name))
    _judge_asked(asked, site, late, owed)
    _judge_keys(evidence, site, asked, since_ns, owed)


def _since(looks: Sequence[ControllerConfig]) -> int:
    """Return since when profiles are known to be merged, if they were seen apart before."""
    if looks[0].merged:
        return 0
    return next((look.at_ns for look in looks if look.merged), looks[0].at_ns)


def _from(since_ns: int, events: Sequence[Seen]) -> list[Seen]:
    return [event for event in events if event.at_ns >= since_ns]


def _judge_config(config: ControllerConfig, site: Deployment, owed: Obligations) -> None:
    """Owe the shared key, and for each node the shared name, and that it is hidden or shown."""
    owed.require(
        config.merged, "there is a shared ta.key", "the controller has no ta.key", config.place
    )
    for node in site.nodes:
        options, hidden = config.profiles.get(node, {}), node not in _shown(site)
        host, hides = options.get("hostName"), options.get("hideProfile", False)
        said = f"{node}: hostName is {host!r}, not {site.shared_name}"
        owed.require(host == site.shared_name, f"{node} has the shared name", said, config.place)
        said = f"{node}: hideProfile is {hides!r}, not {hidden!r}"
        shows = "is hidden" if hidden else "is shown"
        owed.require(hides is hidden, f"{node} {shows}", said, config.place)


def _shown(site: Deployment) -> tuple[str, ...]:
    """Return the profiles that users are to see."""
    table = site.profiles(merged=True)
    return tuple(node for node in site.nodes if not table[node].get("hideProfile"))


def _judge_asked(
    asked: Sequence[ConfigurationAsked],
    site: Deployment,
    late: Sequence[HostLate],
    owed: Obligations,
) -> None:
    """Owe that the shown profile can be had, under the shared name, and the others cannot."""
    for node in site.nodes:
        is_shown = node in _shown(site)
        one = owed.owe(f"a configuration of {node} is {'' if is_shown else 'not '}to be had")
        for event in (event for event in asked if event.profile == node):
            if is_shown:
                hosts = ", ".join(event.hosts) or "nowhere"
                said = f"a configuration of {node} was answered {event.status}, and leads to"
                said += f" {hosts}, not to {site.shared_name}"
                good = event.status == 200 and event.hosts == (site.shared_name,)
            else:
                said = f"a configuration of {node}, which is hidden, was answered {event.status}"
                good = event.status == REFUSED
            settle_answer(good, said, event, site, late, one)
    for node in _shown(site):
        one = owed.owe(f"a configuration of {node} leads to where it serves, and nowhere else")
        for event in (event for event in asked if event.profile == node):
            _judge_remotes(event, site, late, one)


def _judge_remotes(
    event: ConfigurationAsked, site: Deployment, late: Sequence[HostLate], one: Obligation
) -> None:
    options = site.profiles(merged=True)[event.profile]
    ((listed,), (exposed,)) = INSTALLED["vpnProtoPorts"], INSTALLED["exposedVpnProtoPorts"]
    ports = options.get("exposedVpnProtoPorts", exposed) or options.get("vpnProtoPorts", listed)
    each = (port.split("/") for port in ports)
    wanted = sorted(f"{options['hostName']} {port} {protocol}" for protocol, port in each)
    if event.remotes is None:
        one.doubt(f"where a configuration of {event.profile} leads to was not kept", event.place)
        return
    leads = ", ".join(event.remotes) or "nowhere"
    said = f"a configuration of {event.profile} leads to {leads}, not to {', '.join(wanted)}"
    settle_answer(sorted(event.remotes) == wanted, said, event, site, late, one)


def _judge_keys(
    evidence: Evidence,
    site: Deployment,
    asked: Sequence[ConfigurationAsked],
    since_ns: int,
    owed: Obligations,
) -> None:
    """Owe that the controller's one key is the one that users and nodes are given."""
    looks = evidence.need(TlsCryptKeysShown, site.controller.name)
    one, served = owed.owe("the controller has one ta.key"), set[str]()
    for shown in from_first(looks, lambda look: bool(look.keys)):
        found = {key.digest for key in shown.keys} - {""}
        one.settle(len(found) == 1, f"the controller serves {len(found)} keys, not 1", shown.place)
        served |= found
    one = owed.owe("who downloads a configuration is given that key")
    for event in asked:
        if event.profile in _shown(site):
            said = f"the configuration of {event.profile} has another TLS Crypt key, or none"
            same = {event.key} == served
            settle_answer(same, said, event, site, evidence.events(HostLate), one)
    for node in site.nodes:
        one = owed.owe(f"{node} serves with that key")
        for look in _from(since_ns, evidence.events(TlsCryptKeysShown, node)):
            if not look.keys:
                one.doubt(f"{node} has no configuration of OpenVPN", look.place)
            for key in look.keys:
                said = f"{node}: {key.path} has another TLS Crypt key, or none"
                one.settle({key.digest} == served, said, look.place)
