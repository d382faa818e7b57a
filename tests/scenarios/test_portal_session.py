"""A scenario's browser, on the drop-in portal and, where it can be had, on the genuine one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from lab.errors import ScenarioError
from lab.machine import CommandResult
from scenarios.multi_node.portal import Page, Portal, listed_as
from tests.reference import portals
from tests.reference.conftest import installed as installed
from tests.reference.drop_in import Machine

TOOK_S = 4711.0
"""What the machine says that a command took: the wait for another lab's quiet is no part of it."""


@dataclass
class ThisMachine:
    """Runs commands here."""

    name: str = "client"

    def run(self, command: str, *, stdin: str = "", **_: object) -> Any:
        assert "password" not in command
        done = subprocess.run(
            ["sh", "-c", command], input=stdin, capture_output=True, text=True, check=False
        )
        return CommandResult(command, done.returncode, done.stdout, done.stderr, TOOK_S)


@pytest.fixture(scope="module")
def api() -> Iterator[portals.MadeUpApi]:
    with portals.made_up_api() as made:
        yield made


@pytest.fixture(scope="module", params=["drop-in", "genuine"])
def root(
    request: pytest.FixtureRequest,
    installed: Machine,
    api: portals.MadeUpApi,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    place = tmp_path_factory.mktemp("portal")
    if request.param == "genuine":
        if why := portals.why_not():
            pytest.skip(f"no genuine portal: {why}")
        serving = portals.genuine(portals.installed_genuine(place), api.uri)
    else:
        machine = Machine(place / "machine")
        shutil.copytree(installed.root, machine.root, symlinks=True)
        portals.add_users(machine)
        serving = portals.drop_in(machine, api.uri)
    with serving as port:
        yield f"http://127.0.0.1:{port}{portals.ROOT}"


@pytest.fixture
def portal(root: str, api: portals.MadeUpApi) -> Portal:
    api.asked.clear()
    return Portal(cast(Any, ThisMachine()), root)


def asked(api: portals.MadeUpApi) -> list[str]:
    return [call for call, _ in api.asked]


def test_a_good_password_leads_on_and_a_wrong_one_to_the_form(portal: Portal) -> None:
    answer = portal.log_in("demo", portals.PASSWORDS["demo"])
    assert (answer.status, answer.location) == (302, portal.root)
    assert not portal.get("home").is_login
    answer = portal.log_in("demo", "wrong")
    assert (answer.status, answer.is_login) == (200, True)
    assert portal.get("home").is_login  # nobody is logged in any more


def test_who_is_no_administrator_is_refused(portal: Portal) -> None:
    portal.log_in("demo", portals.PASSWORDS["demo"])
    assert portal.get("connections").status == 403


def test_a_configuration_is_downloaded_by_the_form(portal: Portal, api: portals.MadeUpApi) -> None:
    portal.log_in("demo", portals.PASSWORDS["demo"])
    page = portal.download("node-a", 'a "name"')
    assert page.status == 200
    assert "remote node-a.frkovpn.tuxed.net 1194 udp" in page.text.splitlines()
    given = dict(api.asked)["add_client_certificate"]
    assert given["display_name"] == 'a "name"'


def test_who_is_connected_is_read_from_the_page(portal: Portal) -> None:
    portal.log_in("admin", portals.PASSWORDS["admin"])
    page = portal.get("connections")
    (row,) = page.connections["node-a"]
    assert (row.user, row.name) == ("demo", "a laptop")
    assert row.addresses == ("10.1.0.2", "fd00:1:1:1::2")
    assert page.connections["node-b"] == ()
    assert list(listed_as(page, ("fd00:1:1:1::2",))) == ["demo"]
    assert list(listed_as(page, ("10.1.0.3",))) == []


def test_an_administrator_disables_and_enables(portal: Portal, api: portals.MadeUpApi) -> None:
    portal.log_in("admin", portals.PASSWORDS["admin"])
    assert portal.act_on("demo", "disableUser").status == 302
    assert asked(api)[-2:] == ["disable_user", "kill_client"]
    with pytest.raises(ScenarioError, match="offers no enableUser for demo"):
        portal.act_on("demo", "enableUser")
    api.disabled.add("demo")
    try:
        assert portal.act_on("demo", "enableUser").status == 302
    finally:
        api.disabled.clear()
    assert asked(api)[-1] == "enable_user"


def test_a_user_deletes_what_was_downloaded(portal: Portal, api: portals.MadeUpApi) -> None:
    portal.log_in("demo", portals.PASSWORDS["demo"])
    assert [page.status for page in portal.delete_certificates()] == [302]
    assert asked(api)[-2:] == ["delete_client_certificate", "kill_client"]


def test_a_portal_that_is_away_is_told_by_curl() -> None:
    portal = Portal(cast(Any, ThisMachine()), "http://127.0.0.1:1/vpn-user-portal/")
    page = portal.get("home")
    assert page.status == 0
    assert page.text.startswith("curl: (7)")
    assert page.waited_s == TOOK_S
    with pytest.raises(ScenarioError, match=r"\(0\) has no form with userName and userPass"):
        portal.log_in("demo", "x")


def test_what_is_no_portal_has_no_connections() -> None:
    page = Page("http://x/", 200, "", "<h1>It works</h1><tr><td><code>10.1.0.2</code></tr>")
    assert page.connections == {}
    assert not page.is_login
