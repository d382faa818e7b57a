"""Certificates, profiles, keys, the conversion, secrets: what is broken, and what is open."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import SECOND, Data, Run, server_state
from tests.checks.multi_node.installed_runs import (
    ENDS,
    KEY,
    file,
    made,
    run_mn_09,
    run_mn_12,
    run_mn_20,
    run_mn_31,
    run_mn_32,
)
from tests.checks.multi_node.portal_runs import at
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE

Change = Callable[[Run], object]


def unsure(run: Run, requirement: str, directory: Path) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is Status.UNKNOWN, verdict.text
    return verdict.text


def credential(run: Run, source: str, of: str, what: str) -> Data:
    found = run.find("credentials.shown", source)["files"]
    return next(one for one in found if (one["of"], one["what"]) == (of, what))


# MN-09

A_DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (made("server"), "speaks for serverAuth, not for clientAuth"),
        (made("client", ENDS - A_DAY), "ends at 2028-10-31T00:00:00+00:00, its authority at"),
        (made("client", ENDS, "another"), "is not issued by the controller's authority"),
        (made("authority"), "does not have the basic constraints of vpn-ca's client"),
    ],
)
def test_a_certificate_that_is_not_the_clients_is_found(
    tmp_path: Path, text: str, why: str
) -> None:
    run = run_mn_09()
    credential(run, "controller", "client", "certificate")["text"] = text
    assert why in judge_mutant(run, "MN-09", tmp_path)


def test_an_authority_that_vpn_ca_did_not_make_is_found(tmp_path: Path) -> None:
    run = run_mn_09()
    for event in run.all("credentials.shown"):
        for one in event["files"]:
            if one["what"] == "certificate":
                one["text"] = made(one["of"], ENDS, "Some CA")
    assert "is called Some CA, not VPN CA" in judge_mutant(run, "MN-09", tmp_path)


def test_another_authority_on_a_node_is_found(tmp_path: Path) -> None:
    run = run_mn_09()
    credential(run, "node-b", "authority", "certificate")["text"] = made("authority", ENDS, "x")
    assert "node-b: /etc/ssl/vpn-daemon/ca.crt" in judge_mutant(run, "MN-09", tmp_path)


@pytest.mark.parametrize("source", ["controller", "node-b"])
def test_a_key_that_others_may_read_is_found(tmp_path: Path, source: str) -> None:
    run = run_mn_09()
    credential(run, source, "server", "key")["mode"] = "644"
    assert "may be read by others: 644 root:root" in judge_mutant(run, "MN-09", tmp_path)


def test_a_groups_key_is_no_secret_of_the_authority(tmp_path: Path) -> None:
    run = run_mn_09()
    credential(run, "controller", "authority", "key")["mode"] = "640"
    text = judge_mutant(run, "MN-09", tmp_path)
    assert "/root/ca/ca.key may be read by others: 640 root:root" in text


def test_a_copy_of_a_key_that_others_may_read_is_found_too(tmp_path: Path) -> None:
    run = run_mn_09()
    copy = file("server", "key", "/root/vpn-daemon.key", "604")
    run.find("credentials.shown", "node-a")["files"].append(copy)
    assert "/root/vpn-daemon.key" in judge_mutant(run, "MN-09", tmp_path)


def test_what_is_no_key_shows_nothing_of_keys(tmp_path: Path) -> None:
    run = run_mn_09()
    credential(run, "node-a", "server", "key")["text"] = KEY.replace("PRIVATE", "PUBLIC")
    assert "is no private key" in judge_mutant(run, "MN-09", tmp_path)


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_a_certificate_that_cannot_be_read_is_unknown(tmp_path: Path, text: str) -> None:
    run = run_mn_09()
    credential(run, "node-a", "server", "certificate")["text"] = text
    assert "cannot be read as a certificate" in unsure(run, "MN-09", tmp_path)


def test_a_certificate_that_was_not_looked_at_is_unknown(tmp_path: Path) -> None:
    run = run_mn_09()
    shown = run.find("credentials.shown", "node-b")
    shown["files"] = [one for one in shown["files"] if one["what"] == "certificate"]
    assert "the key of the server on node-b" in unsure(run, "MN-09", tmp_path)


# MN-12


def with_both(run: Run) -> None:
    """Let node-b deploy node-a's profile, too."""
    state = run.find("server.state", "node-b")
    state["files"]["node-a-0.conf"] = "setenv PROFILE_ID node-a\n"


def test_a_profile_that_is_not_on_the_list_is_found(tmp_path: Path) -> None:
    run = run_mn_12()
    with_both(run)
    assert "node-b has files of node-a" in judge_mutant(run, "MN-12", tmp_path)


def test_a_unit_of_another_profile_is_found(tmp_path: Path) -> None:
    run = run_mn_12()
    state = run.find("server.state", "node-b")
    state["units"] += "openvpn-server@node-a-0.service loaded active running it\n"
    assert "node-b has units of node-a" in judge_mutant(run, "MN-12", tmp_path)


@pytest.mark.parametrize("listed", [[], ["node-a"], ["node-a", "node-b"], "node-b"])
def test_another_list_is_found(tmp_path: Path, listed: object) -> None:
    run = run_mn_12()
    run.find("node.configured", "node-b")["profile_list"] = listed
    assert "node-b has the profileList" in judge_mutant(run, "MN-12", tmp_path)


def test_a_node_that_deploys_nothing_is_found(tmp_path: Path) -> None:
    run = run_mn_12()
    run.find("server.state", "node-a").update(files={}, units="")
    assert "node-a has no files of its own profile" in judge_mutant(run, "MN-12", tmp_path)


def test_changes_that_could_not_be_applied_are_found(tmp_path: Path) -> None:
    run = run_mn_12()
    run.find("changes.applied", "node-a")["status"] = 1
    assert "apply_changes.sh ended with 1" in judge_mutant(run, "MN-12", tmp_path)


def test_a_controller_without_another_profile_shows_nothing(tmp_path: Path) -> None:
    run = run_mn_12()
    profiles = run.find("controller.config")["profiles"]
    del profiles["node-a"]
    assert "no profile that node-b could leave out" in unsure(run, "MN-12", tmp_path)


def test_what_was_there_before_is_not_what_was_applied(tmp_path: Path) -> None:
    run = run_mn_12()
    run.find("server.state", "node-a")["at_ns"] -= 2 * SECOND
    assert "node-a deploys node-a, and not node-b" in unsure(run, "MN-12", tmp_path)


# MN-20


def asked(run: Run, profile: str) -> Data:
    return next(one for one in run.all("configuration.asked") if one["profile"] == profile)


def remote(run: Run, last: str) -> None:
    """Let the last way of the profile that is shown be another."""
    asked(run, "node-a")["remotes"][-1] = last


MERGED_WRONG: dict[str, tuple[Change, str]] = {
    "no ta.key": (
        lambda run: run.find("controller.config").update(merged=False),
        "the controller has no ta.key",
    ),
    "node-b is shown": (
        lambda run: run.find("controller.config")["profiles"]["node-b"].update(hideProfile=False),
        "node-b: hideProfile is False",
    ),
    "node-a is hidden": (
        lambda run: run.find("controller.config")["profiles"]["node-a"].update(hideProfile=True),
        "node-a: hideProfile is True",
    ),
    "a name of its own": (
        lambda run: run.find("controller.config")["profiles"]["node-b"].update(hostName="b"),
        "node-b: hostName is 'b', not nodes.frkovpn.tuxed.net",
    ),
    "node-b is offered": (
        lambda run: run.find("configurations.shown").update(offered=["node-a", "node-b"]),
        "the portal offers demo 200, and node-a, node-b",
    ),
    "node-b is to be had": (
        lambda run: asked(run, "node-b").update(status=200),
        "which is hidden, was answered 200",
    ),
    "another name in the profile": (
        lambda run: asked(run, "node-a").update(hosts=["node-a.frkovpn.tuxed.net"]),
        "leads to node-a.frkovpn.tuxed.net",
    ),
    "another port in the profile": (
        lambda run: remote(run, "nodes.frkovpn.tuxed.net 443 tcp"),
        "leads to nodes.frkovpn.tuxed.net 1194 udp, nodes.frkovpn.tuxed.net 443 tcp, not to",
    ),
    "another protocol in the profile": (
        lambda run: remote(run, "nodes.frkovpn.tuxed.net 1194 udp"),
        "not to nodes.frkovpn.tuxed.net 1194 tcp, nodes.frkovpn.tuxed.net 1194 udp",
    ),
    "no TCP in the profile": (
        lambda run: asked(run, "node-a")["remotes"].pop(),
        "a configuration of node-a leads to nodes.frkovpn.tuxed.net 1194 udp, not to",
    ),
    "one more way in the profile": (
        lambda run: asked(run, "node-a")["remotes"].append("192.0.2.7 1194 udp"),
        "192.0.2.7 1194 udp, not to",
    ),
    "another key in the profile": (
        lambda run: asked(run, "node-a").update(key="00" * 32),
        "the configuration of node-a has another TLS Crypt key",
    ),
    "another key on a node": (
        lambda run: run.find("tls-crypt.shown", "node-b")["keys"][1].update(digest="00" * 32),
        "node-b: node-b-1.conf has another TLS Crypt key",
    ),
}


@pytest.mark.parametrize("name", MERGED_WRONG)
def test_what_is_not_merged_is_found(tmp_path: Path, name: str) -> None:
    change, why = MERGED_WRONG[name]
    run = run_mn_20()
    change(run)
    assert why in judge_mutant(run, "MN-20", tmp_path)


def test_where_a_profile_leads_to_has_to_be_known(tmp_path: Path) -> None:
    run = run_mn_20()
    del asked(run, "node-a")["remotes"]
    assert "where a configuration of node-a leads to was not" in unsure(run, "MN-20", tmp_path)


def test_a_node_without_configurations_leaves_its_key_open(tmp_path: Path) -> None:
    run = run_mn_20()
    run.find("tls-crypt.shown", "node-b")["keys"] = []
    assert "node-b has no configuration of OpenVPN" in unsure(run, "MN-20", tmp_path)


# MN-31


def states(run: Run) -> tuple[Data, Data]:
    before, after = run.all("installation.shown")
    return before, after


CONVERTED_WRONG: dict[str, tuple[Change, str]] = {
    "it fails": (lambda run: run.find("script.run").update(status=3), "ended with 3"),
    "OpenVPN stays": (
        lambda run: states(run)[1]["present"].append("openvpn"),
        "openvpn is still there",
    ),
    "the node's software stays": (
        lambda run: states(run)[1]["present"].append("/etc/vpn-server-node"),
        "/etc/vpn-server-node is still there",
    ),
    "a unit stays": (
        lambda run: states(run)[1].update(units=["openvpn-server@it-0.service"]),
        "1 units of OpenVPN are left",
    ),
    "a process stays": (lambda run: states(run)[1].update(processes=1), "1 processes of OpenVPN"),
    "a file stays": (
        lambda run: states(run)[1].update(files=["it-0.conf"]),
        "1 configurations of OpenVPN",
    ),
    "the portal goes": (
        lambda run: states(run)[1]["present"].remove("vpn-user-portal-add-user"),
        "vpn-user-portal-add-user is gone",
    ),
    "the web server stops": (
        lambda run: states(run)[1].update(web="inactive"),
        "the web server is inactive",
    ),
    "the configuration is another": (
        lambda run: states(run)[1].update(config="00" * 32),
        "the API's configuration is another",
    ),
    "a user is gone": (
        lambda run: run.all("portal.login")[-1].update(status=200, sees="form"),
        "admin cannot log in any more",
    ),
    "certificates are gone": (
        lambda run: run.all("configurations.shown")[-1].update(kept=[]),
        "1 of 1 certificates of demo are gone",
    ),
}


@pytest.mark.parametrize("name", CONVERTED_WRONG)
def test_what_a_conversion_should_not_do_is_found(tmp_path: Path, name: str) -> None:
    change, why = CONVERTED_WRONG[name]
    run = run_mn_31()
    change(run)
    assert why in judge_mutant(run, "MN-31", tmp_path)


NOTHING_TO_CONVERT: dict[str, tuple[Change, str]] = {
    "no node": (lambda run: states(run)[0]["present"].remove("openvpn"), "openvpn was not there"),
    "nothing serves": (lambda run: states(run)[0].update(units=[]), "did not serve before"),
    "no configuration": (lambda run: states(run)[0].update(config=""), "no configuration of the"),
    "nobody logged in": (
        lambda run: run.all("portal.login")[0].update(status=200, sees="form"),
        "demo did not log in before",
    ),
    "no certificates": (
        lambda run: run.all("configurations.shown")[0].update(kept=[]),
        "no user had a certificate before",
    ),
    "twice": (lambda run: run.events.append(run.events[-1]), "was run 2 times, once is needed"),
    "no look before": (lambda run: run.events.remove(run.events[0]), "before and after"),
}


@pytest.mark.parametrize("name", NOTHING_TO_CONVERT)
def test_what_was_nothing_to_convert_shows_nothing(tmp_path: Path, name: str) -> None:
    change, why = NOTHING_TO_CONVERT[name]
    run = run_mn_31()
    change(run)
    assert why in unsure(run, "MN-31", tmp_path)


# MN-32


def search(run: Run, source: str, where: str) -> Data:
    found = run.all("secrets.searched", source)
    return next(one for one in found if one["where"] == where)


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("controller", "command lines"),
        ("node-b", "logs"),
        ("client", "files that everybody may read"),
        ("scenario", "the evidence"),
    ],
)
def test_a_secret_is_found_wherever_it_stands(tmp_path: Path, source: str, where: str) -> None:
    run = run_mn_32()
    search(run, source, where)["found"] = [{"secret": "admin's password", "at": "there"}]
    of = f"{where} of {source}" if source != "scenario" else where
    assert f"admin's password stands in {of}: there" in judge_mutant(run, "MN-32", tmp_path)


NOT_SEARCHED: dict[str, tuple[Change, str]] = {
    "a file": (
        lambda run: search(run, "node-a", "logs").update(unread=["/var/log/x: no"]),
        "/var/log/x: no was not searched",
    ),
    "nothing": (
        lambda run: search(run, "node-a", "logs").update(searched=0),
        "there was nothing to search in logs of node-a",
    ),
    "not for all": (
        lambda run: search(run, "node-a", "logs").update(secrets=["ta.key"]),
        "logs of node-a: not looked for: admin's password",
    ),
    "not at all": (
        lambda run: run.events.pop(),
        "no secret stands in the evidence",
    ),
    "nobody logged in": (
        lambda run: run.all("portal.login")[1].update(status=200),
        "admin had logged in",
    ),
    "nobody at a node": (
        lambda run: run.all("tunnel.tried")[1].update(up=False),
        "a client was connected to node-b",
    ),
}


@pytest.mark.parametrize("name", NOT_SEARCHED)
def test_what_was_not_searched_or_never_used_is_unknown(tmp_path: Path, name: str) -> None:
    change, why = NOT_SEARCHED[name]
    run = run_mn_32()
    change(run)
    assert why in unsure(run, "MN-32", tmp_path)


def test_every_machine_is_searched(tmp_path: Path) -> None:
    run = run_mn_32()
    run.events = [one for one in run.events if (one[0], one[1]) != ("secrets.searched", "services")]
    assert set(GUIDE.hosts) > {"services"}
    assert "services" in unsure(run, "MN-32", tmp_path)


def test_openvpn_that_is_back_at_a_later_look_is_not_gone(tmp_path: Path) -> None:
    run = run_mn_31()
    before, _ = run.all("installation.shown")
    run.events.append(("installation.shown", GUIDE.controller.name, {**before, "at_ns": at(60)}))
    assert "openvpn is still there" in judge_mutant(run, "MN-31", tmp_path)


def test_a_page_of_a_user_without_certificates_says_nothing_of_another_users(
    tmp_path: Path,
) -> None:
    run = run_mn_31()
    for page in list(run.all("configurations.shown")):
        other = {**page, "user": "admin", "kept": [], "at_ns": page["at_ns"] + SECOND}
        run.events.append(("configurations.shown", GUIDE.client.name, other))
    verdict = run.judge("MN-31", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_a_profile_that_was_deployed_and_taken_away_by_hand_was_deployed(tmp_path: Path) -> None:
    run, state = run_mn_12(), server_state("node-b")
    both = {
        **state,
        "files": {**state["files"], "node-a-0.conf": "setenv PROFILE_ID node-a\n"},
        "units": state["units"] + "openvpn-server@node-a-0.service loaded active running it\n",
        "at_ns": at(30.5),
    }
    run.events.append(("server.state", "node-b", both))
    assert "node-b has files of node-a" in judge_mutant(run, "MN-12", tmp_path)


def test_a_copy_of_a_key_that_everybody_may_read_keeps_no_secret(tmp_path: Path) -> None:
    run = run_mn_09()
    copy = file("authority", "key", "/root/ca.key", "644")
    run.find("credentials.shown", "node-a")["files"].append(copy)
    assert "node-a: /root/ca.key may be read by others: 644" in judge_mutant(run, "MN-09", tmp_path)


def test_a_search_before_the_secrets_were_used_shows_nothing(tmp_path: Path) -> None:
    run = run_mn_32()
    for kind, seconds in (("tunnel.started", 80), ("tunnel.tried", 90), ("portal.login", 90)):
        for one in run.all(kind):
            one["at_ns"] = at(seconds)
    verdict = run.judge("MN-32", tmp_path)
    assert verdict.status is Status.UNKNOWN, verdict.text


def test_a_search_for_no_secret_shows_nothing(tmp_path: Path) -> None:
    run = run_mn_32()
    for one in run.all("secrets.searched"):
        one["secrets"] = []
    assert "no secret was looked for" in unsure(run, "MN-32", tmp_path)


def test_the_page_of_one_user_shows_nothing_of_another(tmp_path: Path) -> None:
    run = run_mn_31()
    first = next(iter(run.all("configurations.shown")))
    other = {**first, "user": "admin", "at_ns": first["at_ns"] + SECOND}
    run.events.append(("configurations.shown", GUIDE.client.name, other))
    assert "not shown: the certificates of admin are kept" in unsure(run, "MN-31", tmp_path)
