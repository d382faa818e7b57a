"""What `probe.py` wrote on two hosts, put together as observations.

Reads files, decides nothing: `checks.preflight.diagnosis` does. A sender's record and a
listener's belong together when the listener sits at the address that the sender sent to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from evidence.errors import BadEvidence, Missing
from evidence.event import Count, Mac, Name, Value, Vhid
from evidence.events.preflight import AddressWithPrefix, Observations, Probe
from evidence.files import parse_json, read_whole

FORMAT = 1
LARGEST = 1024 * 1024
"""Octets of a record; those of a minute have some hundred."""
Kind = Literal[
    "adverts", "adverts_own_mac", "adverts_broadcast", "multicast", "unicast", "arp_broadcast"
]
Counted = Mapping[Kind, Count]
"""How many frames of each kind."""

UNSEEN = (
    "what only time shows (loss now and then, a switch that learns slowly or starts late)",
    "live migration and snapshots that pause a node for longer than the dead time",
    "whether clients and gateways follow a gratuitous ARP to another MAC",
    "what a host drops itself before it reaches a NIC that another interface stands for",
)
"""What a passed preflight does not say."""


class Sent(Value):
    """The record of the host that sent; `token` tells one run from another."""

    format: Literal[1]
    role: Literal["send"]
    address: AddressWithPrefix
    peer: Name
    vhid: Vhid
    token: Name
    sent: Counted


class HeardOfRun(Value):
    """What was heard of one run, and the MACs that its advertisements came from."""

    seen: Counted
    source_macs: tuple[Mac, ...]


class Listened(Value):
    """The record of the host that listened; what it heard, by the run's token."""

    format: Literal[1]
    role: Literal["listen"]
    address: AddressWithPrefix
    heard: Mapping[Name, HeardOfRun]
    foreign_vhids: tuple[Vhid, ...]


Record = Sent | Listened

_RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="role")])


def read_record(path: Path) -> Record:
    """Read one host's record; raises BadEvidence, naming the file and what is wrong."""
    hint = f"give files that probe.py wrote, of format {FORMAT}"
    text = read_whole(path, "record", LARGEST, hint)
    try:
        return _RECORD.validate_python(parse_json(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        why = f"{where}: {first['msg']}" if where else first["msg"]
    except ValueError as error:
        why = f"Invalid JSON: {error}"
    raise BadEvidence(f"{path}: {why}", hint=hint)


def observations(records: Iterable[Record]) -> list[Observations]:
    """Put each sender together with its listener; raises Missing for one without the other."""
    known = list(records)
    listeners = [record for record in known if isinstance(record, Listened)]
    found = [_seen(record, listeners) for record in known if isinstance(record, Sent)]
    if not found:
        raise Missing("no record of a sender: run probe.py send on one of the hosts")
    return found


def _seen(sender: Sent, listeners: Sequence[Listened]) -> Observations:
    at_peer = [one for one in listeners if _host(one) == sender.peer]
    if not at_peer:
        raise Missing(
            f"{_host(sender)} sent to {sender.peer}, but no record of a listener there was given"
        )
    listener = next((one for one in at_peer if sender.token in one.heard), at_peer[-1])
    run = listener.heard.get(sender.token, HeardOfRun(seen={}, source_macs=()))

    def probe(kind: Kind) -> Probe:
        return Probe(sent=sender.sent.get(kind, 0), seen=run.seen.get(kind, 0))

    return Observations(
        sender=sender.address,
        receiver=listener.address,
        vhid=sender.vhid,
        adverts=probe("adverts"),
        adverts_own_mac=probe("adverts_own_mac"),
        adverts_broadcast=probe("adverts_broadcast"),
        multicast=probe("multicast"),
        unicast=probe("unicast"),
        arp_broadcast=probe("arp_broadcast"),
        source_macs=run.source_macs,
        foreign_vhids=listener.foreign_vhids,
    )


def _host(record: Record) -> str:
    return str(ipaddress.ip_interface(record.address).ip)
