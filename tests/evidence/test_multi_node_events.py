"""A reading of the multi-node guide that is empty, or no reading at all, cannot be an event."""

from typing import Any

import pytest
from pydantic import ValidationError

from evidence.events import read_event
from evidence.events.multi_node import InterfacesShown, TunnelTried
from evidence.events.portal import WebLogged

LINK = {"ifname": "wire0", "operstate": "UP", "mtu": 1500, "addr_info": []}
STATE = {"files": {}, "units": "", "sockets": "tcp LISTEN", "links": [LINK]}
TRIED = {
    "client": "client-1",
    "transport": "udp",
    "family": 6,
    "remote": "2001:DB8:0::1",
    "address4": "145.0.6.101",
    "address6": "2001:db8::2",
    "up": False,
    "tunnel4": "",
    "tunnel6": "",
    "ping": {"target": "", "sent": 0, "received": 0},
    "detail": "no answer",
}


def event(kind: str, **data: Any) -> Any:
    return read_event({"kind": kind, "source": "node-a", "at_ns": 1, **data})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("interfaces.shown", {"links": []}),
        ("interfaces.shown", {"links": [{"ifname": "wire0"}]}),
        ("names.answered", {"answers": []}),
        ("dns.answered", {"type": "A", "answers": []}),
        ("controller.config", {"profiles": {}, "use_vpn_daemon": True, "merged": False}),
        ("php.linted", {"files": []}),
        ("server.state", {**STATE, "sockets": ""}),
        ("server.state", {**STATE, "links": []}),
        ("server.ages", {"files": [{"name": "", "written_ns": 1}], "processes": []}),
        ("server.ages", {"files": [], "processes": [{"config": "a.conf", "started_ns": -1}]}),
        ("tunnel.tried", {**TRIED, "address4": ""}),
        ("tunnel.tried", {**TRIED, "remote": "node-a"}),
        ("tunnel.tried", {**TRIED, "transport": "sctp"}),
    ],
)
def test_an_empty_or_impossible_reading_is_refused(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        event(kind, **data)


def test_what_ip_prints_beyond_what_is_read_is_left_out() -> None:
    shown = event("interfaces.shown", links=[LINK])
    assert isinstance(shown, InterfacesShown)
    assert shown.links[0].model_dump() == {
        "ifname": "wire0",
        "operstate": "UP",
        "addr_info": (),
    }


def test_addresses_are_written_one_way() -> None:
    tried = event("tunnel.tried", **TRIED)
    assert isinstance(tried, TunnelTried)
    assert tried.remote == "2001:db8::1"
    assert tried.tunnel4 == ""


@pytest.mark.parametrize(
    "written", ["::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"]
)
def test_an_ipv4_peer_of_who_listens_on_ipv6_has_its_ipv4_address(written: str) -> None:
    logged = event("web.logged", requests=[{"address": written, "path": "/", "status": 200}])
    assert isinstance(logged, WebLogged)
    assert logged.requests[0].address == "192.0.2.1"
