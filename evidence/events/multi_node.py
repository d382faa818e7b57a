"""Events of the multi-node guide: machines' addresses and names, files, the API, tunnels."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from evidence.event import Count, Event, Name, Seconds, Value
from evidence.moment import Moment

Family = Literal[4, 6]
RecordType = Literal["A", "AAAA"]
Transport = Literal["udp", "tcp"]
Credentials = Literal["none", "wrong", "right"]


def _as_written(text: str) -> str:
    found = ipaddress.ip_address(text)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


Address = Annotated[Name, AfterValidator(_as_written)]
"""An IPv4 or IPv6 address, as Python writes it: compare it as text.

Who listens on IPv6 for both families calls an IPv4 peer `::ffff:192.0.2.1`: that is 192.0.2.1.
"""
NoAddress = Literal[""]


class Printed(Value):
    """A part of what a program printed as JSON, by its keys; what nobody reads is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class InterfaceAddress(Printed):
    """An address of an interface, as `ip -j addr` shows it."""

    local: Address
    prefixlen: int = Field(ge=0, le=128)
    dynamic: bool = False
    tentative: bool = False
    dadfailed: bool = False


class Interface(Printed):
    """An interface, as `ip -j addr` shows it; operstate is UP only with a carrier."""

    ifname: Name
    operstate: Name
    addr_info: tuple[InterfaceAddress, ...] = ()


class InterfacesShown(Event):
    """The answer of `ip -j addr` on the machine `source` (MN-01)."""

    kind: Literal["interfaces.shown"] = "interfaces.shown"
    links: tuple[Interface, ...] = Field(min_length=1)


class NameAnswer(Value):
    """What a name of one type led to; answered: whether the name server said anything at all."""

    name: Name
    type: RecordType
    addresses: tuple[Address, ...]
    answered: bool = True


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
    addresses: tuple[Address, ...]


class DnsAnswered(Event):
    """Answers for one record type, in the order they came, on the machine `source` (MN-22)."""

    kind: Literal["dns.answered"] = "dns.answered"
    type: RecordType
    answers: tuple[DnsAnswer, ...] = Field(min_length=1)


class ControllerConfig(Event):
    """/etc/vpn-server-api/config.php read through PHP (MN-04, MN-05).

    profiles: the options of each of its vpnProfiles. use_vpn_daemon: its useVpnDaemon, None when
    it has none. merged: whether the section "Load Balancing" has been applied (there is a shared
    ta.key).
    """

    kind: Literal["controller.config"] = "controller.config"
    profiles: Mapping[Name, Mapping[Name, JsonValue]] = Field(min_length=1)
    use_vpn_daemon: JsonValue
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
    credentials: Credentials
    status: Count
    content_type: str
    body: str
    detail: str


class ServerState(Event):
    """OpenVPN on the node `source` (MN-13).

    files: name -> text of /etc/openvpn/server/*.conf, inline blocks emptied. units: `systemctl
    list-units --all --plain --no-legend 'openvpn-server@*'`, "" for none; sockets: `ss -Hltnup`,
    never empty, since sshd listens; links: `ip -j link`.
    """

    kind: Literal["server.state"] = "server.state"
    files: Mapping[Name, str]
    units: str
    sockets: Name
    links: tuple[Interface, ...] = Field(min_length=1)


class FileWritten(Value):
    """When a file of /etc/openvpn/server was written last."""

    name: Name
    written_ns: Count


class ProcessStarted(Value):
    """When an OpenVPN process was started; config: the file that its command line names."""

    config: Name
    started_ns: Count


class ServerAges(Event):
    """Whether what runs on the node `source` is younger than its files (MN-13).

    Times of the node's own clock, ns since 1970; `uncertainty_ns` is what a process' start, told in
    ticks since the boot, may be off by.
    """

    kind: Literal["server.ages"] = "server.ages"
    files: tuple[FileWritten, ...]
    processes: tuple[ProcessStarted, ...]


class TunnelStarted(Event):
    """A client was sent to connect; what it does from here on is an attempt of its own."""

    kind: Literal["tunnel.started"] = "tunnel.started"
    client: Name


class Ping(Value):
    """Echo requests through a tunnel; target is empty where none was sent.

    began_ns: when clients were let to ask, all of a scenario side by side. waited_s: so long each
    waited for its answer. None in evidence of before both were recorded.
    """

    target: Address | NoAddress
    sent: Count
    received: Count
    began_ns: Count | None = None
    waited_s: Seconds | None = None


class TunnelTried(Event):
    """How an attempt of a client stood when it was up or given up (MN-15, 21, 23).

    A client that needed a second look is recorded twice: what counts is how it ended.

    transport, family: outer ones. remote: the server's address, "" while there was none.
    address4, address6: the client's own on the wire. tunnel4, tunnel6: inside the tunnel, ""
    without. detail: OpenVPN's last words.
    """

    kind: Literal["tunnel.tried"] = "tunnel.tried"
    client: Name
    transport: Transport | Literal[""]
    family: Family
    remote: Address | NoAddress
    address4: Address
    address6: Address
    up: bool
    tunnel4: Address | NoAddress
    tunnel6: Address | NoAddress
    ping: Ping
    detail: str


class Connection(Value):
    """A row of the controller's connection log; disconnected_at is None while it is open.

    connected_ns: the wire's time of connected_at, which the node of `profile_id` dates to a second
    (OpenVPN's time_unix); None where no node is called that. uncertainty_ns: how far off that may
    be by that node's clock; None in evidence of before, which took the controller's for it.
    """

    profile_id: Name
    ip4: Address
    connected_at: Name
    disconnected_at: Name | None
    connected_ns: Count | None = None
    uncertainty_ns: Count | None = None

    @property
    def connected(self) -> Moment | None:
        """When it began, if its node's own clock tells that."""
        if self.connected_ns is None or self.uncertainty_ns is None:
            return None
        return Moment(self.connected_ns, self.uncertainty_ns)


class ConnectionLog(Event):
    """The connections that the controller's log holds as open (MN-23); no rows: it has none."""

    kind: Literal["connection.log"] = "connection.log"
    rows: tuple[Connection, ...]
