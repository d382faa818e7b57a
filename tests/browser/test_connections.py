"""The drop-in portal's page Connections, and the way to it that a lab has: SSH, TLS and one key.

On the loopback, in front of an API that is made up; tests/vm has the same on real machines.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evidence.events.portal import Listed
from scenarios.multi_node.portal import Page
from tests.browser.portal import PortalWindow
from tests.browser.way_in import led_through, only_to, verified_key
from tests.browser.window import Window, driver_or_skip, window
from tests.lab.ssh_server import SshServer
from tests.reference.conftest import installed as installed
from tests.reference.conftest import with_users as with_users
from tests.reference.drop_in import Machine
from tests.reference.portals import (
    NAMES,
    PASSWORDS,
    ROOT,
    MadeUpApi,
    drop_in,
    made_up_api,
)

NAME = "portal.example.org"
DEMO = Listed(user="demo", name="a laptop", addresses=("10.1.0.2", "fd00:1:1:1::2"))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeUpApi]:
    """Serve an API that lists a client until it is told to disconnect it."""
    with made_up_api() as made:
        answer = made.answer

        def as_told(call: str, given: Mapping[str, str]) -> Any:
            said = answer(call, given)
            if call == "client_connections" and "kill_client" in dict(made.asked):
                return {profile: [] for profile in said}
            return said

        monkeypatch.setattr(made, "answer", as_told)
        yield made


@pytest.fixture
def pictures(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    return Path(pytestconfig.getoption("pictures") or tmp_path)


def test_an_administrator_sees_who_is_connected_and_disconnects_that_client(
    browser: Window, with_users: Machine, api: MadeUpApi, pictures: Path
) -> None:
    with drop_in(with_users, api.uri) as port:
        portal = PortalWindow(browser, f"http://127.0.0.1:{port}{ROOT}")
        portal.log_in("admin", PASSWORDS["admin"])
        portal.open_connections()
        seen = portal.connections()
        assert seen.listed == {"node-a": (DEMO,), "node-b": ()}
        assert seen.listed == Page(portal.root, 200, "", browser.driver.page_source).connections
        assert seen.called == {"node-a": "Node A", "node-b": "Node B"}
        assert seen.counted == {"node-a": 1, "node-b": 0}
        assert portal.pictures(pictures, "drop-in") == []
        portal.disconnect(DEMO.addresses[0])
        assert ("kill_client", {"common_name": NAMES["demo"]}) in api.asked
        assert portal.connections().listed == {"node-a": (), "node-b": ()}
        assert portal.pictures(pictures, "drop-in-nobody") == []


@pytest.mark.parametrize("page", ["", "home", "configurations", "users", "user?user_id=demo"])
def test_the_other_pages_overflow_nowhere_and_can_be_read(
    browser: Window, with_users: Machine, api: MadeUpApi, pictures: Path, page: str
) -> None:
    with drop_in(with_users, api.uri) as port:
        portal = PortalWindow(browser, f"http://127.0.0.1:{port}{ROOT}")
        portal.begin()
        if page:
            portal.log_in("admin", PASSWORDS["admin"])
            browser.driver.get(portal.root + page)
        assert portal.pictures(pictures, f"drop-in-{page.partition('?')[0] or 'login'}") == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a certificate for NAME, its own authority, with its key behind it."""
    path = tmp_path / "both.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=made up", "-addext", f"subjectAltName=DNS:{NAME}",
         "-keyout", "-", "-out", "-"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    path.write_text(made.stdout)
    return path


@pytest.fixture
def port(with_users: Machine, api: MadeUpApi, certificate: Path, tmp_path: Path) -> Iterator[int]:
    """Lead a port through SSH to the portal, which speaks TLS."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with (
        drop_in(with_users, api.uri, tls) as behind,
        closing(SshServer(tmp_path)) as server,
        led_through(server.access, "127.0.0.1", behind) as led,
    ):
        yield led


def test_the_portal_behind_a_machine_is_reached_by_its_name_and_logs_in(
    port: int, certificate: Path
) -> None:
    driver, key = driver_or_skip(), verified_key(port, NAME, certificate.read_text())
    with window(driver, *only_to(port, NAME, key)) as opened:
        portal = PortalWindow(opened, f"https://{NAME}{ROOT}")
        portal.log_in("admin", PASSWORDS["admin"])
        portal.open_connections()
        assert opened.driver.current_url == f"{portal.root}connections"
        assert portal.connections().listed["node-a"] == (DEMO,)


def test_another_key_is_not_forgiven(port: int) -> None:
    driver, key = driver_or_skip(), "A" * 43 + "="
    with window(driver, *only_to(port, NAME, key)) as opened:
        opened.driver.get(f"https://{NAME}{ROOT}")
        assert opened.driver.find_elements("css selector", ".interstitial-wrapper"), "no warning"
        assert not opened.driver.find_elements("name", "userName"), "the portal was shown"


def test_no_other_name_is_looked_up(port: int, certificate: Path) -> None:
    driver, key = driver_or_skip(), verified_key(port, NAME, certificate.read_text())
    from selenium.common.exceptions import WebDriverException

    with (
        window(driver, *only_to(port, NAME, key)) as opened,
        pytest.raises(WebDriverException, match="ERR_NAME_NOT_RESOLVED"),
    ):
        opened.driver.get("https://localhost/")


def test_a_server_of_another_name_or_authority_has_no_key_that_counts(
    port: int, certificate: Path
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        verified_key(port, "other.example.org", certificate.read_text())
    other = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", "/CN=other", "-keyout", "/dev/null", "-out", "-"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        verified_key(port, NAME, other.stdout)
