"""The failover pair as configured: two nodes, one virtual IP, one heartbeat.

Says what is wrong with a pair by looking at it alone; what only the network can tell is
`validation`'s business.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from openvpnas import keys
from openvpnas.errors import AccessServerError, InvalidValue

PRIMARY = "primary"
SECONDARY = "secondary"


@dataclass(frozen=True)
class Node:
    """One node as its partner reaches it; without a password, SSH keys are used."""

    host: str
    ssh_user: str = "root"
    ssh_password: str = ""
    ssh_port: int = 22


@dataclass(frozen=True)
class Pair:
    """What both nodes must agree on."""

    virtual_ip: str
    primary: Node
    secondary: Node
    engine: str = "ucarp"
    vhid: int = 94
    password: str = ""
    extra_parms: str = ""
    sync_period: float = 180.0
    advert_int: str = "1"
    vrrp_version: int = 2
    priorities: tuple[int, int] = (150, 100)

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Pair | None:
        """Read the pair from configuration keys; None where failover is not switched on.

        Checked again, for a partner's staged values were never set here; raises InvalidValue.
        """
        if values.get("failover.mode", "none") == "none":
            return None
        known = {**keys.DEFAULTS, **values}
        keys.check_all(known)
        try:
            return cls(
                virtual_ip=known["failover.vip"],
                primary=_node(known, PRIMARY),
                secondary=_node(known, SECONDARY),
                engine=known["failover.engine"],
                vhid=int(known["ucarp.vhid"]),
                password=known.get("ucarp.password", ""),
                extra_parms=known["ucarp.extra_parms"],
                sync_period=float(known["failover.sync_period"]),
                advert_int=known["keepalived.advert_int"],
                vrrp_version=int(known["keepalived.version"]),
                priorities=(
                    int(known["keepalived.primary.priority"]),
                    int(known["keepalived.secondary.priority"]),
                ),
            )
        except KeyError as missing:
            raise AccessServerError(f"failover is on, but {missing.args[0]} is not set") from None

    def node(self, name: str) -> Node:
        """Give a node by name: "primary" or "secondary"."""
        return self.primary if name == PRIMARY else self.secondary

    def priority(self, name: str) -> int:
        """Give a node's VRRP priority."""
        return self.priorities[0 if name == PRIMARY else 1]


def partner_of(name: str) -> str:
    """Give the other node's name."""
    return SECONDARY if name == PRIMARY else PRIMARY


def pair_keys(request: Mapping[str, object]) -> dict[str, str]:
    """Turn what the Failover page sends into configuration keys, checked one by one.

    `{"virtual_ip": A, "primary": {"host": A, "ssh_user", "ssh_password", "ssh_port"}, "secondary":
    {...}}`, and optionally "mode", "engine", "vhid", "ucarp_password", "extra_parms",
    "sync_period". Raises InvalidValue.
    """
    found = {
        "failover.mode": "ucarp",
        "failover.vip": _text(request, "virtual_ip", ""),
    }
    for option, key in (
        ("mode", "failover.mode"),
        ("engine", "failover.engine"),
        ("vhid", "ucarp.vhid"),
        ("ucarp_password", "ucarp.password"),
        ("extra_parms", "ucarp.extra_parms"),
        ("sync_period", "failover.sync_period"),
    ):
        value = _text(request, option, "")
        if value:
            found[key] = value
    for name in (PRIMARY, SECONDARY):
        node = request.get(name)
        if not isinstance(node, Mapping):
            raise InvalidValue(name, str(node), "a node: at least its host")
        for part, default in (
            ("host", ""),
            ("ssh_user", "root"),
            ("ssh_password", ""),
            ("ssh_port", "22"),
        ):
            found[f"failover.{name}.{part}"] = _text(node, part, default)
    keys.check_all(found)
    return found


def _text(source: Mapping[str, object], name: str, default: str) -> str:
    value = source.get(name, default)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise InvalidValue(name, str(value), "a text or a number")
    return str(value).strip()


def problems(pair: Pair, network: ipaddress.IPv4Network | None) -> list[str]:
    """Say what is wrong with the addresses; `network` is the one the local node is in."""
    nodes = {PRIMARY: pair.primary.host, SECONDARY: pair.secondary.host}
    found = []
    if pair.primary.host == pair.secondary.host:
        found.append(f"both nodes have the address {pair.primary.host}")
    found += [
        f"the virtual IP {pair.virtual_ip} is the {name} node's own address"
        for name, host in nodes.items()
        if host == pair.virtual_ip
    ]
    if network is None:
        return [*found, "neither node's address is an address of this machine"]
    virtual_ip = ipaddress.IPv4Address(pair.virtual_ip)
    if virtual_ip not in network:
        found.append(f"the virtual IP {virtual_ip} is outside the nodes' subnet {network}")
    elif virtual_ip in (network.network_address, network.broadcast_address):
        found.append(f"the virtual IP {virtual_ip} is not a host's address in {network}")
    found += [
        f"the {name} node {host} is outside the subnet {network}"
        for name, host in nodes.items()
        if ipaddress.IPv4Address(host) not in network
    ]
    return found


def _node(values: Mapping[str, str], name: str) -> Node:
    return Node(
        host=values[f"failover.{name}.host"],
        ssh_user=values.get(f"failover.{name}.ssh_user", "root"),
        ssh_password=values.get(f"failover.{name}.ssh_password", ""),
        ssh_port=int(values.get(f"failover.{name}.ssh_port", "22")),
    )
