"""What a tightened firewall must say, and what it has counted: for MN-28 and MN-29.

The guide's section "Firewall", rule by rule. Who is let in is the same whatever the order of the
rules that let somebody in; what comes after the refusal of all else does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from checks.engine.obligations import Obligation
from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import DAEMON_PORT, FAMILIES, PORT
from checks.protocols.iptables import Rule, Ruleset, read_ruleset
from evidence.events.access import FirewallShown

SSH = 22
REFUSAL = {4: "icmp-host-prohibited", 6: "icmp6-adm-prohibited"}
_ICMP = {4: ("icmp",), 6: ("ipv6-icmp", "icmpv6")}
_BITS = {4: 32, 6: 128}
_ANSWERS = {"--ctstate": "RELATED,ESTABLISHED"}
_NEW = {"--ctstate": "NEW,UNTRACKED"}

Service = tuple[str, int, str]
"""Protocol, port, and from where: "" is everywhere."""


@dataclass(frozen=True)
class Shown:
    """A node's firewall as it was shown, both families read."""

    event: FirewallShown
    by_family: Mapping[int, Ruleset]

    @classmethod
    def of(cls, event: FirewallShown) -> Shown:
        """Read an event; Imprecise for what no iptables prints."""
        texts = {4: event.ipv4, 6: event.ipv6}
        return cls(event, {family: read_ruleset(texts[family]) for family in FAMILIES})

    def goes_on_from(self, before: Shown, family: int) -> bool:
        """Whether what it has counted goes on from `before`: no reboot, no rule counts less.

        Who loads rules anew, as `apply_changes.sh` makes their service do, lets them count from 0.
        """
        earlier = dict(before.by_family[family].counted)
        counted = self.by_family[family].counted
        is_less = any(packets < earlier.get(rule, 0) for rule, packets in counted)
        return self.event.boot == before.event.boot and not is_less

    def refused(self, chain: str, family: int) -> int:
        """Return how many packets a chain of the filter has refused at its end."""
        rules = self.by_family[family].rules("filter", chain)
        return sum(rule.packets for rule in rules if _refuses_the_rest(rule, family))

    def let_in(self, service: Service, family: int) -> int:
        """Return how many packets were let in as the first of a connection to a service."""
        rules = self.by_family[family].rules("filter", "INPUT")
        return sum(rule.packets for rule in rules if _service(rule) == service)

    def hidden(self, family: int) -> int:
        """Return how many connections of clients have got the node's address."""
        rules = self.by_family[family].rules("nat", "POSTROUTING")
        return sum(rule.packets for rule in rules if rule.target == "SNAT")


def judge_counted(
    holds: bool, why: str, before: Shown, then: Shown, family: int, one: Obligation
) -> None:
    """Settle what counters show; where they were set back in between they show what is more."""
    places = before.event.place, then.event.place
    if holds:
        one.met(*places)
    elif then.goes_on_from(before, family):
        one.broken(why, *places)
    else:
        one.doubt(f"{why}, but they were set back in between", *places)


def services(site: Deployment, family: int) -> set[Service]:
    """Return what the guide lets in, and nothing else."""
    controller = f"{site.controller.address(family)}/{_BITS[family]}"
    return {
        ("tcp", SSH, ""),
        ("udp", PORT, ""),
        ("tcp", PORT, ""),
        ("tcp", DAEMON_PORT, controller),
    }


def input_objections(ruleset: Ruleset, site: Deployment, family: int) -> Iterator[str]:
    """Say what of a node's INPUT chain is not the guide's."""
    rules = ruleset.rules("filter", "INPUT")
    always = _always_let_in(family)
    let_in: set[Service] = set()
    known: list[Mapping[str, str]] = []
    for rule in rules:
        if _refuses_the_rest(rule, family):
            break
        if rule.target != "ACCEPT":
            if not _drops_invalid(rule):
                yield f"{rule} is none of the guide's"
        elif (service := _service(rule)) is not None:
            let_in.add(service)
        elif (given := _by_one_name(rule, family)) in always:
            known.append(given)
        else:
            yield f"{rule} lets in what the guide does not"
    else:
        yield "nothing refuses what is left"
    for given in always:
        if given not in known:
            told = " ".join(word for condition in given.items() for word in condition)
            yield f"{told} is not let in"
    wanted = services(site, family)
    for transport, port, source in sorted(let_in - wanted):
        yield f"{transport}/{port} is let in from {source or 'everywhere'}"
    for transport, port, source in sorted(wanted - let_in):
        yield f"{transport}/{port} is not let in from {source or 'everywhere'}"


def nat_objections(ruleset: Ruleset, site: Deployment, node: str, family: int) -> Iterator[str]:
    """Say what of a node's address translation is not the guide's."""
    clients = str(site.planned.profiles[node]["range" if family == 4 else "range6"])
    wanted = {"-s": clients, "-j": "SNAT", "--to-source": site.address(node, family)}
    found = [dict(rule.options) for rule in ruleset.rules("nat", "POSTROUTING")]
    if found != [wanted]:
        told = "; ".join(str(rule) for rule in ruleset.rules("nat", "POSTROUTING"))
        yield f"clients of {clients} do not get {wanted['--to-source']}: {told or 'no rule'}"
    for (table, chain), rules in ruleset.chains.items():
        if table == "nat" and chain != "POSTROUTING":
            yield from (f"{rule} in {chain} is none of the guide's" for rule in rules)


def forward_objections(ruleset: Ruleset, interface: str, family: int) -> Iterator[str]:
    """Say what a node forwards beside clients' packets to the outside, and answers to them."""
    outwards = {"-i": "tun+", "-o": interface}
    answers = {"-i": interface, "-o": "tun+", **_ANSWERS}
    forwarded: list[Mapping[str, str]] = []
    for rule in ruleset.rules("filter", "FORWARD"):
        if _refuses_the_rest(rule, family):
            break
        if rule.target == "ACCEPT":
            forwarded.append(dict(rule.conditions))
            if forwarded[-1] not in (outwards, answers, _ANSWERS):
                yield f"{rule} forwards what it should not"
        elif not _drops_invalid(rule):
            yield f"{rule} is none of the guide's"
    else:
        yield "nothing refuses what is left"
    if outwards not in forwarded:
        yield "clients are not let out"


def _service(rule: Rule) -> Service | None:
    """Return what a rule lets in as a new connection; None for any other rule."""
    given = dict(rule.conditions)
    transport, port, source = given.pop("-p", ""), given.pop("--dport", ""), given.pop("-s", "")
    if rule.target != "ACCEPT" or given != _NEW or transport not in ("tcp", "udp"):
        return None
    return (transport, int(port), source) if port.isdigit() else None


def _always_let_in(family: int) -> tuple[Mapping[str, str], ...]:
    """Return what a packet must be to be let in by the guide whatever the service."""
    return _ANSWERS, {"-i": "lo"}, {"-p": _ICMP[family][0]}


def _by_one_name(rule: Rule, family: int) -> Mapping[str, str]:
    """Return what a packet must be for a rule, with ICMP called by one name."""
    given = dict(rule.conditions)
    return given | {"-p": _ICMP[family][0]} if given.get("-p") in _ICMP[family] else given


def _drops_invalid(rule: Rule) -> bool:
    return rule.target == "DROP" and dict(rule.conditions) == {"--ctstate": "INVALID"}


def _refuses_the_rest(rule: Rule, family: int) -> bool:
    return (
        rule.target == "REJECT"
        and not rule.conditions
        and rule.options.get("--reject-with") == REFUSAL[family]
    )
