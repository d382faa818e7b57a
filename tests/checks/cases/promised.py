"""The mutants of the catalogue, as recorded evidence: each is FAIL, for the reason it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.checks.cases.row import FAIL, row
from tests.checks.factories import SECOND, ip, sent
from tests.checks.failover.printed import lines, printed
from tests.checks.failover.recording import MAC, Run, steady, takeover
from tests.checks.failover.test_setup import prepared
from tests.checks.failover.test_validating import validated
from tests.checks.failover.test_vhids import moved
from tests.checks.multi_node.installed_runs import (
    made,
    run_mn_09,
    run_mn_12,
    run_mn_20,
    run_mn_31,
    run_mn_32,
)
from tests.checks.multi_node.portal_runs import (
    certificate,
    run_mn_02,
    run_mn_03,
    run_mn_16,
    run_mn_17,
    run_mn_19,
)
from tests.checks.multi_node.runs import run_config, run_http, run_mn_01, run_mn_06, run_mn_22
from tests.checks.protocols import encoder
from tests.checks.sites import GUIDE

GRATUITOUS = encoder.gratuitous(MAC["secondary"])


def without_frames(run: Run, unwanted: Callable[[float, bytes], bool]) -> Run:
    """Leave frames out."""
    run.frames = [one for one in run.frames if not unwanted(one[0], one[2])]
    return run


@row("FO-16", "one advertisement is gone, of forty", FAIL, "a gap of 2.000 s")
def _(at: Path) -> Run:
    return without_frames(steady(at), lambda second, _: second == 20.5)


@row("FO-16", "advbase 2 where 1 is configured", FAIL, "announces a period of [2.0] s")
def _(at: Path) -> Run:
    run = without_frames(steady(at), lambda *_: True)
    run.beats("primary", 0.5, 40, period=2.0, advbase=2)
    return run


@row("FO-17", "the standby has another VHID: it hears nobody, and advertises", FAIL, "VHID 95")
def _(at: Path) -> Run:
    run = steady(at)
    run.beats("secondary", 5.2, 40, vhid=95)
    return run


@row("FO-18", "TTL 64", FAIL, "TTL 64, expected 255")
def _(at: Path) -> Run:
    run = without_frames(steady(at), lambda *_: True)
    run.beats("primary", 0.5, 40, ttl=64)
    return run


@row("FO-19", "another password on the active node", FAIL, "another password")
def _(at: Path) -> Run:
    run = without_frames(steady(at), lambda *_: True)
    run.beats("primary", 0.5, 40, password="another")
    return run


@row("FO-20", "the counter begins anew at the takeover", FAIL, "counter")
def _(at: Path) -> Run:
    run = without_frames(takeover(at), lambda second, raw: second > 11 and raw[23] == 112)
    run.beats("secondary", 13.2, 40, counter=1)
    return run


@row("FO-21", "advskew 100: tcpdump prints prio 100", FAIL, "prio, intvl are")
def _(at: Path) -> Run:
    return printed(at, lines(prio=("prio 0", "prio 100")))


@row("FO-22", "the VHID is moved on one node only", FAIL, "[77, 94]")
def _(at: Path) -> Run:
    run = moved(at)
    run.beats("secondary", 18, 40)
    return run


@row("FO-24", "the standby advertises 0.2 s beyond the limit of 5 s", FAIL, "5.200 s")
def _(at: Path) -> Run:
    return takeover(at, silence=5.5)


@row("FO-26", "gratuitous ARP gone: broadcasts are dropped", FAIL, "no gratuitous ARP of secondary")
def _(at: Path) -> Run:
    return without_frames(takeover(at), lambda _, raw: raw == GRATUITOUS)


@row("FO-26", "the second gratuitous ARP gone", FAIL, "1 gratuitous ARP(s) in 3 s, not 2")
def _(at: Path) -> Run:
    return without_frames(takeover(at), lambda second, raw: raw == GRATUITOUS and second > 14)


@row("FO-31", "logged 2.5 s after the wire saw it, dated to 0.1 s", FAIL, "limit 2 s")
def _(at: Path) -> Run:
    run = takeover(at).but(file="openvpnas.log")
    text = "Switching to state: MASTER"
    run.event(15.7, "log.line", "secondary", 0.1, file="openvpnas.log", text=text)
    return run


@row("FO-03", "a wipe keeps the users", FAIL, "left after the wipe: seeded-one")
def _(at: Path) -> Run:
    return prepared(at).changed("init.wiped", left=["seeded-one"])


@row(
    "FO-06", "a row is GOOD with a key that was not copied", FAIL, "key-not-copied these read GOOD"
)
def _(at: Path) -> Run:
    run = validated(at)
    for event in run.events:
        if event[1] == "validate.shown" and event[3]["broken"] == "key-not-copied":
            event[3]["rows"] = [{**one, "good": True} for one in event[3]["rows"]]
    return run


@row("FO-05", "a key in one direction only", FAIL, "secondary")
def _(at: Path) -> Run:
    return _one_way(prepared(at))


def _one_way(run: Run) -> Run:
    for event in run.events:
        if event[1] == "ssh.attempted" and event[3]["origin"] == "secondary":
            event[3]["status"] = 255
    return run


@row("FO-10", "a virtual IP outside the nodes' subnet is accepted", FAIL, "accepted")
def _(at: Path) -> Run:
    return prepared(at).changed("commit.attempted", accepted=True, error="")


@row("FO-07", "a fifth row", FAIL, "5 rows")
def _(at: Path) -> Run:
    run = validated(at)
    for event in run.events:
        if event[1] == "validate.shown":
            event[3]["rows"] = [*event[3]["rows"], {"name": "a fifth", "good": True}]
    return run


@row("MN-01", "a node without its IPv6 address", FAIL, "node-b")
def _(_: Path):
    run = run_mn_01()
    for link in run.find("interfaces.shown", "node-b")["links"]:
        entries = link.get("addr_info", [])
        link["addr_info"] = [one for one in entries if one["family"] == "inet"]
    return run


@row("MN-04", "managementIp of node-b set to node-a's", FAIL, "managementIp")
def _(_: Path):
    run = run_config()
    profiles = run.find("controller.config")["profiles"]
    profiles["node-b"]["managementIp"] = profiles["node-a"]["managementIp"]
    return run


@row("MN-05", "both profiles with one range", FAIL, "range")
def _(_: Path):
    run = run_config()
    profiles = run.find("controller.config")["profiles"]
    profiles["node-b"]["range"] = profiles["node-a"]["range"]
    return run


@row("MN-06", "a missing comma", FAIL, "syntax error")
def _(_: Path):
    run = run_mn_06()
    wrong = {"status": 255, "output": "PHP Parse error:  syntax error, unexpected '='"}
    run.find("php.linted", "node-b")["files"][0].update(wrong)
    return run


@row("MN-07", "`Require ip` of node-b's IPv6 missing", FAIL, "node-b", "403")
def _(_: Path):
    run = run_http()
    for one in run.all("api.answered", "node-b"):
        if one["family"] == 6:
            one.update(status=403, content_type="text/html", body="Forbidden")
    return run


@row("MN-08", "`Require all granted`", FAIL, "401, not 403")
def _(_: Path):
    run = run_http()
    told = dict(run.all("api.answered", "node-a")[0])
    for name in GUIDE.strangers:
        for one in run.all("api.answered", name):
            one.update({key: told[key] for key in ("status", "content_type", "body")})
    return run


@row("MN-22", "a fixed order: node-a is always first", FAIL, "do not come first equally often")
def _(_: Path):
    return run_mn_22(order=lambda family, _: GUIDE.node_addresses(family))


@row("MN-02", "certificate for another name", FAIL, "is for www.tuxed.net, not for frkovpn")
def _(_: Path):
    run = run_mn_02()
    for one in run.all("portal.shown"):
        one.update(verified=False, certificate=certificate("www.tuxed.net"), status=0, location="")
    return run


@row("MN-03", "credentials swapped", FAIL, "demo, with the printed password, got 200")
def _(_: Path):
    run = run_mn_03()
    for one in run.all("portal.login"):
        if one["credentials"] != "wrong":
            good = one["credentials"] == "other"
            seen = "refusal" if one["user"] == "demo" else "connections"
            one.update(status=302 if good else 200, sees=seen if good else "form")
    return run


@row("MN-16", "`natRules` for `internet` only", FAIL, "an address inside the VPN, left node-b")
def _(_: Path):
    run = run_mn_16()
    for one in run.all("web.asked"):
        one.update(status=0, detail="curl: (28) Connection timed out")
    run.find("web.logged")["requests"] = []
    inside = ip("10.2.0.3", GUIDE.services.address(4), 6, bytes(20))
    run.frames.append(replace(sent(inside), interface="node-b/wire0"))
    return run


@row("MN-17", "daemon certificate with another name", FAIL, "it is not so that client-1 stands")
def _(_: Path):
    run = run_mn_17()
    first, last = run.all("connections.shown")
    nobody = {name: [] for name in first["profiles"]}
    first["profiles"] = nobody
    again = {
        **last,
        "asked_ns": last["asked_ns"] - 10 * SECOND,
        "at_ns": last["at_ns"] - 9 * SECOND,
    }
    run.events.insert(0, ("connections.shown", "client", again))
    return run


@row("MN-19", "hook always exits 0", FAIL, "client-1 by tcp over IPv4 to node-b got in")
def _(_: Path):
    run = run_mn_19()
    tried = run.all("tunnel.tried")
    for one in tried[-2:]:
        first = next(other for other in tried if other["client"] == one["client"])
        one.update({**first, "at_ns": one["at_ns"]})
    return run


@row("MN-09", "server certificate used as the client's", FAIL, "speaks for serverAuth, not for")
def _(_: Path):
    run = run_mn_09()
    files = run.find("credentials.shown", "controller")["files"]
    (own,) = (one for one in files if (one["of"], one["what"]) == ("client", "certificate"))
    own["text"] = made("server")
    return run


@row("MN-12", "`profileList` left out", FAIL, "node-b has no profileList")
def _(_: Path):
    run = run_mn_12()
    run.find("node.configured", "node-b")["profile_list"] = None
    run.find("server.state", "node-b")["files"]["node-a-0.conf"] = "setenv PROFILE_ID node-a"
    return run


@row("MN-20", "ta.key unreadable for the web server", FAIL, "node-a was answered 500")
def _(_: Path):
    run = run_mn_20()
    for one in run.all("configuration.asked"):
        if one["profile"] == "node-a":
            one.update(status=500, hosts=[], key="")
    return run


@row("MN-31", "config wiped", FAIL, "the API's configuration is gone")
def _(_: Path):
    run = run_mn_31()
    run.all("installation.shown")[-1]["config"] = ""
    return run


@row("MN-32", "password on a command line", FAIL, "stands in command lines of controller")
def _(_: Path):
    run = run_mn_32()
    found = [{"secret": "admin's password", "at": "sh"}]
    for one in run.all("secrets.searched", "controller"):
        if one["where"] == "command lines":
            one["found"] = found
    return run
