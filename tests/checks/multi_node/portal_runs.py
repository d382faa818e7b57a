"""A good recording for each requirement of the portal, for tests to judge and to mutate."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from checks.multi_node.deployment import Deployment
from checks.multi_node.guide import FAMILIES
from evidence.capture import Frame
from tests.checks.factories import (
    SECOND,
    START_NS,
    Data,
    Run,
    add_tunnel,
    sent,
    tcp,
    tunnel_frames,
    udp,
)
from tests.checks.sites import GUIDE


def at(seconds: float) -> int:
    return START_NS + round(seconds * SECOND)


@cache
def certificate(*names: str) -> str:
    """Return a certificate for these names, by an authority of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made for a test")])
    day = datetime.datetime(2023, 11, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=90))
    )
    if names:
        shown = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        made = made.add_extension(shown, critical=False)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def run_mn_02(site: Deployment = GUIDE) -> Run:
    run, name = Run(site=site), site.controller.fqdn
    for family in FAMILIES:
        shown = {
            "url": f"https://{name}/",
            "family": family,
            "verified": True,
            "certificate": certificate(name),
            "status": 302,
            "location": f"https://{name}/vpn-user-portal/",
            "detail": "",
        }
        run.events.append(("portal.shown", site.client.name, shown))
    return run


def run_mn_03(site: Deployment = GUIDE) -> Run:
    run = Run(site=site)
    for user, sees in (("demo", "refusal"), ("admin", "connections")):
        for credentials, status, seen in (
            ("printed", 302, sees),
            ("wrong", 200, "form"),
            ("other", 200, "form"),
        ):
            login = {"user": user, "credentials": credentials, "status": status, "sees": seen}
            run.events.append(("portal.login", site.client.name, login))
    return run


def run_mn_16(site: Deployment = GUIDE) -> Run:
    run, requests = Run(site=site), []
    for number, node in enumerate(site.nodes):
        data = add_tunnel(run, node, "udp", 4, number)
        for family in FAMILIES:
            path = f"/{data['client']}-{family}"
            asked = {"client": data["client"], "family": family, "path": path, "status": 404}
            run.events.append(("web.asked", site.client.name, {**asked, "detail": ""}))
            requests.append({"address": site.address(node, family), "path": path, "status": 404})
            there = (site.address(node, family), 40000), (site.services.address(family), 80)
            run.frames.append(sent(tcp(*there, b"GET"), site=site))
    run.events.append(("web.logged", site.services.name, {"requests": requests}))
    return run


def listed(*tunnels: Data) -> list[Data]:
    return [
        {
            "user": f"user of {one['client']}",
            "name": "laptop",
            "addresses": [one["tunnel4"], one["tunnel6"]],
        }
        for one in tunnels
    ]


def page(site: Deployment, asked: float, came: float, tunnels: Sequence[tuple[str, Data]]) -> Data:
    profiles = {
        node: listed(*(one for where, one in tunnels if where == node)) for node in site.nodes
    }
    return {"asked_ns": at(asked), "at_ns": at(came), "status": 200, "profiles": profiles}


def bye(tunnel: Data, seconds: float, site: Deployment) -> Frame:
    """Return the last that a client sends to its node."""
    frame = sent(udp((tunnel["address4"], 40000), (tunnel["remote"], 1194), bytes(40)), site=site)
    return replace(frame, at_ns=at(seconds))


def run_mn_17(site: Deployment = GUIDE) -> Run:
    """Clients come up at 10 s, are listed on pages of 11 s, leave at 31 s, are gone by 33 s."""
    run, who = Run(site=site), site.client.name
    tunnels = [
        (node, add_tunnel(run, node, "udp", 4, number)) for number, node in enumerate(site.nodes)
    ]
    for _, one in tunnels:
        one["at_ns"] = at(12)
        run.frames.append(bye(one, 31, site))
        for up, after, seen in ((True, 9.2, 10), (False, 30, 32)):
            turned = {"client": one["client"], "up": up, "after_ns": at(after), "at_ns": at(seen)}
            run.events.append(("tunnel.turned", who, turned))
    run.events += [
        ("connections.shown", who, page(site, 10.3, 11, tunnels)),
        ("connections.shown", who, page(site, 32.1, 33, [])),
    ]
    run.events.sort(key=lambda one: one[2].get("at_ns", 0))
    return run


def run_mn_19(site: Deployment = GUIDE) -> Run:
    """Let two clients in by 15 s, keep both out from 18 s on; both try once more at 25 s."""
    run, who = Run(site=site), site.client.name
    nodes = (site.nodes[0], site.nodes[-1])
    tunnels = [(node, add_tunnel(run, node, "tcp", 4, number)) for number, node in enumerate(nodes)]
    ways = (("delete", "demo", "user or certificate does not exist"),
            ("disable", "admin", "[VPN] unable to connect, account is disabled"))  # fmt: skip
    run.events.append(("connections.shown", who, page(site, 15.2, 16, tunnels)))
    for (action, by, reason), (node, one) in zip(ways, tunnels, strict=True):
        one["at_ns"] = at(15)
        act = {"by": by, "client": one["client"], "status": 302}
        acted = {**act, "action": action, "asked_ns": at(17), "at_ns": at(18)}
        probe = {"client": one["client"], "asked_ns": at(20), "at_ns": at(21)}
        again = {**one, "at_ns": at(29), "up": False, "tunnel4": "", "tunnel6": "",
                 "ping": {"target": "", "sent": 0, "received": 0},
                 "detail": "AUTH: Received control message: AUTH_FAILED"}  # fmt: skip
        told = {"client": one["client"], "messages": [f"client-connect: {reason}"]}
        run.events += [
            ("account.acted", who, acted),
            ("tunnel.probed", who, {**probe, "up": False, "answered": False}),
            ("tunnel.started", who, {"client": one["client"], "at_ns": at(25)}),
            ("tunnel.tried", who, again),
            ("hook.refused", node, {**told, "at_ns": at(30)}),
        ]
        for number, frame in enumerate(tunnel_frames(one, site)):
            moment = at(26) + 5_000_000 * number + 2_000_000 * (action == "disable")
            run.frames.append(replace(frame, at_ns=moment))
        if action == "disable":
            enabled = {**act, "action": "enable", "asked_ns": at(40), "at_ns": at(41)}
            run.events.append(("account.acted", who, enabled))
    run.events.append(("connections.shown", who, page(site, 21, 22, [])))
    run.events.sort(key=lambda one: one[2].get("at_ns", 0))
    return run


def good_portal(site: Deployment) -> dict[str, Callable[[], Run]]:
    """Return a good recording of a site for each requirement of the portal."""
    return {
        "MN-02": lambda: run_mn_02(site),
        "MN-03": lambda: run_mn_03(site),
        "MN-16": lambda: run_mn_16(site),
        "MN-17": lambda: run_mn_17(site),
        "MN-18": lambda: run_mn_19(site),
        "MN-19": lambda: run_mn_19(site),
    }
