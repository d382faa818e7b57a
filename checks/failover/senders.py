"""Who sent an advertisement: by the port that it came in at, its digest, its MAC and its address.

The wire knows the port, and nobody can forge that; a source address can be copied (`--srcip`), a
digest cannot be made without the password. What comes in at a node's port is that node's, whatever
it claims. What comes in elsewhere and carries the pair's digest is an intruder: a third holder of
the virtual IP, or a replay. Everything else from elsewhere is a stranger's: another VRID, a VRRP
router beside ucarp, a broken packet, another pair even with the same VHID, and what carries the
tag of a VLAN, which no node hears. Strangers neither pass nor fail the pair.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from checks.failover.pair import Node, Pair
from checks.protocols import carp, vrrp
from checks.protocols.heartbeat import Advertised, Heartbeat
from evidence.capture import Frame
from evidence.packets import MalformedFrame, parse_ethernet


@dataclass(frozen=True)
class Stranger:
    """Something of the heartbeat's protocol that is not the pair's, and what it is.

    passed: whether the wire let it pass. vlan: of an 802.1Q tag, if it had one.
    """

    at_ns: int
    port: str
    what: str
    advert: carp.Advertisement | vrrp.Advertisement | None = None
    passed: bool = True
    vlan: int | None = None

    @property
    def group(self) -> int | None:
        """The VHID or VRID that it uses; None when it is broken."""
        if isinstance(self.advert, carp.Advertisement):
            return self.advert.vhid
        return None if self.advert is None else self.advert.vrid


@dataclass(frozen=True)
class Malformed:
    """A packet of the heartbeat's protocol, sent by a node, that is no advertisement."""

    at_ns: int
    sender: str
    what: str


@dataclass(frozen=True)
class Heard:
    """Every packet of the heartbeat's protocol in a recording, told apart by its sender."""

    pair: Heartbeat
    malformed: tuple[Malformed, ...]
    strangers: tuple[Stranger, ...]


def listen(frames: Iterable[Frame], pair: Pair) -> Heard:
    """Pick the advertisements out of `frames` and attribute each."""
    ours: list[Advertised] = []
    malformed: list[Malformed] = []
    strangers: list[Stranger] = []
    for frame in frames:
        node = pair.node_at(frame.interface)
        try:
            advert = vrrp.read(frame.data)
        except MalformedFrame as error:
            if node is None:
                strangers.append(Stranger(frame.at_ns, frame.interface, f"broken: {error}"))
            else:
                malformed.append(Malformed(frame.at_ns, node.name, str(error)))
            continue
        if advert is None:
            continue
        sender = node.name if node else _elsewhere(frame, advert, pair)
        if sender:
            ours.append(_advertised(frame, advert, sender))
        else:
            strangers.append(_stranger(frame, advert, pair))
    return Heard(Heartbeat(tuple(ours)), tuple(malformed), tuple(strangers))


def verifies(advert: carp.Advertisement | vrrp.Advertisement, pair: Pair) -> bool:
    """Tell whether an advertisement is one that the pair's nodes believe.

    CARP: by the digest. VRRP has no such proof: whoever uses the VRID for the virtual IP is
    believed (keepalived drops what names no address of its own).
    """
    if isinstance(advert, carp.Advertisement):
        return advert.vhid == pair.vhid and signed(advert, pair)
    ours = advert.vrid == pair.vhid and pair.virtual_ip in advert.addresses
    return pair.engine == "keepalived" and ours


def believed(one: Advertised, pair: Pair) -> bool:
    """Tell whether the pair's nodes hear an advertisement, in no VLAN, and believe it."""
    return one.vlan is None and verifies(one.advert, pair)


def signed(advert: carp.Advertisement, pair: Pair) -> bool:
    """Tell whether a digest is made with the pair's password, for its virtual IP, of any VHID."""
    if pair.engine != "ucarp":
        return False
    expected = carp.digest(pair.secret, advert.vhid, advert.counter)
    return hmac.compare_digest(advert.digest, expected)


def _elsewhere(frame: Frame, advert: carp.Advertisement | vrrp.Advertisement, pair: Pair) -> str:
    """Name the sender of what came in at no node's port; empty for a stranger."""
    if _vlan(frame) or not verifies(advert, pair):  # 0 is a priority, and no VLAN
        return ""
    if frame.interface:
        return f"an intruder at {frame.interface}"
    node = _by_address(advert, pair)  # made inside a guest: there are no ports
    return node.name if node else "an intruder"


def _by_address(advert: carp.Advertisement | vrrp.Advertisement, pair: Pair) -> Node | None:
    return next((node for node in pair.nodes.values() if node.address == advert.source), None)


def _advertised(
    frame: Frame, advert: carp.Advertisement | vrrp.Advertisement, sender: str
) -> Advertised:
    return Advertised(
        frame.at_ns,
        sender,
        advert,
        frame.interface,
        _vlan(frame),
        passed=frame.passed,
        into_cut=frame.into_cut,
    )


def _vlan(frame: Frame) -> int | None:
    return parse_ethernet(frame.data).vlan


def _stranger(
    frame: Frame, advert: carp.Advertisement | vrrp.Advertisement, pair: Pair
) -> Stranger:
    vlan = _vlan(frame)
    if isinstance(advert, carp.Advertisement):
        what = f"another pair uses VHID {advert.vhid}"
        if advert.vhid == pair.vhid and vlan is None:
            what += ", with another password or virtual IP: VHIDs must be unique on a LAN"
    else:
        what = f"a VRRPv{advert.version} router uses VRID {advert.vrid}"
    if vlan is not None:
        what += f" in VLAN {vlan}"
    return Stranger(frame.at_ns, frame.interface, what, advert, frame.passed, vlan)
