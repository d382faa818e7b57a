"""Each scenario of the portal records what its check needs, on a portal that is made up."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from checks.engine.judging import judge_now
from checks.engine.verdict import Status
from evidence.capture import Frame
from evidence.event import Event
from evidence.events.multi_node import TunnelStarted
from evidence.events.portal import (
    AccountActed,
    ConfigurationAsked,
    ConfigurationsShown,
    PortalLogin,
    PortalShown,
)
from evidence.history import read_history
from evidence.secret import Secrets
from lab.clock import NS
from scenarios.multi_node import test_portal, visits
from scenarios.multi_node.portal import Portal
from tests.captures import capture
from tests.checks.factories import tunnel_frames
from tests.checks.multi_node.portal_runs import certificate
from tests.scenarios.pretended_portal import PASSWORDS, PRINTED, PretendedPortal
from tests.scenarios.test_multi_node_scenarios import ScriptedMachine, Stage
from tests.scenarios.test_multi_node_scenarios import stage as stage

CURL = "curl -q -K -"
SILENCE = "curl: (28) Operation timed out after 180000 milliseconds"


@pytest.fixture
def portal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> PretendedPortal:
    site = stage.site
    made = PretendedPortal(site)
    monkeypatch.setattr(test_portal, "quiet", lambda _: nullcontext())
    monkeypatch.setattr(cast(Any, stage.lab), "directory", stage.directory, raising=False)
    stage.lab[site.controller.name].script = {"deploy_controller.log": PRINTED}
    stage.lab[site.client.name].script = {CURL: made.answer, "rm -f": ""}
    for node in site.nodes:
        stage.lab[node].script = {"date +%s": "1700000000\n", "journalctl": hook_log(node, site)}
    stage.lab[site.services.name].script = {"grep -F": lambda *_: web_log(stage)}
    return made


def hook_log(node: str, site: Any) -> str:
    deleted = "client-connect: user or certificate does not exist\n"
    disabled = "[VPN] unable to connect, account is disabled\n"
    return (deleted if node == site.nodes[0] else "") + (disabled if node == site.nodes[-1] else "")


def recorded(stage: Stage, kind: type[Any]) -> list[Any]:
    return list(read_history(stage.history.path).of(kind))


def web_log(stage: Stage) -> str:
    lines = []
    for event in recorded(stage, visits.WebAsked):
        node = next(one for one in stage.site.nodes if event.client.startswith(one))
        address = stage.site.address(node, event.family)
        lines.append(f'1700000000000000 {address} "GET {event.path} HTTP/1.1" 404\n')
    return "".join(lines)


def judged(stage: Stage, portal: PretendedPortal, requirement: str) -> None:
    """Judge by a wire on which each client was served right after it was sent."""
    (stage.directory / "wire").mkdir(exist_ok=True)
    frames = [frame for one in recorded(stage, TunnelStarted) for frame in served(portal, one)]
    content = capture(frames, stage.began_ns - NS, max(frame.at_ns for frame in frames) + 600 * NS)
    (stage.directory / "wire/lab.pcapng").write_bytes(content)
    stage.verdict = judge_now(stage.directory, stage.history, requirement)
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def served(portal: PretendedPortal, event: TunnelStarted) -> Sequence[Frame]:
    client = portal.clients.all[event.client]
    _, remote, _, protocol = client.config.split("\n")[0].split()
    data = {"transport": "tcp" if "tcp" in protocol else "udp", "family": 4, "remote": remote,
            "address4": client.ipv4, "address6": client.ipv6}  # fmt: skip
    made = tunnel_frames(data, portal.site)
    return [
        replace(frame, at_ns=event.at_ns + 1000 * number)
        for number, frame in enumerate(made, start=1 + list(portal.clients.all).index(event.client))
    ]


def test_logins_are_tried_with_every_password(stage: Stage, portal: PretendedPortal) -> None:
    test_portal.test_the_printed_credentials_log_in_and_no_others(
        cast(Any, stage.lab), stage.site, stage.history, stage.judge
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text
    kept = {one.value for one in Secrets(stage.directory).known()}
    assert kept >= set(PASSWORDS.values())
    assert not any(one in stage.history.path.read_text() for one in PASSWORDS.values())


@dataclass
class Silent:
    """A portal of which some pages do not come: those that a request for them speaks of."""

    portal: PretendedPortal
    of: str

    def answer(self, command: str, stdin: str) -> str:
        return SILENCE if self.of in stdin else self.portal.answer(command, stdin)


@pytest.mark.parametrize(
    ("of", "status"),
    [('/vpn-user-portal/"', 0), ("userName=demo", 0), ("vpn-user-portal/connections", 302)],
)
def test_a_login_whose_answer_did_not_come_is_recorded_with_the_words_of_curl(
    stage: Stage, portal: PretendedPortal, of: str, status: int
) -> None:
    silent = Silent(portal, of)
    stage.lab[stage.site.client.name].script = {CURL: silent.answer}
    test_portal.test_the_printed_credentials_log_in_and_no_others(
        cast(Any, stage.lab), stage.site, stage.history, stage.judge
    )
    login = recorded(stage, PortalLogin)[0]
    assert (login.user, login.credentials) == ("demo", "printed")
    assert (login.status, login.sees, login.detail) == (status, "else", SILENCE)
    assert login.waited_s > 0
    assert "curl: (28)" in stage.verdict.text


def test_a_login_that_was_answered_waited_for_nothing(
    stage: Stage, portal: PretendedPortal
) -> None:
    test_portal.test_the_printed_credentials_log_in_and_no_others(
        cast(Any, stage.lab), stage.site, stage.history, stage.judge
    )
    assert {(one.detail, one.waited_s) for one in recorded(stage, PortalLogin)} == {("", None)}


@pytest.mark.parametrize("of", ["vpn-user-portal/configurations", "displayName="])
def test_a_configuration_whose_answer_did_not_come_is_recorded_with_the_words_of_curl(
    stage: Stage, portal: PretendedPortal, of: str
) -> None:
    client = stage.site.client.name
    stage.lab[client].script = {CURL: Silent(portal, of).answer}
    browser = Portal.of(cast(Any, stage.lab[client]), stage.site.controller.fqdn)
    browser.log_in("demo", PASSWORDS["demo"])
    visits.configurations(stage.history, browser, client, "demo")
    visits.ask_configuration(stage.history, browser, client, "demo", stage.site.nodes[0])
    (shown,), (asked,) = recorded(stage, ConfigurationsShown), recorded(stage, ConfigurationAsked)
    assert (asked.status, asked.detail, asked.hosts, asked.key) == (0, SILENCE, (), "")
    told = (0, SILENCE) if of.endswith("configurations") else (200, "")
    assert (shown.status, shown.detail) == told


def test_each_way_of_a_configuration_is_recorded_as_it_stands_there(
    stage: Stage, portal: PretendedPortal
) -> None:
    client = stage.site.client.name
    browser = Portal.of(cast(Any, stage.lab[client]), stage.site.controller.fqdn)
    browser.log_in("demo", PASSWORDS["demo"])
    visits.ask_configuration(stage.history, browser, client, "demo", stage.site.nodes[0])
    (asked,) = recorded(stage, ConfigurationAsked)
    assert asked.remotes == (
        "nodes.frkovpn.tuxed.net 1194 udp",
        "nodes.frkovpn.tuxed.net 1194 tcp",
    )


def test_a_deed_whose_answer_did_not_come_is_recorded_with_the_words_of_curl(
    stage: Stage, portal: PretendedPortal
) -> None:
    client = stage.site.client.name
    stage.lab[client].script = {CURL: Silent(portal, "vpn-user-portal/configurations").answer}
    browser = Portal.of(cast(Any, stage.lab[client]), stage.site.controller.fqdn)
    answers = browser.delete_certificates()
    visits.acted(stage.history, client, "demo", "delete", "deleted", answers, 0)
    (act,) = recorded(stage, AccountActed)
    assert (act.status, act.detail) == (0, SILENCE)
    assert act.waited_s > 0


def test_who_had_nothing_to_delete_was_left_without_an_answer_by_nobody(stage: Stage) -> None:
    visits.acted(stage.history, stage.site.client.name, "demo", "delete", "deleted", [], 0)
    (act,) = recorded(stage, AccountActed)
    assert (act.status, act.detail, act.waited_s) == (0, "", None)


def test_the_portals_certificate_is_recorded_as_it_was_shown(stage: Stage) -> None:
    name = stage.site.controller.fqdn
    said = f"\n302 https://{name}/vpn-user-portal/\nstatus 0\n{certificate(name)}"
    stage.lab[stage.site.client.name].script = {"curl": said}
    test_portal.test_the_portal_shows_a_certificate_for_its_name(
        cast(Any, stage.lab), stage.site, stage.history, stage.judge
    )
    assert stage.verdict.status is Status.PASS, stage.verdict.text


def test_a_certificate_that_is_refused_is_recorded_with_the_words_of_curl(stage: Stage) -> None:
    said = "curl: (60) SSL: no alternative certificate subject name matches\n\n000 \nstatus 60\n"
    machine = ScriptedMachine("client", {"curl": said})
    visits.greet(stage.history, cast(Any, machine), stage.site.controller.fqdn)
    event = recorded(stage, PortalShown)[0]
    assert (event.verified, event.status, event.certificate) == (False, 0, "")
    assert event.detail.startswith("curl: (60)")


def test_clients_of_each_node_are_looked_for_while_they_are_connected(
    stage: Stage, portal: PretendedPortal
) -> None:
    test_portal.test_clients_are_listed_while_connected_and_seen_under_their_nodes_address(
        cast(Any, stage.lab),
        stage.site,
        stage.clients(portal.clients, 4),
        stage.history,
        lambda requirement: judged(stage, portal, requirement),
    )


def kept_out(stage: Stage, portal: PretendedPortal, judge: Any) -> None:
    test_portal.test_who_is_disabled_or_deleted_is_disconnected_and_stays_out(
        cast(Any, stage.lab),
        stage.site,
        stage.clients(portal.clients, 4),
        stage.history,
        judge,
    )


def test_who_is_disabled_or_deleted_is_recorded_before_and_after(
    stage: Stage, portal: PretendedPortal
) -> None:
    kept_out(stage, portal, lambda requirement: judged(stage, portal, requirement))
    assert portal.disabled == set()
    assert [one.action for one in recorded(stage, AccountActed)] == ["disable", "delete", "enable"]


def test_a_hook_that_lets_everybody_in_is_found(
    stage: Stage, portal: PretendedPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_portal, "SECONDS", 0.01)
    portal.lets_all_in = True
    seen: dict[str, Event] = {}

    def judge(requirement: str) -> None:
        stage.judge(requirement)
        seen[requirement] = cast(Any, stage.verdict)

    kept_out(stage, portal, judge)
    assert {name: one.status for name, one in cast(Any, seen).items()} == {
        "MN-18": Status.FAIL,
        "MN-19": Status.FAIL,
    }


def test_a_line_of_the_web_servers_log_is_an_address_a_path_and_a_status() -> None:
    text = (
        '1700000000000001 145.0.6.72 "GET /a-4 HTTP/1.1" 404\n'
        'nonsense\n1700000000000002 2001:db8::1 "GET /a-6 HTTP/1.1" 200\n'
    )
    assert [(one.address, one.path, one.status) for one in visits.read_web_log(text)] == [
        ("145.0.6.72", "/a-4", 404),
        ("2001:db8::1", "/a-6", 200),
    ]


def test_a_line_of_the_web_servers_log_that_does_not_end_is_read_at_once() -> None:
    assert visits.read_web_log('1 a "GET /' + "c" * 1_000_000) == ()
