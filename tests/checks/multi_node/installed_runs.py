"""A good recording of what stands on the machines: certificates, keys, software, no secrets."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from checks.multi_node.converted import ASKED, CONVERT, KEPT
from checks.multi_node.deployment import Deployment
from checks.multi_node.secrecy import OF_MACHINES, OF_RUN, RUN
from tests.checks.factories import Data, Run, add_tunnel, good_config, server_state
from tests.checks.multi_node.portal_runs import at
from tests.checks.sites import GUIDE

BEGINS = datetime.datetime(2023, 11, 1, tzinfo=datetime.UTC)
ENDS = datetime.datetime(2028, 11, 1, tzinfo=datetime.UTC)
_FOR = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}
_KEY_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
KEY = "-----BEGIN PRIVATE KEY-----"
DAEMON_KEYS, MADE, ON_NODE = "/etc/vpn-server-api/vpn-daemon", "/root/ca", "/etc/ssl/vpn-daemon"


@cache
def _key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@cache
def made(
    of: str, ends: datetime.datetime = ENDS, authority: str = "VPN CA", usage: str = ""
) -> str:
    """Return a certificate as vpn-ca makes it, but for its key: PEM."""
    is_authority, usage = of == "authority", usage or of
    subject = authority if is_authority else f"vpn-daemon-{of}"
    uses = {"digital_signature", "key_cert_sign"} if is_authority else {"digital_signature"}
    uses |= {"key_encipherment"} if usage == "server" else set()
    extended = [*_FOR.values()] if is_authority else [_FOR[usage]]
    length = 0 if is_authority else None
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(authority))
        .public_key(_key(subject).public_key())
        .serial_number(1)
        .not_valid_before(BEGINS)
        .not_valid_after(ends)
        .add_extension(x509.KeyUsage(**{one: one in uses for one in _KEY_USAGES}), critical=True)
        .add_extension(x509.ExtendedKeyUsage(extended), critical=False)
        .add_extension(x509.BasicConstraints(is_authority, length), critical=True)
    )
    signed = builder.sign(_key(authority), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def file(of: str, what: str, path: str, mode: str = "640") -> Data:
    text = made(of) if what == "certificate" else KEY
    owned = {"mode": mode, "owner": "root", "group": "root"}
    return {"of": of, "what": what, "path": path, "text": text, **owned}


def run_mn_09(site: Deployment = GUIDE) -> Run:
    run = Run(site=site)
    files = [
        file("authority", "certificate", f"{MADE}/ca.crt"),
        file("authority", "key", f"{MADE}/ca.key", "600"),
        file("client", "certificate", f"{DAEMON_KEYS}/vpn-daemon-client.crt"),
        file("client", "key", f"{DAEMON_KEYS}/vpn-daemon-client.key"),
        file("server", "certificate", f"{MADE}/vpn-daemon.crt"),
        file("server", "key", f"{MADE}/vpn-daemon.key"),
    ]
    run.events.append(("credentials.shown", site.controller.name, {"files": files}))
    for node in site.nodes:
        files = [
            file("authority", "certificate", f"{ON_NODE}/ca.crt"),
            file("server", "certificate", f"{ON_NODE}/server.crt"),
            file("server", "key", f"{ON_NODE}/private/server.key"),
        ]
        run.events.append(("credentials.shown", node, {"files": files}))
    return run


def run_mn_12(site: Deployment = GUIDE) -> Run:
    run = Run([("controller.config", site.controller.name, good_config(site))], site=site)
    for node in site.nodes:
        run.events += [
            ("node.configured", node, {"profile_list": [node], "at_ns": at(10)}),
            ("changes.applied", node, {"status": 0, "output": "done", "at_ns": at(30)}),
            ("server.state", node, {**server_state(node, site), "at_ns": at(31)}),
        ]
    return run


def run_mn_20(site: Deployment = GUIDE) -> Run:
    first, name, digest = site.nodes[0], site.client.name, "ab" * 32
    run = Run([("controller.config", site.controller.name, good_config(site))], site=site)
    page = {"user": "demo", "status": 200, "offered": [first], "kept": []}
    run.events.append(("configurations.shown", name, page))
    for node in site.nodes:
        asked = {"user": "demo", "profile": node, "status": 400, "hosts": [], "key": ""}
        if node == first:
            asked.update(status=200, hosts=[site.shared_name], key=digest)
            asked["remotes"] = [f"{site.shared_name} 1194 {way}" for way in ("udp", "tcp")]
        run.events.append(("configuration.asked", name, asked))
        keys = [{"path": f"{node}-{n}.conf", "digest": digest} for n in range(2)]
        run.events.append(("tls-crypt.shown", node, {"keys": keys}))
    shared = {"keys": [{"path": "/var/lib/vpn-server-api/ta.key", "digest": digest}]}
    run.events.append(("tls-crypt.shown", site.controller.name, shared))
    return run


def run_mn_31(site: Deployment = GUIDE) -> Run:
    """Look at an installation at 10 s, convert it from 20 s to 30 s, look once more at 40 s."""
    run, name = Run(site=site), site.controller.name
    there = {
        "asked": list(ASKED),
        "present": list(ASKED),
        "units": ["openvpn-server@it-0.service", "openvpn-server@it-1.service"],
        "processes": 2,
        "files": ["it-0.conf", "it-1.conf"],
        "web": "active",
        "config": "cd" * 32,
    }
    gone = {**there, "present": list(KEPT), "units": [], "processes": 0, "files": []}
    for seconds, state in ((10, there), (40, gone)):
        run.events.append(("installation.shown", name, {**state, "at_ns": at(seconds)}))
        for user, sees in (("demo", "refusal"), ("admin", "connections")):
            login = {"user": user, "credentials": "printed", "status": 302, "sees": sees}
            run.events.append(("portal.login", site.client.name, {**login, "at_ns": at(seconds)}))
        page = {"user": "demo", "status": 200, "offered": ["x"], "kept": ["0123"]}
        run.events.append(
            ("configurations.shown", site.client.name, {**page, "at_ns": at(seconds)})
        )
    script = {"script": CONVERT, "typed": CONVERT, "status": 0, "output": "", "began_ns": at(20)}
    run.events.append(("script.run", name, {**script, "at_ns": at(30)}))
    return run


def run_mn_32(site: Deployment = GUIDE) -> Run:
    run, known = Run(site=site), ["admin's password", "ta.key"]
    for number, node in enumerate(site.nodes):
        add_tunnel(run, node, "udp", 4, number)
    for user in ("demo", "admin"):
        login = {"user": user, "credentials": "printed", "status": 302, "sees": "form"}
        run.events.append(("portal.login", site.client.name, login))
    searched = {"secrets": known, "searched": 40, "found": [], "unread": []}
    for machine in site.hosts:
        for where in OF_MACHINES:
            run.events.append(("secrets.searched", machine, {**searched, "where": where}))
    run.events.append(("secrets.searched", RUN, {**searched, "where": OF_RUN}))
    return run


def good_installed(site: Deployment) -> dict[str, Callable[[], Run]]:
    """Return a good recording of a site for each requirement of what stands on its machines."""
    return {
        "MN-09": lambda: run_mn_09(site),
        "MN-12": lambda: run_mn_12(site),
        "MN-20": lambda: run_mn_20(site),
        "MN-31": lambda: run_mn_31(site),
        "MN-32": lambda: run_mn_32(site),
    }
