"""Events of the multi-node guide: machines' addresses and names, files, the API, tunnels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue

from evidence.event import Count, Event, Name, Value

Family = Literal[4, 6]
RecordType = Literal["A", "AAAA"]


class InterfacesShown(Event):
    """The answer of `ip -j addr` on the machine `source` (MN-01)."""

    kind: Literal["interfaces.shown"] = "interfaces.shown"
    links: tuple[Mapping[str, JsonValue], ...] = Field(min_length=1)


class NameAnswer(Value):
    """What a name of one type led to; no addresses: no answer."""

    name: Name
    type: RecordType
    addresses: tuple[Name, ...]


class NamesAnswered(Event):
    """What the DNS of the machine `source` answered (MN-01, MN-21)."""

    kind: Literal["names.answered"] = "names.answered"
    answers: tuple[NameAnswer, ...] = Field(min_length=1)


class DnsAnswer(Value):
    """One answer as dig printed it; addresses in the order they came."""

    id: Count
    status: Name
    name: Name
    type: RecordType
    addresses: tuple[Name, ...]


class DnsAnswered(Event):
    """Answers for one record type, in the order they came, on the machine `source` (MN-22)."""

    kind: Literal["dns.answered"] = "dns.answered"
    type: RecordType
    answers: tuple[DnsAnswer, ...] = Field(min_length=1)


class ControllerConfig(Event):
    """/etc/vpn-server-api/config.php read through PHP, without its secrets (MN-04, MN-05).

    merged: whether the section "Load Balancing" has been applied (there is a shared ta.key).
    """

    kind: Literal["controller.config"] = "controller.config"
    config: Mapping[str, JsonValue] = Field(min_length=1)
    merged: bool


class PhpFile(Value):
    """What `php -l` said of one file."""

    path: Name
    status: int
    output: str


class PhpLinted(Event):
    """What `php -l` said of files of the machine `source` (MN-06)."""

    kind: Literal["php.linted"] = "php.linted"
    files: tuple[PhpFile, ...] = Field(min_length=1)


class ApiAnswered(Event):
    """An HTTP request to the API from the machine `source` (MN-07, MN-08).

    status: 0 when no HTTP answer came; detail is then what curl said.
    """

    kind: Literal["api.answered"] = "api.answered"
    url: Name
    family: Family
    credentials: Literal["none", "wrong", "right"]
    status: Count
    content_type: str
    body: str
    detail: str


class ServerState(Event):
    """OpenVPN on the node `source` (MN-13).

    files: name -> text of /etc/openvpn/server/*.conf, inline blocks emptied. units: `systemctl
    list-units 'openvpn-server@*'`; sockets: `ss -Hltnup`; links: `ip -j link`.
    """

    kind: Literal["server.state"] = "server.state"
    files: Mapping[Name, str]
    units: str
    sockets: str
    links: tuple[Mapping[str, JsonValue], ...] = Field(min_length=1)


class TunnelStarted(Event):
    """A client was sent to connect."""

    kind: Literal["tunnel.started"] = "tunnel.started"
    client: Name


class Ping(Value):
    """Echo requests through a tunnel; target is empty where none was sent."""

    target: str
    sent: Count
    received: Count


class TunnelTried(Event):
    """One attempt of a client to connect, when it was up or given up (MN-15, 21, 23).

    transport, family: outer ones. remote: the server's address, "" while there was none.
    address4, address6: the client's own on the wire. tunnel4, tunnel6: inside the tunnel, ""
    without. detail: OpenVPN's last words.
    """

    kind: Literal["tunnel.tried"] = "tunnel.tried"
    client: Name
    transport: Literal["udp", "tcp", ""]
    family: Family
    remote: str
    address4: Name
    address6: Name
    up: bool
    tunnel4: str
    tunnel6: str
    ping: Ping
    detail: str


class Connection(Value):
    """A row of the controller's connection log; connected_ns is the wire's time of it."""

    profile_id: Name
    ip4: Name
    connected_at: Name
    disconnected_at: str | None
    connected_ns: Count


class ConnectionLog(Event):
    """The controller's connections of the scenario's time (MN-23)."""

    kind: Literal["connection.log"] = "connection.log"
    rows: tuple[Connection, ...]
