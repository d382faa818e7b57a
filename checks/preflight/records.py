"""What `preflight_probe.py` wrote on two hosts, put together as observations.

Reads files, decides nothing: `checks.preflight.diagnosis` does. A sender's record and a
listener's belong together when the listener sits at the address that the sender sent to.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from checks.preflight.diagnosis import Observations, Probe
from evidence.errors import BadEvidence, Missing

FORMAT = 1
KINDS = ("adverts", "adverts_own_mac", "adverts_broadcast", "multicast", "unicast", "arp_broadcast")

UNSEEN = (
    "what only time shows (loss now and then, a switch that learns slowly or starts late)",
    "live migration and snapshots that pause a node for longer than the dead time",
    "whether clients and gateways follow a gratuitous ARP to another MAC",
    "what a host drops itself before it reaches a NIC that another interface stands for",
)
"""What a passed preflight does not say."""

Record = Mapping[str, Any]


def read_record(path: Path) -> Record:
    """Read one host's record; raises BadEvidence, naming the file and what is wrong."""
    try:
        record = json.loads(path.read_text())
    except OSError as error:
        raise BadEvidence(f"{path}: {error.strerror}", hint="name a file there is") from error
    except ValueError as error:
        raise _no_record(path, f"no JSON: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise _no_record(path, f"expected an object with format {FORMAT}")
    needed = {"send": ("peer", "vhid", "token", "sent"), "listen": ("heard", "foreign_vhids")}
    role = record.get("role")
    if role not in needed:
        raise _no_record(path, f"role is {role!r}, expected send or listen")
    missing = [key for key in ("address", *needed[role]) if key not in record]
    if missing:
        raise _no_record(path, f"without {', '.join(missing)}")
    return record


def _no_record(path: Path, why: str) -> BadEvidence:
    return BadEvidence(f"{path}: {why}", hint="give files that preflight_probe.py wrote")


def observations(records: Iterable[Record]) -> list[Observations]:
    """Put each sender together with its listener; raises Missing for one without the other."""
    known = list(records)
    listeners = [record for record in known if record["role"] == "listen"]
    found = [_seen(one, listeners) for one in known if one["role"] == "send"]
    if not found:
        raise Missing("no record of a sender: run preflight_probe.py send on one of the hosts")
    return found


def _seen(sender: Record, listeners: Sequence[Record]) -> Observations:
    peer = str(sender["peer"])
    at_peer = [one for one in listeners if _host(one) == peer]
    if not at_peer:
        raise Missing(
            f"{_host(sender)} sent to {peer}, but no record of a listener there was given"
        )
    listener = next((one for one in at_peer if sender["token"] in one["heard"]), at_peer[-1])
    run = listener["heard"].get(sender["token"], {"seen": {}, "source_macs": []})
    probes = {
        kind: Probe(int(sender["sent"].get(kind, 0)), int(run["seen"].get(kind, 0)))
        for kind in KINDS
    }
    return Observations(
        sender=str(sender["address"]),
        receiver=str(listener["address"]),
        vhid=int(sender["vhid"]),
        source_macs=tuple(run["source_macs"]),
        foreign_vhids=tuple(listener["foreign_vhids"]),
        **probes,
    )


def _host(record: Record) -> str:
    return str(ipaddress.ip_interface(str(record["address"])).ip)
