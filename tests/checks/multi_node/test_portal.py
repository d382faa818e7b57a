"""Each check of the portal rejects the mutants of a good run by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from checks.engine.verdict import Status
from tests.checks.factories import SECOND, Data, Run, ip, sent, udp
from tests.checks.multi_node.portal_runs import (
    at,
    certificate,
    good_portal,
    page,
    run_mn_02,
    run_mn_03,
    run_mn_16,
    run_mn_17,
    run_mn_19,
)
from tests.checks.multi_node.runs import judge_mutant
from tests.checks.sites import GUIDE

NAMES = [
    ("FRKOVPN.tuxed.net", True),
    ("*.tuxed.net", True),
    ("*.net", False),
    ("*.frkovpn.tuxed.net", False),
    ("f*.tuxed.net", False),
]
"""Names in a certificate, and whether they are for the portal's."""

REQUIREMENTS = ("MN-02", "MN-03", "MN-16", "MN-17", "MN-18", "MN-19")


def doubt_of(run: Run, requirement: str, directory: Path) -> str:
    verdict = run.judge(requirement, directory)
    assert verdict.status is Status.UNKNOWN, verdict.text
    return verdict.text


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_good_run_passes(requirement: str, tmp_path: Path) -> None:
    verdict = good_portal(GUIDE)[requirement]().judge(requirement, tmp_path)
    assert verdict.status is Status.PASS, verdict.text


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_each_kind_of_event_is_needed(requirement: str, tmp_path: Path) -> None:
    asked = {
        "MN-02": ("portal.shown",),
        "MN-03": ("portal.login",),
        "MN-16": ("tunnel.tried", "web.asked", "web.logged"),
        "MN-17": ("tunnel.tried", "tunnel.turned", "connections.shown"),
        "MN-18": ("tunnel.tried", "account.acted", "tunnel.probed", "connections.shown"),
        "MN-19": ("tunnel.tried", "account.acted", "hook.refused"),
    }[requirement]
    for kind in asked:
        run = good_portal(GUIDE)[requirement]()
        run.events = [one for one in run.events if one[0] != kind]
        place = tmp_path / kind
        place.mkdir()
        assert run.judge(requirement, place).status is Status.UNKNOWN, kind


# MN-02


def shown(run: Run) -> Data:
    return run.all("portal.shown")[1]


def test_mn_02_rejects_a_certificate_for_another_name(tmp_path: Path) -> None:
    run = run_mn_02()
    shown(run)["certificate"] = certificate("elsewhere.tuxed.net")
    text = judge_mutant(run, "MN-02", tmp_path)
    assert "is for elsewhere.tuxed.net, not for frkovpn.tuxed.net" in text


def test_mn_02_rejects_a_certificate_without_a_name(tmp_path: Path) -> None:
    run = run_mn_02()
    shown(run)["certificate"] = certificate()
    assert "is for no name, not for frkovpn" in judge_mutant(run, "MN-02", tmp_path)


def test_mn_02_rejects_a_certificate_of_somebody_else(tmp_path: Path) -> None:
    run = run_mn_02()
    shown(run).update(verified=False, detail="curl: (60) self-signed certificate")
    text = judge_mutant(run, "MN-02", tmp_path)
    assert "does not verify the certificate over IPv6: curl: (60) self-signed" in text


def test_mn_02_rejects_an_answer_that_leads_elsewhere(tmp_path: Path) -> None:
    run = run_mn_02()
    shown(run)["location"] = "https://elsewhere.tuxed.net/vpn-user-portal/"
    assert "is 302 https://elsewhere" in judge_mutant(run, "MN-02", tmp_path)


def test_mn_02_cannot_tell_by_what_is_no_certificate(tmp_path: Path) -> None:
    run = run_mn_02()
    shown(run)["certificate"] = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"
    assert "cannot be read" in doubt_of(run, "MN-02", tmp_path)


def test_mn_02_is_about_both_families(tmp_path: Path) -> None:
    run = run_mn_02()
    run.events.pop()
    assert "over IPv6" in doubt_of(run, "MN-02", tmp_path)


# MN-03


def login(run: Run, user: str, credentials: str) -> Data:
    (found,) = [
        one
        for one in run.all("portal.login")
        if (one["user"], one["credentials"]) == (user, credentials)
    ]
    return found


def test_mn_03_rejects_credentials_that_are_swapped(tmp_path: Path) -> None:
    run = run_mn_03()
    login(run, "demo", "printed").update(status=200, sees="form")
    login(run, "demo", "other").update(status=302, sees="refusal")
    text = judge_mutant(run, "MN-03", tmp_path)
    assert "demo, with the printed password, got 200, and then the login form" in text
    assert "demo, with a password that is not theirs, got 302" in text


def test_mn_03_rejects_a_wrong_password_that_lets_in(tmp_path: Path) -> None:
    run = run_mn_03()
    login(run, "admin", "wrong").update(status=302, sees="connections")
    assert "admin, with a password that is not theirs" in judge_mutant(run, "MN-03", tmp_path)


@pytest.mark.parametrize(("user", "sees"), [("demo", "connections"), ("admin", "refusal")])
def test_mn_03_rejects_users_who_are_what_they_are_not(
    user: str, sees: str, tmp_path: Path
) -> None:
    run = run_mn_03()
    login(run, user, "printed")["sees"] = sees
    assert f"{user}, with the printed password, got 302" in judge_mutant(run, "MN-03", tmp_path)


# MN-16


def test_mn_16_rejects_clients_whose_node_does_no_nat(tmp_path: Path) -> None:
    run = run_mn_16()
    run.all("web.asked")[2].update(status=0, detail="curl: (28) Connection timed out")
    run.find("web.logged")["requests"].pop(2)
    unchanged = ip("10.2.0.2", "145.0.6.10", 6, bytes(20))
    run.frames.append(replace(sent(unchanged), interface="node-b/wire0"))
    text = judge_mutant(run, "MN-16", tmp_path)
    assert "client-1 over IPv4 got no answer: curl: (28)" in text
    assert "10.2.0.2, an address inside the VPN, left node-b as it was" in text


def test_mn_16_accepts_a_log_of_who_listens_on_ipv6_for_both(tmp_path: Path) -> None:
    run = run_mn_16()
    for request in run.find("web.logged")["requests"]:
        if ":" not in request["address"]:
            request["address"] = f"::ffff:{request['address']}"
    verdict = run.judge("MN-16", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_mn_16_a_client_may_have_a_long_name(tmp_path: Path) -> None:
    run = run_mn_16()
    for _, _, data in run.events:
        if "client" in data:
            data["client"] += f".{'a-domain.' * 10}example"
    verdict = run.judge("MN-16", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def test_mn_16_rejects_the_address_of_another(tmp_path: Path) -> None:
    run = run_mn_16()
    run.find("web.logged")["requests"][3]["address"] = GUIDE.address("node-a", 6)
    text = judge_mutant(run, "MN-16", tmp_path)
    assert "which belongs to node-a, not from 2001:610:188:418:145:0:6:73" in text


def test_mn_16_cannot_tell_of_what_was_not_logged(tmp_path: Path) -> None:
    run = run_mn_16()
    run.find("web.logged")["requests"].pop()
    assert "does not have /client-1-6" in doubt_of(run, "MN-16", tmp_path)


def test_mn_16_wants_a_tunnel_that_the_wire_has_carried(tmp_path: Path) -> None:
    run = run_mn_16()
    run.frames = [frame for frame in run.frames if b"GET" in frame.data]
    assert "too few for a tunnel" in doubt_of(run, "MN-16", tmp_path)


def test_mn_16_what_clients_send_themselves_is_not_the_nodes(tmp_path: Path) -> None:
    run = run_mn_16()
    run.frames.append(sent(ip("10.2.0.2", "145.0.6.10", 6, bytes(20))))
    assert run.judge("MN-16", tmp_path).status is Status.PASS


# MN-17


def pages(run: Run) -> list[Data]:
    return run.all("connections.shown")


def read_once_more(run: Run, asked: float, came: float) -> Run:
    """Let the first page have been read again, as it was."""
    again = {**pages(run)[0], "asked_ns": at(asked), "at_ns": at(came)}
    run.events.insert(0, ("connections.shown", "client", again))
    run.events.sort(key=lambda one: one[2].get("at_ns", 0))
    return run


def test_mn_17_rejects_a_page_that_stays_empty(tmp_path: Path) -> None:
    run = read_once_more(run_mn_17(), 28, 29)
    for one in pages(run):
        one["profiles"] = {"node-a": [], "node-b": []}
    text = judge_mutant(run, "MN-17", tmp_path)
    assert "after 18.0 s, not the 5 s that are allowed, it is not so that client-0" in text
    assert "client-1 stands under node-b" in text


def test_mn_17_rejects_a_page_that_fails(tmp_path: Path) -> None:
    run = read_once_more(run_mn_17(), 28, 29)
    for one in pages(run):
        one.update(status=500, profiles={})
    assert "(the page answered 500)" in judge_mutant(run, "MN-17", tmp_path)


def test_mn_17_rejects_a_client_below_the_other_node(tmp_path: Path) -> None:
    run = run_mn_17()
    profiles = pages(run)[0]["profiles"]
    pages(run)[0]["profiles"] = {"node-a": profiles["node-b"], "node-b": profiles["node-a"]}
    text = judge_mutant(run, "MN-17", tmp_path)
    assert "client-0, a client of node-a, stands under node-b" in text


def test_mn_17_rejects_a_client_that_stays_after_it_has_left(tmp_path: Path) -> None:
    run = run_mn_17()
    last = pages(run)[-1]
    last.update(asked_ns=at(37), at_ns=at(38), profiles=pages(run)[0]["profiles"])
    text = judge_mutant(run, "MN-17", tmp_path)
    assert "after 6.0 s, not the 5 s that are allowed, it is not so that client-0 is gone" in text


def late_page(run: Run) -> Run:
    """Let no page have shown anybody before 7.5 s after they connected."""
    read_once_more(run, 16, 16.7)
    pages(run)[0].update(profiles={"node-a": [], "node-b": []})
    return run


def test_mn_17_does_not_know_of_a_page_that_was_read_too_late(tmp_path: Path) -> None:
    text = doubt_of(late_page(run_mn_17()), "MN-17", tmp_path)
    assert "client-0 stands under node-a, but it is known only to 7.5 s" in text


@pytest.mark.parametrize(("told_s", "status"), [(12.0, Status.PASS), (11.6, Status.UNKNOWN)])
def test_mn_17_nobody_is_connected_before_the_last_message_of_its_handshake(
    told_s: float, status: Status, tmp_path: Path
) -> None:
    run = late_page(run_mn_17())
    for one in (each for each in run.all("tunnel.turned") if each["up"]):
        one["at_ns"] = at(13)
    for number, one in enumerate(run.all("tunnel.tried")):
        one["at_ns"] = at(16.8)
        for code, seconds in ((4, told_s), (9, told_s + 0.1)):
            ends = (one["remote"], 1194), (one["address4"], 40000)
            frame = sent(udp(*ends, bytes([code << 3]) + bytes(50)))
            run.frames.append(replace(frame, at_ns=at(seconds + 0.01 * number)))
    verdict = run.judge("MN-17", tmp_path)
    assert verdict.status is status, verdict.text


def test_mn_17_says_what_kept_a_page_from_being_read(tmp_path: Path) -> None:
    run = late_page(run_mn_17())
    late = {"of": "controller", "from_ns": at(11), "kept_ns": 4 * SECOND, "at_ns": at(16)}
    run.events.append(("host.late", "host", late))
    verdict = run.judge("MN-17", tmp_path)
    assert (verdict.status, verdict.late) == (Status.UNKNOWN, True), verdict.text
    assert "`controller` was kept from running for 4.0 s" in verdict.text


def test_mn_17_excuses_what_is_missing_by_no_more_than_the_host_was_late(tmp_path: Path) -> None:
    run = run_mn_17()
    missing = page(GUIDE, 16, 17, [])
    run.events.insert(0, ("connections.shown", "client", missing))
    assert "after 6.0 s" in judge_mutant(run, "MN-17", tmp_path)
    (tmp_path / "late").mkdir()
    late = {"of": "node-a", "from_ns": at(10), "kept_ns": SECOND, "at_ns": at(12)}
    other = {**late, "of": "node-b"}
    run.events += [("host.late", "host", late), ("host.late", "host", other)]
    assert "was kept from running" in doubt_of(run, "MN-17", tmp_path / "late")


def test_mn_17_a_page_that_came_once_a_client_had_left_need_not_list_it(tmp_path: Path) -> None:
    run = run_mn_17()
    run.events.append(("connections.shown", "client", page(GUIDE, 29.9, 32, [])))
    verdict = run.judge("MN-17", tmp_path)
    assert verdict.status is Status.PASS, verdict.text


def on_a_site(run: Run, unsure_s: float) -> Run:
    """Let the frames have been heard on the machines, by clocks that are so far off."""
    heard = {"lab": "lab", "uncertainty_ns": round(unsure_s * SECOND)}
    run.events.append(("site.heard", "site", heard))
    return run


@pytest.mark.parametrize(
    ("unsure_s", "status"), [(0.4, Status.FAIL), (0.9, Status.UNKNOWN), (9, Status.UNKNOWN)]
)
def test_mn_17_who_left_by_a_sites_clocks_left_when_they_are_sure_of_it(
    unsure_s: float, status: Status, tmp_path: Path
) -> None:
    run = on_a_site(run_mn_17(), unsure_s)
    last = pages(run)[-1]
    last.update(asked_ns=at(36.6), at_ns=at(36.7), profiles=pages(run)[0]["profiles"])
    verdict = run.judge("MN-17", tmp_path)
    assert verdict.status is status, verdict.text


@pytest.mark.parametrize(("unsure_s", "status"), [(0.4, Status.PASS), (0.9, Status.UNKNOWN)])
def test_mn_17_who_is_gone_by_a_sites_clocks_left_when_it_may_have_said_its_last(
    unsure_s: float, status: Status, tmp_path: Path
) -> None:
    """Seen there at 30 s, its last word is of 31 s, and a page of 35.5 s is without it."""
    run = on_a_site(run_mn_17(), unsure_s)
    pages(run)[-1].update(asked_ns=at(35), at_ns=at(35.5))
    verdict = run.judge("MN-17", tmp_path)
    assert verdict.status is status, verdict.text


@pytest.mark.parametrize(("unsure_s", "status"), [(0.2, Status.PASS), (0.5, Status.UNKNOWN)])
def test_mn_17_who_came_by_a_sites_clocks_came_when_they_may_have_told(
    unsure_s: float, status: Status, tmp_path: Path
) -> None:
    """A page shows it 5 s after its handshake, less 0.3 s, by a node whose clock is off."""
    run = late_page(run_mn_17())
    for one in (each for each in run.all("tunnel.turned") if each["up"]):
        one["at_ns"] = at(13)
    for number, one in enumerate(run.all("tunnel.tried")):
        one["at_ns"] = at(16.8)
        for code, seconds in ((4, 12.0), (9, 12.1)):
            ends = (one["remote"], 1194), (one["address4"], 40000)
            frame = sent(udp(*ends, bytes([code << 3]) + bytes(50)))
            run.frames.append(replace(frame, at_ns=at(seconds + 0.01 * number)))
    verdict = on_a_site(run, unsure_s).judge("MN-17", tmp_path)
    assert verdict.status is status, verdict.text


# MN-18, MN-19


def test_mn_18_rejects_a_tunnel_that_goes_on(tmp_path: Path) -> None:
    run = run_mn_19()
    run.all("tunnel.probed")[1]["answered"] = True
    text = judge_mutant(run, "MN-18", tmp_path)
    assert "the tunnel of client-1 still works: an echo comes back" in text


def test_mn_18_rejects_a_client_that_stays_on_the_page(tmp_path: Path) -> None:
    run = run_mn_19()
    pages(run)[1]["profiles"] = pages(run)[0]["profiles"]
    assert "client-1 is still on the page" in judge_mutant(run, "MN-18", tmp_path)


def test_mn_18_rejects_a_portal_that_refuses(tmp_path: Path) -> None:
    run = run_mn_19()
    run.all("account.acted")[1]["status"] = 400
    assert "admin was answered 400 by the portal" in judge_mutant(run, "MN-18", tmp_path)


def test_mn_18_does_not_count_whom_the_page_never_had(tmp_path: Path) -> None:
    run = run_mn_19()
    pages(run)[0]["profiles"] = {"node-a": [], "node-b": []}
    assert "client-1 was not on the page" in judge_mutant(run, "MN-18", tmp_path)


def again(run: Run, client: str) -> Data:
    return [one for one in run.all("tunnel.tried") if one["client"] == client][-1]


@pytest.mark.parametrize(
    ("client", "who"), [("client-0", "a deleted certificate"), ("client-1", "a disabled user")]
)
def test_mn_19_rejects_a_hook_that_lets_everybody_in(client: str, who: str, tmp_path: Path) -> None:
    run = run_mn_19()
    first = next(one for one in run.all("tunnel.tried") if one["client"] == client)
    again(run, client).update({**first, "at_ns": at(29)})
    text = judge_mutant(run, "MN-19", tmp_path)
    assert f"{client} by tcp over IPv4" in text
    assert "got in" in text
    assert who


Change = Callable[[Run], object]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda run: again(run, "client-0").update(detail="timed out"), "only not let in: timed"),
        (lambda run: run.all("hook.refused")[0].update(messages=["[503]"]), "but '[503]'"),
        (lambda run: run.all("hook.refused")[1].update(messages=[]), "but nothing"),
        (lambda run: run.frames.clear(), "the wire"),
        (lambda run: run.all("hook.refused")[0].update(client="client-1"), "but nothing"),
    ],
)
def test_mn_19_a_node_that_keeps_everybody_out_shows_nothing(
    change: Change, why: str, tmp_path: Path
) -> None:
    run = run_mn_19()
    change(run)
    assert why.replace("'", "") in doubt_of(run, "MN-19", tmp_path).replace("'", "")


def test_mn_19_wants_both_ways_of_being_kept_out(tmp_path: Path) -> None:
    run = run_mn_19()
    run.events = [one for one in run.events if one[2].get("action") != "delete"]
    assert "a deleted certificate was not tried" in doubt_of(run, "MN-19", tmp_path)


@pytest.mark.parametrize(("name", "is_for"), NAMES)
def test_a_certificate_is_for_the_names_that_it_stands_for(
    name: str, is_for: bool, tmp_path: Path
) -> None:
    run = run_mn_02()
    for one in run.all("portal.shown"):
        one["certificate"] = certificate(name)
    verdict = run.judge("MN-02", tmp_path)
    assert (verdict.status is Status.PASS) is is_for, verdict.text
