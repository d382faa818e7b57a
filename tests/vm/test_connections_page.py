"""The page Connections of the multi-node lab in a real browser, beside HTTP and the client itself.

The browser runs on this host and goes to the portal from the lab's client machine. Skipped where
no browser can be driven; CONTRIBUTING says how to run it, and how to keep its pictures.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from evidence.events.portal import Listed
from evidence.history import History
from evidence.run import RunDirectory
from lab.accelerator import choose
from lab.image import prepare
from lab.progress import Progress
from lab.wait import until
from provision.deploy import Deployer, guide_named
from provision.multi_node import profiles
from provision.multi_node.download import KEPT, downloaded
from provision.multi_node.services import AUTHORITY
from provision.multi_node.site import Site
from scenarios.multi_node import visits
from scenarios.multi_node.clients import Clients, Way, far_end, inside
from scenarios.multi_node.planned import record_planned
from scenarios.multi_node.portal import CONNECTIONS, Portal
from scenarios.multi_node.tunnel_clients import TunnelClients
from tests.browser.portal import PortalWindow
from tests.browser.way_in import led_through, only_to, verified_key
from tests.browser.window import driver_or_skip, window

pytestmark = pytest.mark.vm

LAB, SCENARIO = "multi_node", "tests/vm/test_connections_page.py"
CLIENT, CALLED = "listed", "laptop"
SECONDS = 90  # how soon the page must say so is MN-17's to judge


@pytest.fixture
def chromedriver() -> str:
    return driver_or_skip()


@pytest.fixture
def pictures(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    return Path(pytestconfig.getoption("pictures") or tmp_path / "pictures")


def test_a_browser_shows_a_client_as_http_and_the_client_say_and_disconnects_it(
    chromedriver: str, pictures: Path, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path)
    run.wire.mkdir()
    deployer = Deployer(guide_named(LAB), prepare("debian-12"), choose(), Progress())
    with (
        deployer.deploy(capture=run.capture(LAB)) as lab,
        History(run.history, SCENARIO) as history,
    ):
        site, called = record_planned(history, lab.topology), profiles.merged(Site.of(lab.topology))
        controller, machine = lab[site.controller.name], lab[site.client.name]
        name, node = site.controller.fqdn, site.nodes[-1]
        password = visits.printed_passwords(history, controller)["admin"]
        authority = lab[site.services.name].get(f"{AUTHORITY}/ca.crt").decode()
        user = Path(controller.run(f"ls {KEPT}/*.ovpn").stdout.splitlines()[0]).stem
        vpn = TunnelClients(lab, site)
        clients = Clients(vpn, downloaded(controller), site, history)

        # By UDP: whom the portal disconnects does not hear of it, and is away for a minute.
        wanted = clients.by_ways({CLIENT: Way(node, "udp", site.address(node, 4))})
        tunnel = clients.connect(wanted, seconds=SECONDS)[CLIENT]
        assert tunnel.up, tunnel.log
        address = inside(tunnel, 4)
        row = Listed(user=user, name=CALLED, addresses=(address, inside(tunnel, 6)))
        far = {CLIENT: far_end(site, address)}
        assert vpn.ping_all(far) == {CLIENT: True}

        by_http = Portal.of(machine, name)
        assert by_http.log_in("admin", password).status == 302
        with led_through(machine.access, name, 443) as port:
            key = verified_key(port, name, authority)
            with window(chromedriver, *only_to(port, name, key)) as opened:
                portal = PortalWindow(opened, by_http.root)
                portal.log_in("admin", password)

                def listed() -> tuple[Listed, ...]:
                    portal.open_connections()
                    return portal.connections().listed[node]

                until(listed, SECONDS, f"a browser to show who is connected to {node}", every=0.5)
                seen = portal.connections()
                assert seen.listed == {one: (row,) if one == node else () for one in site.nodes}
                assert seen.listed == by_http.get(CONNECTIONS).connections
                assert seen.called == {one: called[one]["displayName"] for one in site.nodes}
                assert seen.counted == {one: int(one == node) for one in site.nodes}
                assert portal.pictures(pictures, "lab") == []

                portal.disconnect(address)
                until(lambda: not listed(), SECONDS, f"the row of {address} to go", every=0.5)
                assert not any(by_http.get(CONNECTIONS).connections.values())
                assert vpn.ping_all(far) == {CLIENT: False}
                assert portal.pictures(pictures, "lab-nobody") == []
